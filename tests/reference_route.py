"""An independent reading of the route generation, and its vectors laid out as stations do.

Made like tests/reference.py, with which it shares what both generations have in common, and for
the same purpose. Station ids are compared as text, since a published station makes a number of
one that looks like it.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests import reference
from tests.reference import (
    QUERY,
    STAGES,
    Config,
    ResultFile,
    load_config,
    result_files,
    result_hash,
    session_id,
)
from tests.reference_rsa import (
    Refused,
    private,
    public_pem,
    require,
    sign,
    sign_data,
    unwrap,
    verify,
    verify_data,
    wrap,
)

VECTORS = Path(__file__).parent / "vectors" / "route-2.0"
"""Their stops and stages are those of the flat vectors, and so are all keys but the builder's."""

BUILDER = "builder"
KEY_BYTES = 32
IV_BYTES = 16

Files = dict[str, bytes]
"""Contents in plaintext, by path."""


# --- the cipher ----------------------------------------------------------------------------------


def encrypt(key: bytes, content: bytes, iv: bytes | None = None) -> bytes:
    """Return a sealed file: the IV, a random one unless it is given, and the ciphertext."""
    iv = iv or os.urandom(IV_BYTES)
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return iv + encryptor.update(padder.update(content) + padder.finalize()) + encryptor.finalize()


def decrypt(key: bytes, sealed: bytes) -> bytes:
    """Return the content of a sealed file; raise Refused if it has none under this key."""
    iv, ciphertext = sealed[:IV_BYTES], sealed[IV_BYTES:]
    require(len(iv) == IV_BYTES, "a file is shorter than an IV")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    try:
        padded = decryptor.update(ciphertext) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise Refused("a file was not sealed with this key") from None


# --- hashes --------------------------------------------------------------------------------------


def immutable_hash(config: Config, files: Files) -> bytes:
    """Return the hash of the train definition, 64 bytes."""
    digest = hashlib.sha512(str(config["creator"]["id"]).encode())
    for name in listed(config):
        digest.update(files[name])
    digest.update(session_id(config))
    digest.update(files.get(QUERY, b""))
    return digest.digest()


def listed(config: Config) -> list[str]:
    """Return the paths of the signed files in the order of the list, which never has the query."""
    names = [name.removeprefix("./") for name in config["file_list"]]
    require(QUERY not in names, "the query is in the list of files")
    require(len({*names}) == len(names), "a file is listed twice")
    return names


def chain_digest(config: Config, index: int, results: bytes) -> bytes:
    """Return the digest that the stop with this index signs, given the hash of its results."""
    earlier = [bytes.fromhex(stop["signature"]["digest"]) for stop in stops(config)[:index]]
    return hashlib.sha512(b"".join(earlier or [session_id(config)]) + results).digest()


# --- reading -------------------------------------------------------------------------------------


def stops(config: Config) -> list[Config]:
    """Return the entries of the route in its order.

    Raises:
        Refused: the indexes are not 0, 1, 2, ..., or a station is there twice.
    """
    route: list[Config] = sorted(config["route"], key=lambda stop: stop["index"])
    require([stop["index"] for stop in route] == [*range(len(route))], "the route has gaps")
    require(len({str(stop["station"]) for stop in route}) == len(route), "a station comes twice")
    return route


def stop_of(config: Config, station: str) -> Config:
    """Return the entry of a station, which must be on the route."""
    found = [stop for stop in stops(config) if str(stop["station"]) == station]
    require(len(found) == 1, "the station is not on the route")
    return found[0]


def verify_definition(config: Config, files: Files) -> None:
    """Check the plaintext of the definition, and both signatures of it.

    Raises:
        Refused: they do not match.
    """
    digest = immutable_hash(config, files)
    require(digest.hex() == config["hash"], "hash is not that of the definition")
    verify_data(config["creator"]["rsa_public_key"], config["signature"], digest)
    build = config["build"]
    signed = digest + bytes.fromhex(config["signature"])
    verify_data(build["rsa_public_key"], build["signature"], signed)


