"""An independent reading of the flat generation, and the published vectors laid out as stations do.

Written from docs/protocol.md with the standard library and `cryptography`, and without importing
anything of this project, so that a misreading on one side shows as a disagreement. It holds whole
files in memory and trusts the keys that a configuration carries.
"""

import hashlib
import json
import os
import shutil
import stat
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.fernet import Fernet, InvalidToken

from tests.reference_rsa import (
    Refused,
    private,
    public_pem,
    require,
    sign,
    unwrap,
    verify,
    wrap,
)

VECTORS = Path(__file__).parent / "vectors" / "flat-1.0"

STATIONS = ("station_1", "station_2", "station_3")
"""The stops of the vectors in the order of their visits."""

STAGES = ("stage0-initial", *(f"stage{n}-after-station_{n}" for n in (1, 2, 3)))
"""The folders of the vectors: as built, and after the visit of each station."""

QUERY = "query.json"

Config = dict[str, Any]


class ResultFile(NamedTuple):
    """A regular file in plaintext; `mode` holds the permission bits."""

    content: bytes
    mode: int


# --- order and hashes ----------------------------------------------------------------------------


def archive_order(folder: Path) -> Iterator[str]:
    """Yield everything below a folder, relative to it, as a container engine archives it.

    Depth first, the names of each directory sorted by their bytes, symlinks not followed.
    """
    for name in sorted(os.listdir(folder), key=os.fsencode):
        yield name
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            yield from (f"{name}/{below}" for below in archive_order(path))


def result_files(folder: Path) -> dict[str, ResultFile]:
    """Return the files that the result hash covers, in archive order: no links, no directories."""
    files: dict[str, ResultFile] = {}
    seen = set()
    for path in archive_order(folder):
        info = (folder / path).lstat()
        if stat.S_ISREG(info.st_mode) and (info.st_dev, info.st_ino) not in seen:
            seen.add((info.st_dev, info.st_ino))
            files[path] = ResultFile((folder / path).read_bytes(), stat.S_IMODE(info.st_mode))
    return files


def immutable_hash(config: Config, train: Path) -> bytes:
    """Return the hash of the train definition, 64 bytes; `train` is the folder `pht_train`."""
    listed = [name.removeprefix("./") for name in config["immutable_file_list"]]
    digest = hashlib.sha512(str(config["user_id"]).encode())
    for name in listed:
        if name != QUERY:
            digest.update((train / name).read_bytes())
    digest.update(session_id(config))
    if QUERY in listed:
        digest.update((train / QUERY).read_bytes())
    return digest.digest()


def result_hash(contents: Iterable[bytes], session: bytes) -> bytes:
    """Return the hash of plaintext results in archive order, 64 bytes."""
    return hashlib.sha512(b"".join(contents) + session).digest()


def session_id(config: Config) -> bytes:
    """Return the 64 random bytes that name this train."""
    return bytes.fromhex(config["session_id"])


# --- reading -------------------------------------------------------------------------------------


def load_config(opt: Path) -> Config:
    """Return the `train_config.json` of a folder that is laid out like `/opt`."""
    config: Config = json.loads((opt / "train_config.json").read_bytes())
    return config


def phase(opt: Path) -> str | None:
    """Return the phase of the visit in such a folder, None if the configuration is complete."""
    found: str | None = load_config(opt).get("pht_visit", {}).get("phase")
    return found


def verify_definition(config: Config, train: Path) -> None:
    """Check the hash of the immutable files and the user's signature of it.

    Raises:
        Refused: they do not match.
    """
    digest = immutable_hash(config, train)
    require(digest.hex() == config["e_h"], "e_h is not the hash of the immutable files")
    verify(config["rsa_user_public_key"], config["e_h_sig"], digest)


def verify_chain(config: Config) -> list[str]:
    """Check every link of the station signatures and return the stations, oldest visit first.

    Raises:
        Refused: a link is not the one that follows from its predecessor, or is not signed.
    """
    visited = []
    digest = hashlib.sha512(session_id(config)).digest()
    for link in config["digital_signature"] or []:
        signature, recorded = link["sig"]
        require(recorded == digest.hex(), f"the link of {link['station']} has another digest")
        verify(config["rsa_public_keys"][link["station"]], signature, digest)
        visited.append(link["station"])
        digest = hashlib.sha512(bytes.fromhex(signature)).digest()
    return visited


def verify_results(config: Config, contents: Iterable[bytes]) -> None:
    """Check plaintext results, given in archive order, and the last station's signature of them.

    Raises:
        Refused: they do not match.
    """
    digest = result_hash(contents, session_id(config))
    require(digest.hex() == config["e_d"], "e_d is not the hash of the results")
    last = config["digital_signature"][-1]["station"]
    verify(config["rsa_public_keys"][last], config["e_d_sig"], digest)


def symmetric_key(opt: Path, private_key: bytes, station: str | None = None) -> bytes:
    """Open an envelope: the one of `station`, or the user's if that is None.

    Raises:
        Refused: the key does not open it, or the two records of the user's envelope differ.
    """
    config = load_config(opt)
    if station is None:
        envelope = (opt / "user_sym_key.key").read_bytes()
        require(
            envelope.hex() == config["user_encrypted_sym_key"],
            "user_sym_key.key and user_encrypted_sym_key differ",
        )
    else:
        envelope = bytes.fromhex(config["encrypted_key"][station])
    return unwrap(private_key, envelope)


