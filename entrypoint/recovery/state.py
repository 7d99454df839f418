"""The state of a visit on disk (docs/crash-safety.md): phases, the journal, going back.

`train_config.json` is the only record. It holds either a complete configuration or the journal of
an unfinished visit, and it changes by atomic rename only.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.constant_time import bytes_eq

from entrypoint.crypto.mac import hmac_sha256
from entrypoint.errors import IntegrityError, MalformedTrain, SystemFailure
from entrypoint.files.attributes import Attributes, set_attributes
from entrypoint.limits import CONFIG_BYTES
from entrypoint.linux.disk import flush, flush_folder
from entrypoint.linux.remove import is_folder, remove
from entrypoint.model import Paths
from entrypoint.recovery.backup import BackupWriter
from entrypoint.recovery.work_folder import WorkFolder
from entrypoint.train_config import UNFINISHED
from entrypoint.train_config.fields import parse_json
from entrypoint.train_config.file import no_train, read_config_only, refuse_links

_TEXT = "a visit is under way or was interrupted; start this same container again to finish it"
_VERSION = 4
_LATER_BYTES = 4096  # more than a journal grows: by an envelope of 1024 bytes, two tags, in hex


class Phase(StrEnum):
    """How far an unfinished visit has come; docs/crash-safety.md says what is true in each."""

    OPENING = "opening"
    OPEN = "open"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    SEALING = "sealing"
    SPENT = "spent"


class SavedFile(NamedTuple):
    """A small file as it has arrived."""

    contents: bytes
    attributes: Attributes


class Journal(NamedTuple):
    """What the next start has to know about an unfinished visit.

    Attributes:
        phase: how far it has come.
        station: the id of the station that began it.
        session_id: of the train, hex.
        config: the old `train_config.json`, whole.
        attributes: of it; the train may change those of the file that it finds.
        backups: the trees that the visit opens, by name, and from `open` on the tag of what is
            kept of the old tree; None if there was no room to keep it.
        user_key: the old `user_sym_key.key`; None if there was none.
        key: the fresh symmetric key, wrapped for this station; from `sealing` on.
        public: fields of the configuration that a running train may read.
    """

    phase: Phase
    station: str
    session_id: str
    config: bytes
    attributes: Attributes
    backups: Mapping[str, bytes | None]
    user_key: SavedFile | None = None
    key: bytes | None = None
    public: Mapping[str, Any] = MappingProxyType({})


@contextmanager
def lock(paths: Paths) -> Iterator[None]:
    """Let only one visit at a time work on the train.

    Raises:
        MissingInput: there is no train here.
        SystemFailure: another process is at it.
    """
    try:
        folder = os.open(paths.opt, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        raise no_train(paths) from None
    try:
        if not paths.config.exists():
            raise no_train(paths)
        _lock(folder)
        yield
    finally:
        os.close(folder)


def _lock(folder: int) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemFailure(
            "visit-in-progress",
            "another process is visiting this train",
            hint="wait until it has ended; two visits of one train cannot run at a time",
            retry=True,
        ) from None


class VisitState:
    """Reads and changes the state of a visit; every change is durable when the method returns.

    Attributes:
        results: the work folder of the results.
        train: the work folder of the immutable files, for trains that encrypt them.
        journal: of the unfinished visit, if there is one.
    """

    def __init__(self, paths: Paths, journal_key: bytes) -> None:
        self._paths = paths
        self._key = journal_key
        self.journal: Journal | None = None
        self.results = WorkFolder(paths.results)
        self.train = WorkFolder(paths.train)

    def load(self) -> bytes | Journal:
        """Return the complete configuration, or the journal of the unfinished visit.

        Raises:
            MissingInput: there is no train.
            MalformedTrain: the file is not JSON.
            IntegrityError: the journal was not written with this station's key, or there is a link
                where going back will not put what is the train's own.
        """
        refuse_links(self._paths.config)
        data = read_config_only(self._paths)
        document = parse_json(data)
        if UNFINISHED in document:
            self.journal = self._decode(document)
        else:
            refuse_links(self._paths.user_key)
        if self.journal is None or self.journal.phase is Phase.SEALING:
            refuse_links(self._paths.train, self._paths.results)
        return self.journal or data

    def clear_waste(self) -> None:
        """Remove what a kill may leave beside a complete configuration."""
        for work in (self.results, self.train):
            work.remove()
        for path in (self._paths.config, self._paths.user_key):
            remove(_temporary(path))

    def begin(self, journal: Journal) -> None:
        """Mark the configuration as unfinished, then make the work folders: old → opening.

        Raises:
            MalformedTrain: the journal would be larger than what the next start reads.
        """
        if len(self._encode(journal)) > CONFIG_BYTES - _LATER_BYTES:
            raise MalformedTrain(
                "config-malformed",
                "train_config.json is too large to be kept in the journal of a visit",
                hint="this size serves nothing; have the train built again",
            )
        self._record(journal)
        for work in self._opened():
            work.make()

    def begun(self) -> Journal:
        """Return the journal of the unfinished visit; there has to be one."""
        if self.journal is None:
            raise ValueError("no visit has begun")
        return self.journal

    def enter(self, phase: Phase) -> None:
        """Record the next phase."""
        self._record(self.begun()._replace(phase=phase))

    def backing_up(self, work: WorkFolder) -> AbstractContextManager[BackupWriter]:
        """Give what keeps the old tree; its tag is for `open`."""
        return work.backing_up(self._key)

    def open(self, backups: Mapping[str, bytes | None]) -> None:
        """Record that the trees may be replaced: opening → open.

        Args:
            backups: for each of them the tag of what is kept of the old one, durable, or None.
        """
        self._record(self.begun()._replace(phase=Phase.OPEN, backups=backups))
        _reserve(self._paths.config)  # the train may leave no room to write how it has ended

    def wait(self) -> None:
        """Make the plaintext durable and leave it to the operator: open → waiting."""
        self._flush()  # nobody verifies it again before it is sealed
        self.enter(Phase.WAITING)

    def settle(self) -> None:
        """Make the results of the train durable, and remove what it may have planted beside."""
        for work in self._opened():
            work.clear()
        self._flush()

    def start_sealing(self, key: bytes) -> None:
        """Record the wrapped new key, and give up the old state: → sealing."""
        self._record(self.begun()._replace(phase=Phase.SEALING, key=key))
        for work in self._opened():
            work.remove()

    def go_back(self) -> bool:
        """Put the old state back from any phase before `sealing`; idempotent.

        Returns:
            Whether the old state is back. If an old tree could not be kept, the plaintext is
            removed instead and the journal says `spent`.
        """
        journal = self.begun()
        if journal.phase in (Phase.WAITING, Phase.SUCCEEDED):
            self.enter(Phase.OPEN)  # in which nobody seals what is put back only in part
        if journal.phase is not Phase.OPENING and not self._restore(journal.backups):
            self._scrub()
            return False
        for work in self._opened():
            work.clear()
        if journal.phase is not Phase.OPENING:  # the train may have run
            self._restore_user_key(journal.user_key)
        _replace(self._paths.config, journal.config, journal.attributes)
        self.clear_waste()
        self.journal = None
        return True

    def finish(self, config: bytes, user_envelope: bytes) -> None:
        """Commit: sealing → new. The configuration is renamed last."""
        self._flush()
        attributes = self.begun().attributes
        _replace(self._paths.user_key, user_envelope, attributes)
        for work in self._opened():
            work.remove()
        _replace(self._paths.config, config, attributes)

    def _restore(self, tags: Mapping[str, bytes | None]) -> bool:
        """Put all old trees back, or none: return False if one is not there as it was kept."""
        with ExitStack() as stack:
            found = []
            for work in self._opened():
                backup = work.open_backup(tags[work.name], self._key)
                if backup is None:
                    return False
                found.append((work, stack.enter_context(backup)))
            for work, backup in found:
                work.restore(backup)
        return True

    def _restore_user_key(self, saved: SavedFile | None) -> None:
        """Put the old envelope of the user back, whatever the train has put in its place."""
        remove(self._paths.user_key)  # first: the train may have filled the disk
        if saved:
            _put(self._paths.user_key, *saved)

    def _scrub(self) -> None:
        """Leave no plaintext where the old state cannot come back: → spent."""
        for work in self._opened():
            work.empty_tree()
            work.remove()
        self.enter(Phase.SPENT)

    def _opened(self) -> list[WorkFolder]:
        """Return the work folders of the trees that the unfinished visit opens."""
        backups = self.begun().backups
        return [work for work in (self.results, self.train) if work.name in backups]

    def _flush(self) -> None:
        for work in self._opened():
            flush(work.tree)

    def _record(self, journal: Journal) -> None:
        """Write the journal in place of the configuration.

        It counts from the rename on: without it the disk holds what was there before, and if only
        the flush behind it fails, the disk may hold either.
        """
        _put(self._paths.config, self._encode(journal), journal.attributes)
        self.journal = journal
        flush_folder(self._paths.opt)

    def _encode(self, journal: Journal) -> bytes:
        visit = _fields(journal)
        document = {UNFINISHED: _TEXT, "pht_visit": visit, "pht_mac": self._mac(visit)}
        return json.dumps({**document, **journal.public}, indent=2).encode()

    def _mac(self, visit: dict[str, Any]) -> str:
        canonical = json.dumps(visit, sort_keys=True, separators=(",", ":")).encode()
        return hmac_sha256(self._key, canonical).hex()

    def _decode(self, document: dict[str, Any]) -> Journal:
        visit, mac = document.get("pht_visit"), document.get("pht_mac")
        if (
            not isinstance(visit, dict)
            or not isinstance(mac, str)
            or not bytes_eq(self._mac(visit).encode(), mac.encode(errors="surrogatepass"))
        ):
            raise IntegrityError(
                "journal-forged",
                "the unfinished visit recorded here was not begun with this station's key",
                hint="start from the image again; never continue another station's container",
            )
        if visit["version"] != _VERSION:
            raise SystemFailure(
                "journal-of-other-version",
                "the unfinished visit was begun by another version of the runner",
                hint="finish it with the version that began it, or start from the image again",
            )
        # Authentic from here on: written by `_record`.
        known = {UNFINISHED, "pht_visit", "pht_mac"}
        return Journal(
            phase=Phase(visit["phase"]),
            station=visit["station"],
            session_id=visit["session_id"],
            config=visit["config"].encode(),
            attributes=Attributes(*visit["attributes"]),
            backups={name: _from_hex(tag) for name, tag in visit["backups"].items()},
            user_key=_to_file(visit["user_key"]),
            key=_from_hex(visit["key"]),
            public={name: value for name, value in document.items() if name not in known},
        )


def _fields(journal: Journal) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "phase": journal.phase,
        "station": journal.station,
        "session_id": journal.session_id,
        "config": journal.config.decode(),
        "attributes": journal.attributes,
        "backups": {name: _hex(tag) for name, tag in journal.backups.items()},
        "user_key": _from_file(journal.user_key),
        "key": _hex(journal.key),
    }


def _from_file(file: SavedFile | None) -> list[Any] | None:
    return [file.contents.hex(), *file.attributes] if file else None


def _to_file(fields: list[Any] | None) -> SavedFile | None:
    return SavedFile(bytes.fromhex(fields[0]), Attributes(*fields[1:])) if fields else None


def _hex(data: bytes | None) -> str | None:
    return data.hex() if data else None


def _from_hex(text: str | None) -> bytes | None:
    return bytes.fromhex(text) if text else None


def _temporary(path: Path) -> Path:
    return path.with_name(path.name + ".pht")


def _reserve(path: Path) -> None:
    """Take the room in which `path` can be replaced later, with some more in it."""
    temporary = _temporary(path)
    remove(temporary)
    # Random, or some file systems would find that they need no room for it.
    temporary.write_bytes(os.urandom(path.stat().st_size + _LATER_BYTES))


def _replace(path: Path, data: bytes, attributes: Attributes) -> None:
    """Give `path` new contents in one step, durably."""
    _put(path, data, attributes)
    flush_folder(path.parent)


def _put(path: Path, data: bytes, attributes: Attributes) -> None:
    temporary = _temporary(path)
    remove(temporary)  # of a killed run, or planted: a link would be written through
    if is_folder(path):  # made by the train
        remove(path)
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            set_attributes(file.fileno(), attributes)
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