def verify_chain(config: Config) -> list[str]:
    """Check every signature of the route and return the stations, oldest visit first.

    Of the digests only the newest can be computed again, for the older result hashes are gone.

    Raises:
        Refused: a visit is missing before another, or a digest or a signature is wrong.
    """
    route = stops(config)
    visited = [stop for stop in route if stop["signature"] is not None]
    require(visited == route[: len(visited)], "a stop was left out")
    started = [config["result_hash"] is not None, config["result_signature"] is not None]
    require(started == [bool(visited)] * 2, "results and signatures do not go together")
    for stop in visited:
        slot = stop["signature"]
        verify(stop["rsa_public_key"], slot["signature"], bytes.fromhex(slot["digest"]))
    if visited:
        newest = chain_digest(config, len(visited) - 1, bytes.fromhex(config["result_hash"]))
        recorded = visited[-1]["signature"]["digest"]
        require(recorded == newest.hex(), "the newest digest is not what the stop must sign")
    return [str(stop["station"]) for stop in visited]


def verify_results(config: Config, contents: Iterable[bytes]) -> None:
    """Check plaintext results, given in archive order, and the last station's signature of them.

    Raises:
        Refused: they do not match.
    """
    digest = result_hash(contents, session_id(config))
    require(digest.hex() == config["result_hash"], "result_hash is not that of the results")
    last = stop_of(config, verify_chain(config)[-1])
    verify(last["rsa_public_key"], config["result_signature"], digest)


def symmetric_key(opt: Path, private_key: bytes, station: str | None = None) -> bytes:
    """Open an envelope: the one of `station`, or the user's if that is None.

    Raises:
        Refused: the key does not open it, or the two records of the user's envelope differ.
    """
    config = load_config(opt)
    if station is None:
        envelope = config["creator"]["encrypted_key"]
        copy = (opt / "user_sym_key.key").read_bytes().hex()
        require(copy == envelope, "user_sym_key.key and the creator's encrypted_key differ")
    else:
        envelope = stop_of(config, station)["encrypted_key"]
    key = unwrap(private_key, bytes.fromhex(envelope))
    require(len(key) == KEY_BYTES, "the key has another length")
    return key


def decrypt_definition(opt: Path, private_key: bytes, station: str | None = None) -> Files:
    """Decrypt the definition of a folder like `/opt`, and verify it; see `decrypt_results`.

    Returns:
        Contents by path, in the order of the list; the query, if there is one, is the last.
    """
    config = load_config(opt)
    key = symmetric_key(opt, private_key, station)
    folder = opt / "pht_train"
    names = listed(config) + [QUERY] * (folder / QUERY).exists()
    files = {name: decrypt(key, (folder / name).read_bytes()) for name in names}
    verify_definition(config, files)
    return files


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
    key = symmetric_key(opt, private_key, station)
    plain = {
        path: ResultFile(decrypt(key, content), mode)
        for path, (content, mode) in result_files(opt / "pht_results").items()
    }
    verify_results(load_config(opt), (content for content, _ in plain.values()))
    return plain


# --- the vectors ---------------------------------------------------------------------------------


def vector_key(name: str, *, private: bool = False) -> bytes:
    """Return a PEM key of the vectors: of "user", of `BUILDER` or of a station."""
    return (VECTORS / "keys" / f"{name}.{'sk' if private else 'pk'}.pem").read_bytes()


def lay_out(stage: int, root: Path) -> Path:
    """Put a stage of the vectors where a station finds it; see `reference.lay_out`."""
    source = VECTORS / STAGES[stage]
    return reference.lay_out_stage(source, source / "train_encrypted", root)


def lay_out_plain(stage: int, folder: Path) -> Path:
    """Extract the plaintext results of a stage (1 to 3) and return `folder/pht_results`."""
    reference.extract(VECTORS / STAGES[stage] / "results_plain.tar", folder)
    return folder / "pht_results"


# --- writing -------------------------------------------------------------------------------------


