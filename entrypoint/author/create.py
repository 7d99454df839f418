"""`pht create`: from a folder of files and the stations' public keys to a signed train."""

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from entrypoint.author import private_keys
from entrypoint.author.output import check_apart, new_folder
from entrypoint.crypto.digests import immutable_hash
from entrypoint.crypto.keys import (
    PrivateKey,
    PublicKey,
    fingerprint,
    public_pem,
    read_public_key,
)
from entrypoint.crypto.signatures import sign_pss
from entrypoint.errors import MalformedTrain, MissingInput, UsageError
from entrypoint.limits import CONFIG_PROBLEMS, SESSION_ID_BYTES
from entrypoint.model import QUERY, Paths
from entrypoint.protocol.verify import verify
from entrypoint.report import Report, show, table
from entrypoint.train_config import TrainConfig, encode, initial_document, read
from entrypoint.tree import Entry, Kind, walk

LEFT_OUT = frozenset(
    {".git", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
    | {".ipynb_checkpoints", ".DS_Store"}
)
"""Names of files and folders that tools leave beside the author's own; like them `*.pyc`."""


@dataclass(frozen=True)
class Definition:
    """What makes a train, apart from its user's key.

    Attributes:
        folder: the files that are to become immutable.
        user: id of the user who signs.
        train_id: id of the train.
        stations: the public key of every station, by its id.
        proposal: id of the proposal, or empty.
        master_image: what the image is built from, or empty.
    """

    folder: Path
    user: str
    train_id: str
    stations: Mapping[str, PublicKey]
    proposal: str
    master_image: str


def create(
    train: Path,
    output: Path,
    *,
    user_key: Path,
    password_file: Path | None,
    user: str,
    train_id: str,
    stations: Sequence[tuple[str, Path]],
    proposal: str,
    master_image: str,
    report: Report,
) -> None:
    """Make `output`/opt: pht_train, an empty pht_results and the signed train_config.json.

    Args:
        train: the folder with the train's files.
        output: a new or empty folder.
        user_key: file of the user's private key, `password_file` of its password.
        stations: ids and public key files.
        user, train_id, proposal, master_image: as in `Definition`.

    Raises:
        PhtError: something is missing, refused or not as it should be; `output` is not made.
    """
    check_apart(train, (output, user_key, password_file))
    definition = Definition(train, user, train_id, _public_keys(stations), proposal, master_image)
    with new_folder(output) as folder:
        key = private_keys.read(user_key, password_file)
        config = build(definition, key, Paths(folder), report)
    _summarise(config, output, report)


def build(definition: Definition, key: PrivateKey, paths: Paths, report: Report) -> TrainConfig:
    """Make a signed train below `paths` and verify what was written.

    Raises:
        MissingInput: the folder of the train does not exist.
        UsageError: an id is empty or has control characters.
        MalformedTrain: the folder holds nothing, or something that cannot travel.
    """
    _check_ids([definition.user, definition.train_id, *definition.stations])
    files = _files(definition.folder, report)
    for file in files:
        target = paths.train / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(definition.folder / file, target)
    paths.results.mkdir()
    paths.config.write_bytes(_sign(definition, key, paths.train, files))
    return verify(read(paths.config.read_bytes()), paths.train).config


def _sign(definition: Definition, key: PrivateKey, train: Path, files: Sequence[str]) -> bytes:
    """Return the configuration of a train that has not visited any station."""
    session_id = os.urandom(SESSION_ID_BYTES)
    digest = immutable_hash(
        definition.user,
        (train / file for file in files if file != QUERY),
        session_id,
        train / QUERY if QUERY in files else None,
    )
    document = initial_document(
        master_image=definition.master_image,
        user_id=definition.user,
        train_id=definition.train_id,
        proposal_id=definition.proposal,
        session_id=session_id,
        user_key_pem=public_pem(key.public_key()),
        station_key_pems={name: public_pem(pub) for name, pub in definition.stations.items()},
        file_list=files,
        definition_hash=digest,
        definition_signature=sign_pss(key, digest),
    )
    return encode(document)


def _public_keys(stations: Sequence[tuple[str, Path]]) -> dict[str, PublicKey]:
    check_unique([station for station, _ in stations])
    return {station: read_public_key(path) for station, path in stations}


def check_unique(stations: Sequence[str]) -> None:
    """Raise UsageError unless there is a station, and none twice."""
    twice = [station for station, count in Counter(stations).items() if count > 1]
    if twice or not stations:
        raise UsageError(
            "stations-unsuitable",
            f"station {twice[0]} is named twice" if twice else "the train has no station",
            hint="name every station once; a train visits a station one time only",
            by="author",
        )


def _check_ids(ids: Iterable[str]) -> None:
    for name in ids:
        if not name or not name.isprintable():
            raise UsageError(
                "id-unsuitable",
                f"{name!r} cannot be the id of a user, a train or a station",
                hint="an id is a text without control characters",
                by="author",
            )


def _files(folder: Path, report: Report) -> list[str]:
    """Return the files to sign, in archive order, so that two builds list them alike."""
    if not folder.is_dir():
        raise MissingInput(
            "train-folder-missing",
            f"there is no folder {folder}",
            hint="give the folder that holds the train's files",
            by="author",
        )
    entries = list(_author_made(folder, report))
    files = [entry.path for entry in entries if _is_file(entry)]
    problems = [
        f"{entry.path} is a {entry.kind.value}"
        for entry in entries
        if entry.kind in (Kind.SYMLINK, Kind.SPECIAL)
    ]
    problems += [f"{file} is not named in UTF-8" for file in files if not _is_utf8(file)]
    if not files:
        problems.append("it holds no file")
    if problems:
        raise MalformedTrain(
            "train-folder-unsuitable",
            f"{folder} cannot become a train",
            hint="a train is made of files with names in UTF-8; copy what a link points to",
            problems=problems[:CONFIG_PROBLEMS],
        )
    _report_empty(entries, files, report)
    return files


def _author_made(folder: Path, report: Report) -> Iterator[Entry]:
    """Yield what is to travel and say what is not."""
    left_out = None
    for entry in walk(folder):
        if left_out and entry.path.startswith(f"{left_out}/"):
            continue
        name = PurePosixPath(entry.path).name
        if name in LEFT_OUT or name.endswith(".pyc"):
            left_out = entry.path
            report.info(f"left out of the train: {entry.path}")
        else:
            yield entry


def _report_empty(entries: Iterable[Entry], files: Iterable[str], report: Report) -> None:
    """Say which folders do not travel, because only files can be signed."""
    filled = {str(parent) for file in files for parent in PurePosixPath(file).parents}
    for entry in entries:
        if entry.kind is Kind.DIRECTORY and entry.path not in filled:
            report.info(f"left out of the train: {entry.path}, a folder without files")


def _is_file(entry: Entry) -> bool:
    """Return whether an entry is a file; each of several names of one is signed by itself."""
    return entry.kind in (Kind.FILE, Kind.HARD_LINK)


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _summarise(config: TrainConfig, output: Path, report: Report) -> None:
    rows = [(name, fingerprint(key)) for name, key in config.stations.items()]
    show(table(("station", "fingerprint of its key (SHA-256)"), rows))
    count = len(config.files) + config.has_query
    session = config.session_id.hex()[:16]
    report.info(f"train {config.train_id}: {count} files, signed by user {config.user_id}")
    report.info(f"it is session {session}…, in {output / 'opt'}")
    report.info("compare the fingerprints with those that the stations tell you")
    report.info(
        f"then build the image in {output}: FROM a master image, COPY opt /opt, "
        'CMD ["python", "/opt/pht_train/FILE"]'
    )
