"""Steps 1 and 2: the train definition and the chain of station signatures.

Verifying writes nothing. Where the immutable files travel encrypted, they are decrypted on their
way into the hash.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from cryptography.hazmat.primitives.constant_time import bytes_eq

from entrypoint.crypto.digests import chunks, immutable_hash
from entrypoint.crypto.file_cipher import InvalidCiphertext, transform
from entrypoint.crypto.keys import PublicKey, same_key
from entrypoint.errors import (
    OPERATOR,
    IntegrityError,
    MalformedTrain,
    PhtError,
    RouteError,
    SettingsError,
)
from entrypoint.files.tree import Kind, walk
from entrypoint.limits import CONFIG_BYTES, LISTED_PROBLEMS
from entrypoint.model import QUERY
from entrypoint.protocol.cancellation import CheckStop, never_cancels
from entrypoint.protocol.stages import VerifiedTrain
from entrypoint.train_config import (
    ResultsUnverified,
    TrainConfig,
    immutable_files,
    not_on_route,
)
from entrypoint.trust.anchors import Anchors, Keys, Trust, lines

_LINK_BYTES = 400
"""Maximum growth of the configuration by a stop, beside its envelope and its signature."""

_Read = Callable[[Path], Iterable[bytes]]


def verify(
    config: TrainConfig,
    train: Path,
    key: bytes | None,
    *,
    anchors: Anchors,
    leave_out: str = "",
    proceed: CheckStop = never_cancels,
) -> VerifiedTrain:
    """Verify the immutable files in the folder `train`, all signatures of them, and the chain.

    The public keys are compared with those that are pinned before anything is read.

    Args:
        config: the configuration.
        train: the folder, as it travels.
        key: the symmetric key, not yet verified; None if there is none.
        anchors: the keys that the station has pinned.
        leave_out: a name in `train` that is not part of it.
        proceed: called between two chunks; raises to cancel.

    Raises:
        IntegrityError: a public key is not the pinned one, or not pinned where it has to be.
        MalformedTrain, IntegrityError: see `check_definition`.
        IntegrityError: the definition hash is not signed by all who have to.
        RouteError: the chain of station signatures is not valid.
    """
    trust = _check_keys(config, anchors)
    check_definition(config, train, key, leave_out=leave_out, proceed=proceed)
    verify_signatures(config)
    return VerifiedTrain(config=config, key=key, trust=trust)


def check_definition(
    config: TrainConfig,
    train: Path,
    key: bytes | None,
    *,
    leave_out: str,
    proceed: CheckStop,
) -> None:
    """Check the immutable files against the hash in the configuration; no signature is checked.

    For the arguments see `verify`.

    Raises:
        MalformedTrain: a listed file is missing, or something lies there that is not listed.
        IntegrityError: the files are not what the user signed.
    """
    _check_entries(config, train, leave_out)
    if config.encrypts_definition:
        _check_sealed(config, train, key, proceed)
    else:
        _check_plain(config, train, proceed)


def verify_open(
    config: TrainConfig, train: Path, *, anchors: Anchors, proceed: CheckStop = never_cancels
) -> VerifiedTrain:
    """Like `verify`, but for files that lie in `train` in plaintext, as during a run.

    Raises:
        MalformedTrain, IntegrityError, RouteError: see `verify`.
    """
    trust = _check_keys(config, anchors)
    _check_entries(config, train, "")
    _check_plain(config, train, proceed)
    verify_signatures(config)
    return VerifiedTrain(config=config, key=None, trust=trust)


def _check_keys(config: TrainConfig, anchors: Anchors) -> Trust:
    """Return what the anchors say about the train's keys, unless they have to be refused."""
    trust = anchors.judge(config)
    if trust.wrong:
        raise IntegrityError(
            "key-not-as-pinned",
            "keys of this train are not those that this station has pinned for their holders",
            hint="do not run this train; only if a holder confirms, by another way than the train "
            "came, that the key is theirs, add its line to the station's file trust",
            problems=_listed(trust.wrong),
            by=OPERATOR,
        )
    if anchors.required and trust.unpinned:
        raise IntegrityError(
            "key-not-pinned",
            "this station has pinned no key for some holders of keys of this train",
            hint="compare each key with its holder, by another way than the train came, and add "
            "its line to the station's file trust; pht inspect --trust-lines prints all lines",
            problems=_listed(trust.unpinned),
            by=OPERATOR,
        )
    return trust