def build_initial(
    root: Path,
    files: Mapping[str, bytes],
    user_key: bytes,
    builder_key: bytes,
    stations: Mapping[str, bytes],
    **fields: object,
) -> Path:
    """Build a train before its first stop and return `root/opt`.

    Args:
        root: the folder to build in.
        files: the definition by path, listed in this order; may hold the query.
        user_key: the user's private key, PEM without password.
        builder_key: the same of the builder.
        stations: the public key (PEM) of every station, in the order of the route.
        fields: put into the configuration before it is hashed and signed, over the defaults; thus
            a test makes an odd train that is correctly signed.
    """
    opt = root / "opt"
    key = os.urandom(KEY_BYTES)
    (opt / "pht_results").mkdir(parents=True)
    for name, content in files.items():
        path = opt / "pht_train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encrypt(key, content))
    user = private(user_key)
    builder = private(builder_key)
    config: Config = {
        "source": {"type": "docker_repository", "address": "r", "tag": "latest", "branch": None},
        "creator": {
            "id": "user-1",
            "rsa_public_key": public_pem(user).hex(),
            "paillier_public_key": None,
            "encrypted_key": None,
        },
        "proposal_id": "1",
        "@id": "train-1",
        "@context": {"link": "https://example.org/train"},
        "session_id": os.urandom(64).hex(),
        "route": _route(stations, key),
        "file_list": [name for name in files if name.removeprefix("./") != QUERY],
        **fields,
    }
    plain = {name.removeprefix("./"): content for name, content in files.items()}
    digest = immutable_hash(config, plain)
    signature = sign_data(user, digest)
    config |= {
        "hash": digest.hex(),
        "signature": signature,
        "build": {
            "signature": sign_data(builder, digest + bytes.fromhex(signature)),
            "rsa_public_key": public_pem(builder).hex(),
        },
        "result_hash": None,
        "result_signature": None,
    }
    (opt / "train_config.json").write_text(json.dumps(config, indent=2))
    return opt


def _route(stations: Mapping[str, bytes], key: bytes) -> list[Config]:
    """Return the route before the first stop; only that one gets the key."""
    return [
        {
            "station": station,
            "eco_system": "tue",
            "rsa_public_key": pem.hex(),
            "index": index,
            "signature": None,
            "encrypted_key": None if index else wrap(pem.hex(), key).hex(),
        }
        for index, (station, pem) in enumerate(stations.items())
    ]


def published_pre_run(opt: Path, station: str, private_key: bytes) -> None:
    """Put verified plaintext into `pht_train` and `pht_results`, as the published package does.

    Args:
        opt: a folder like `/opt`.
        station: whose visit this is.
        private_key: its key, PEM without password.
    """
    for name, content in decrypt_definition(opt, private_key, station).items():
        (opt / "pht_train" / name).write_bytes(content)
    if load_config(opt)["result_hash"] is not None:
        for path, (content, _) in decrypt_results(opt, private_key, station).items():
            (opt / "pht_results" / path).write_bytes(content)


def published_post_run(opt: Path, station: str, private_key: bytes) -> None:
    """Seal what `published_pre_run` has opened, as the published package does.

    That is: one IV for all files of a folder, and also what the list of files does not have.
    """
    config = load_config(opt)
    contents = [content for content, _ in result_files(opt / "pht_results").values()]
    digest = result_hash(contents, session_id(config))
    stop = stop_of(config, station)
    link = chain_digest(config, stop["index"], digest)
    signer = private(private_key)
    stop["signature"] = {"digest": link.hex(), "signature": sign(signer, link)}
    config |= {"result_hash": digest.hex(), "result_signature": sign(signer, digest)}
    key = os.urandom(KEY_BYTES)
    for reader in (config["creator"], *config["route"]):
        reader["encrypted_key"] = wrap(reader["rsa_public_key"], key).hex()
    for folder in (opt / "pht_results", opt / "pht_train"):
        iv = os.urandom(IV_BYTES)
        for path, (content, _) in result_files(folder).items():
            (folder / path).write_bytes(encrypt(key, content, iv))
    (opt / "user_sym_key.key").write_bytes(bytes.fromhex(config["creator"]["encrypted_key"]))
    (opt / "train_config.json").write_text(json.dumps(config, indent=2))
