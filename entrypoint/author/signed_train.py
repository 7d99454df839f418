"""Makes a signed train of a folder of files: chooses, lists and encrypts what travels."""

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from entrypoint.author.doubtful_files import warn_of_doubtful
from entrypoint.crypto.digests import chunks, immutable_hash
from entrypoint.crypto.file_cipher import IV_BYTES, FileCipher, transform
from entrypoint.crypto.keys import PrivateKey, PublicKey
from entrypoint.crypto.paillier_key import PaillierKey
from entrypoint.errors import MalformedTrain, MissingInput, UsageError
from entrypoint.files.tree import Entry, Kind, walk
from entrypoint.limits import LISTED_PROBLEMS, SESSION_ID_BYTES
from entrypoint.model import PROJECT_FILE, QUERY, Paths
from entrypoint.protocol.verify import check_config_growth, verify
from entrypoint.report import Report
from entrypoint.train_config import Draft, TrainConfig, encode, new_train, read
from entrypoint.trust.anchors import NO_ANCHORS

LEFT_OUT = frozenset(
    {".git", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
    | {".ipynb_checkpoints", ".DS_Store", PROJECT_FILE}
)
"""Names of files and folders that never travel: those that tools leave, and the project file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """The contents and the route of a train, without the keys that sign it.

    Attributes:
        folder: the files that are to become immutable.
        exclude: patterns of files and folders in it that do not travel, for `PurePath.match`.
        generation: the name of its wire generation.
        user: id of the user who signs.
        train_id: id of the train.
        stations: the public key of every station, by its id.
        proposal: id of the proposal, or empty.
        master_image: name of the image that the train's is built from, or empty.
        paillier_key: the user's key under which the train adds encrypted numbers, or None.
    """

    folder: Path
    exclude: Sequence[str]
    generation: str
    user: str
    train_id: str
    stations: Mapping[str, PublicKey]
    proposal: str
    master_image: str
    paillier_key: PaillierKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signers:
    """The private keys that sign a new train; a builder's if the generation has one."""

    user: PrivateKey = field(repr=False)
    builder: PrivateKey | None = field(repr=False)


def sign_train(
    definition: Definition, signers: Signers, paths: Paths, report: Report
) -> TrainConfig:
    """Make a signed train below `paths` and verify the written files.

    Raises:
        MissingInput: the folder of the train does not exist.
        UsageError: an id is empty or has control characters, or keys or image are unsuitable.
        MalformedTrain: the folder is empty or holds something that cannot travel, or the route is
            too long.
    """
    _check_ids([definition.user, definition.train_id, *definition.stations])
    files = _files(definition.folder, definition.exclude, report)
    warn_of_doubtful(definition.folder, files, report)
    draft = _draft(definition, files)
    document, key = new_train(definition.generation, draft, signers.user, signers.builder)
    data = encode(document)
    config = read(data)
    check_config_growth(config, len(data))
    for file in files:
        target = paths.train / file
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy(definition.folder / file, target, config.cipher, key)
    paths.results.mkdir()
    paths.config.write_bytes(data)
    return verify(config, paths.train, key, anchors=NO_ANCHORS).config


def _draft(definition: Definition, files: Sequence[str]) -> Draft:
    session_id = os.urandom(SESSION_ID_BYTES)
    folder = definition.folder
    digest = immutable_hash(
        definition.user,
        (chunks(folder / file) for file in files if file != QUERY),
        session_id,
        chunks(folder / QUERY) if QUERY in files else None,
    )
    return Draft(
        train_id=definition.train_id,
        user_id=definition.user,
        proposal_id=definition.proposal,
        master_image=definition.master_image,
        session_id=session_id,
        stations=definition.stations,
        file_list=files,
        definition_hash=digest,
        paillier_key=definition.paillier_key,
    )


def _copy(source: Path, target: Path, cipher: FileCipher, key: bytes | None) -> None:
    """Copy a file and its mode; encrypt it if there is a key."""
    contents: Iterable[bytes] = chunks(source)
    if key is not None:
        first, second = cipher.encryptor(key, os.urandom(IV_BYTES))
        contents = transform(second, transform(first, contents))
    with target.open("xb") as file:
        file.writelines(contents)
    shutil.copymode(source, target)  # for every system; the owner is whoever creates the train


def check_unique(stations: Sequence[str]) -> None:
    """Raise UsageError if there is no station, or one is named twice."""
    twice = [station for station, count in Counter(stations).items() if count > 1]
    if twice or not stations:
        raise UsageError(
            "stations-unsuitable",
            f'station "{twice[0]}" is named twice' if twice else "the train has no station",
            hint="name every station once: a train visits each station only once",
        )


def _check_ids(ids: Iterable[str]) -> None:
    for name in ids:
        if not name or not name.isprintable():
            raise UsageError(
                "id-unsuitable",
                f"{name!r} cannot be the id of a user, a train or a station",
                hint="give an id of at least one character, without control characters",
            )


def _files(folder: Path, exclude: Sequence[str], report: Report) -> list[str]:
    """Return the files to sign in archive order, the same for every build."""
    if not folder.is_dir():
        raise MissingInput(
            "train-folder-missing",
            f"there is no folder {folder}",
            hint="name the folder that holds the train's files",
        )
    entries = list(_author_made(folder, exclude, report))
    files = [entry.path for entry in entries if entry.has_contents]
    problems = [
        f"{entry.path} is a {entry.kind.value}"
        for entry in entries
        if entry.kind in (Kind.SYMLINK, Kind.SPECIAL)
    ]
    problems += [f"the name of {file} is not UTF-8" for file in files if not _is_utf8(file)]
    if not files:
        problems.append("it holds no file")
    if problems:
        raise MalformedTrain(
            "train-folder-unsuitable",
            f"{folder} cannot become a train",
            hint="keep only files and folders with names in UTF-8 in it; copy the target of a link",
            problems=problems[:LISTED_PROBLEMS],
        )
    _report_empty(entries, files, report)
    return files


def _author_made(folder: Path, exclude: Sequence[str], report: Report) -> Iterator[Entry]:
    """Yield the entries that travel and report those that are left out."""
    left_out = None
    unmatched = set(exclude)
    for entry in walk(folder):
        if left_out and entry.path.startswith(f"{left_out}/"):
            continue
        path = PurePosixPath(entry.path)
        matching = {pattern for pattern in exclude if path.match(pattern)}
        unmatched -= matching
        if matching or path.name in LEFT_OUT or path.name.endswith(".pyc"):
            left_out = entry.path
            report.info(f"left out of the train: {entry.path}")
        else:
            yield entry
    for pattern in sorted(unmatched):
        report.warning(f"--exclude {pattern} matches no file and no folder of the train")


def _report_empty(entries: Iterable[Entry], files: Iterable[str], report: Report) -> None:
    """Report the folders without files, which do not travel: only files can be signed."""
    filled = {str(parent) for file in files for parent in PurePosixPath(file).parents}
    for entry in entries:
        if entry.kind is Kind.DIRECTORY and entry.path not in filled:
            report.info(f"left out of the train: {entry.path}, a folder without files")


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