def _listed(keys: Keys) -> list[str]:
    return lines(keys)[:LISTED_PROBLEMS]


def verify_signatures(config: TrainConfig) -> None:
    """Verify the signatures of the definition hash, and the chain; reads no file.

    Raises:
        IntegrityError: the definition hash is not signed by all who have to.
        RouteError: the chain of station signatures is not valid.
    """
    config.verify_definition_signatures()
    config.verify_chain()


def check_config_growth(config: TrainConfig, size: int) -> None:
    """Check that a configuration of `size` bytes stays small enough to read up to the last stop.

    Every stop gets an envelope and adds a signature, and the journal of a visit holds the old one.

    Raises:
        MalformedTrain: this train would get stuck on its way.
    """
    if config.result_hash is not None:
        return  # the first stop has checked it
    grown = size + sum(key.key_size // 2 + _LINK_BYTES for key in config.stations.values())
    if grown > CONFIG_BYTES * 3 // 4:
        raise MalformedTrain(
            "route-too-long",
            f"train_config.json would grow to {grown} bytes on its route, too much to be read",
            hint="have the train built for fewer stations or with smaller keys",
        )


def is_as_signed(
    config: TrainConfig, train: Path, leave_out: str, proceed: CheckStop = never_cancels
) -> bool:
    """Return whether the files in `train` are the plaintext that the user signed."""
    try:
        _check_entries(config, train, leave_out)
        _check_plain(config, train, proceed)
    except (PhtError, OSError):
        return False
    return True


def changes(config: TrainConfig, train: Path, leave_out: str, since: int) -> list[str]:
    """Return one line for each difference from the list, and for each file that was changed.

    There is one signed hash over all files, so their times have to tell which was changed.

    Args:
        config: the configuration.
        train: the folder.
        leave_out: a name in `train` that is not part of it.
        since: time in nanoseconds; files changed after it are listed.
    """
    listed = set(immutable_files(config, train))
    changed = [
        f"{entry.path} was changed"
        for entry in walk(train, leave_out=leave_out)
        if entry.path in listed and entry.has_contents and entry.stat.st_ctime_ns > since
    ]
    return [*_differences(config, train, leave_out), *changed][:LISTED_PROBLEMS]


def contents(config: TrainConfig, path: Path, key: bytes | None) -> Iterable[bytes]:
    """Yield the plaintext of an immutable file, which may be encrypted, in pieces.

    Raises:
        InvalidCiphertext: it is encrypted under another key or damaged; also while it is read.
    """
    if not config.encrypts_definition:
        return chunks(path)
    if key is None:
        raise InvalidCiphertext
    return transform(config.cipher.decryptor(key), chunks(path))


def _check_plain(config: TrainConfig, train: Path, proceed: CheckStop) -> None:
    if not _has_signed_hash(config, train, chunks, proceed):
        raise IntegrityError(
            "definition-changed",
            "the immutable files are not the ones that the user signed",
            hint="do not run this train; get the image again, or ask the user to submit it again"
            + ("; a host has to decrypt them before the run" if config.encrypts_definition else ""),
            files_differ=True,
        )


def _check_sealed(config: TrainConfig, train: Path, key: bytes | None, proceed: CheckStop) -> None:
    """Check encrypted files; a wrong key and forged files give the same error in the same time."""
    forged: list[str] = []

    def read(path: Path) -> Iterator[bytes]:
        try:
            yield from contents(config, path, key)
        except InvalidCiphertext:
            forged.append(path.relative_to(train).as_posix())

    if not _has_signed_hash(config, train, read, proceed) or forged:
        raise ResultsUnverified(train.name, forged[:LISTED_PROBLEMS])


def _has_signed_hash(config: TrainConfig, train: Path, read: _Read, proceed: CheckStop) -> bool:
    """Return whether the immutable files have the signed hash; `read` yields their plaintext."""

    def pieces(path: str) -> Iterator[bytes]:
        for piece in read(train / path):
            proceed()
            yield piece

    query = pieces(QUERY) if config.has_query(train) else None
    files = (pieces(path) for path in config.files)
    digest = immutable_hash(config.user_id, files, config.session_id, query)
    return bytes_eq(digest, config.definition_hash)


def check_own_entry(config: TrainConfig, station: str, key: PublicKey) -> None:
    """Check that the train names this station, with this station's key.

    Raises:
        RouteError: the train does not stop here, or not yet.
        SettingsError: the private key is not the one that the train was built for.
    """
    if station not in config.stations:
        problem, ids = not_on_route(config, station)
        raise RouteError("station-not-on-route", problem, hint=f"check STATION_ID; {ids}")
    if not same_key(config.stations[station], key):
        raise SettingsError(
            "own-key-mismatch",
            "the private key does not belong to the public key "
            f'of station "{station}" on this train',
            hint="use the key that the station registered, or have the train built again",
        )
    if not (config.awaits(station) or has_visited(config, station)):
        raise RouteError(
            "not-this-stops-turn",
            f'{len(config.visits)} stops have been made, and the next is not station "{station}"',
            hint="hand the train to the station that is next; pht inspect shows the route",
        )


def has_visited(config: TrainConfig, station: str) -> bool:
    """Return whether a station has signed the chain already."""
    return any(visit.station == station for visit in config.visits)


def unlisted(config: TrainConfig, train: Path, leave_out: str) -> list[str]:
    """Return the paths of unlisted files, which have to be removed before and after a run.

    Before the run these are compiled Python, since `verify` refuses everything else. After it they
    are files that the train has left, for which the next station would refuse it: published
    packages count the files, so they refuse compiled Python too.
    """
    listed = set(immutable_files(config, train))
    return [
        path
        for path, kind in _entries(config, train, leave_out)
        if kind is not Kind.DIRECTORY and path not in listed
    ]


def is_cache(path: str) -> bool:
    """Return whether a path in `pht_train` is that of compiled Python."""
    parts = path.split("/")
    return len(parts) > 1 and parts[-2] == "__pycache__" and path.endswith(".pyc")


def _check_entries(config: TrainConfig, train: Path, leave_out: str) -> None:
    """Check that all listed files are there, and no others but compiled Python.

    The user's signature covers listed files only, and an unlisted `numpy.py` would be imported in
    place of the package. Compiled Python is accepted since builders of honest trains leave it.
    """
    if problems := _differences(config, train, leave_out):
        raise MalformedTrain(
            "train-files-differ",
            "pht_train does not hold exactly the files of the signed list",
            hint="do not run this train; build it again with only the listed files",
            problems=problems[:LISTED_PROBLEMS],
            files_differ=True,
        )


def _differences(config: TrainConfig, train: Path, leave_out: str) -> list[str]:
    """Return one line for each file in `train` that is not listed, and for each missing one."""
    listed = set(immutable_files(config, train))
    present: set[str] = set()
    others: dict[str, Kind] = {}
    for path, kind in _entries(config, train, leave_out):
        if path in listed and kind is Kind.FILE:
            present.add(path)
        elif kind is not Kind.DIRECTORY and not (kind is Kind.FILE and is_cache(path)):
            others[path] = kind
    missing = {_composed(path): path for path in sorted(listed - present - others.keys())}
    problems = []
    for path, kind in others.items():
        if missing.pop(_composed(path), None) is None:
            problems.append(f"{path} is {_describe(kind)}")
        else:
            problems.append(
                f"{path} is listed in another Unicode form of this name: file systems of macOS, "
                "and some archives, change that"
            )
    return problems + [f"{path} is missing" for path in missing.values()]


def _composed(path: str) -> str:
    """Return the composed Unicode form (NFC) of a name."""
    return unicodedata.normalize("NFC", path)


def _entries(config: TrainConfig, train: Path, leave_out: str) -> Iterator[tuple[str, Kind]]:
    """Yield paths and kinds; a hard link counts as a file, since its contents are hashed.

    Not so where files travel encrypted: encrypting them one by one leaves no hard links. A symlink
    in the place of the folder has no entries: the next station would refuse it.
    """
    for entry in walk(train, leave_out=leave_out, missing_ok=True):
        linked = entry.kind is Kind.HARD_LINK and not config.encrypts_definition
        yield entry.path, Kind.FILE if linked else entry.kind


def _describe(kind: Kind) -> str:
    return "not in the signed list" if kind is Kind.FILE else f"a {kind.value}"