def decrypt_results(
    opt: Path, private_key: bytes, station: str | None = None
) -> dict[str, ResultFile]:
    """Decrypt the results of a folder like `/opt`; verify them and the chain of signatures.

    Args:
        opt: holds `train_config.json`, `user_sym_key.key` and the encrypted `pht_results`.
        private_key: PEM without password.
        station: whose key it is; None for the user's.

    Returns:
        Every regular file by its path, in archive order.

    Raises:
        Refused: something is not authentic.
    """
    config = load_config(opt)
    verify_chain(config)
    fernet = Fernet(symmetric_key(opt, private_key, station))
    try:
        plain = {
            path: ResultFile(fernet.decrypt(content), mode)
            for path, (content, mode) in result_files(opt / "pht_results").items()
        }
    except InvalidToken:
        raise Refused("a result file is no token of this key") from None
    verify_results(config, (content for content, _ in plain.values()))
    return plain


# --- the vectors ---------------------------------------------------------------------------------


def vector_key(name: str, *, private: bool = False) -> bytes:
    """Return a PEM key of the vectors: of "user" or of one of `STATIONS`."""
    return (VECTORS / "keys" / f"{name}.{'sk' if private else 'pk'}.pem").read_bytes()


def lay_out(stage: int, root: Path) -> Path:
    """Put a stage of the vectors where a station finds it and return `root/opt`.

    Args:
        stage: 0 as built, or the number of visits made, up to 3.
        root: an empty folder.
    """
    return lay_out_stage(VECTORS / STAGES[stage], VECTORS / "train", root)


def lay_out_stage(source: Path, train: Path, root: Path) -> Path:
    """Put the folder of a stage, and the immutable files as they travel, below a root."""
    opt = root / "opt"
    shutil.copytree(train, opt / "pht_train")
    shutil.copy(source / "train_config.json", opt)
    if source.name == STAGES[0]:
        (opt / "pht_results").mkdir()
    else:
        shutil.copy(source / "user_sym_key.key", opt)
        extract(source / "results_encrypted.tar", opt)
    return opt


def lay_out_plain(stage: int, folder: Path) -> Path:
    """Extract the plaintext results of a stage (1 to 3) and return `folder/pht_results`."""
    extract(VECTORS / STAGES[stage] / "results_plain.tar", folder)
    return folder / "pht_results"


def extract(archive: Path, folder: Path) -> None:
    """Extract an archive of the vectors."""
    with tarfile.open(archive) as tar:
        # Names, modes and links exactly as recorded: these archives are part of the tests.
        tar.extraction_filter = lambda member, path: member
        tar.extractall(folder)


# --- writing -------------------------------------------------------------------------------------


def build_initial(
    root: Path,
    files: Mapping[str, bytes],
    user_key: bytes,
    stations: Mapping[str, bytes],
    **fields: object,
) -> Path:
    """Build a train before its first stop and return `root/opt`.

    Args:
        root: the folder to build in.
        files: the immutable files by path, listed in this order.
        user_key: the user's private key, PEM without password.
        stations: the public key (PEM) of every station.
        fields: put into the configuration before it is hashed and signed, over the defaults; thus
            a test makes an odd train that is correctly signed.
    """
    opt = root / "opt"
    (opt / "pht_results").mkdir(parents=True)
    for name, content in files.items():
        path = opt / "pht_train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    key = private(user_key)
    config: Config = {
        "master_image": "python:slim",
        "user_id": "user-1",
        "train_id": "train-1",
        "session_id": os.urandom(64).hex(),
        "rsa_user_public_key": public_pem(key).hex(),
        "encrypted_key": None,
        "rsa_public_keys": {station: pem.hex() for station, pem in stations.items()},
        "e_h": None,
        "e_h_sig": None,
        "e_d": None,
        "e_d_sig": None,
        "digital_signature": None,
        "proposal_id": "1",
        "user_he_key": None,
        "immutable_file_list": list(files),
        **fields,
    }
    digest = immutable_hash(config, opt / "pht_train")
    config |= {"e_h": digest.hex(), "e_h_sig": sign(key, digest)}
    (opt / "train_config.json").write_text(json.dumps(config, indent=2))
    return opt


def published_post_run(opt: Path, station: str, private_key: bytes) -> None:
    """Seal the plaintext in `pht_results` as the published package does.

    That is: tokens with the true time, and the configuration on one line.

    Args:
        opt: a folder like `/opt` in which the pre-run of `station` and the train have been.
        station: whose visit this is.
        private_key: its key, PEM without password.
    """
    config = load_config(opt)
    key = private(private_key)
    plain = result_files(opt / "pht_results")
    digest = result_hash((content for content, _ in plain.values()), session_id(config))
    fernet_key = Fernet.generate_key()
    user_envelope = wrap(config["rsa_user_public_key"], fernet_key)
    config |= {
        "e_d": digest.hex(),
        "e_d_sig": sign(key, digest),
        "digital_signature": [
            *(config["digital_signature"] or []),
            next_link(config, station, private_key),
        ],
        "encrypted_key": {
            name: wrap(pem, fernet_key).hex() for name, pem in config["rsa_public_keys"].items()
        },
        "user_encrypted_sym_key": user_envelope.hex(),
    }
    for path, (content, _) in plain.items():
        (opt / "pht_results" / path).write_bytes(Fernet(fernet_key).encrypt(content))
    (opt / "user_sym_key.key").write_bytes(user_envelope)
    (opt / "train_config.json").write_text(json.dumps(config))


def next_link(config: Config, station: str, private_key: bytes) -> Config:
    """Return the entry that a station appends to `digital_signature`; its key is plain PEM."""
    chain = config["digital_signature"]
    before = bytes.fromhex(chain[-1]["sig"][0]) if chain else session_id(config)
    digest = hashlib.sha512(before).digest()
    return {"station": station, "sig": [sign(private(private_key), digest), digest.hex()]}
