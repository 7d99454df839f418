"""The ledger: the state in which each train has boarded last at this station.

Each session id has an entry of its own, a small file that is replaced in one step and durably: a
kill or a full disk leaves the old entry or the new one. Its name is a hash of the session id, since
no path is built from what a train says. Visits share the folder, one at a time.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from entrypoint.crypto.digests import sha512
from entrypoint.errors import RouteError, SettingsError, StorageError
from entrypoint.files.attributes import Attributes
from entrypoint.files.bounded import read_bounded
from entrypoint.files.strict_json import parse_json
from entrypoint.limits import LEDGER_ENTRY_BYTES
from entrypoint.linux import durable
from entrypoint.linux.user import this_user
from entrypoint.train_config import TrainConfig

SHORT_ID = 16
"""Number of hex digits by which people name a session id, or the file of an entry."""

_SUFFIX = ".json"
_FILE = re.compile(r"[0-9a-f]{128}\.json")
"""Name of an entry. Copies that people have made beside it have others."""

_LOCK = "lock"
_SHOWN_CHARACTERS = 200
"""Length to which ids of trains are cut: they are there for people, and can have megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The state in which a train boards.

    Attributes:
        session: its session id, in hex.
        train: its id, which may be cut.
        definition: the hash of its definition, in hex.
        stops: the number of stops that it had made.
        link: the hash of the last of these and of its signature, in hex; empty before the first
            stop.
        state: the hash of these two and of the results.
        boarded: the time in UTC, as in ISO 8601.
    """

    session: str
    train: str
    definition: str
    stops: int
    link: str
    state: str
    boarded: str

    @classmethod
    def of(cls, config: TrainConfig) -> "Entry":
        """Return the entry of a train that boards now."""
        return cls(
            session=config.session_id.hex(),
            train=config.train_id[:_SHOWN_CHARACTERS],
            definition=config.definition_hash.hex(),
            stops=len(config.visits),
            link=_link(config, len(config.visits)),
            state=_state(config),
            boarded=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )


class Ledger:
    """The entries in a folder that the station keeps.

    Args:
        folder: its path; `settings.ledger_folder` has checked it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep all other processes from changing entries.

        Raises:
            StorageError: the lock cannot be made or taken.
        """
        with self._writing():
            # Writable, since a lock on a network share needs that.
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            lock = os.open(self._folder / _LOCK, flags, 0o600)
        try:
            with self._writing():
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def replay(self, config: TrainConfig) -> RouteError | None:
        """Return the error for a train whose state contradicts its entry, or None.

        The same state does not, since it comes again when a push was lost; nor do more stops that
        continue it.

        Raises:
            SettingsError: its entry is damaged.
        """
        before, now = self._find(config), Entry.of(config)
        if before is None:
            return None
        if now.definition != before.definition:
            return _refused(
                before,
                "session-reused",
                f'train "{before.train}" boarded here at {before.boarded} under the same session '
                "id, with another definition",
            )
        if now.stops < before.stops:
            return _refused(
                before,
                "older-state",
                f"the number of stops that this train has made is {now.stops}, but was "
                f"{before.stops} when it boarded here at {before.boarded}",
            )
        continues = _link(config, before.stops) == before.link
        if not continues or (now.stops == before.stops and now.state != before.state):
            return _refused(
                before,
                "forked-state",
                f"this train boarded here at {before.boarded}, after stop {before.stops} with "
                "other results or another signature of them",
            )
        return None

    def has(self, config: TrainConfig) -> bool:
        """Return whether the entry of a train says that it has boarded in this very state.

        Raises:
            SettingsError: the entry is damaged.
        """
        before, now = self._find(config), Entry.of(config)
        return before is not None and (before.definition, before.state) == (
            now.definition,
            now.state,
        )

    def record(self, config: TrainConfig) -> None:
        """Replace the entry of a train that boards; needs the lock.

        Raises:
            StorageError: that fails; the entry is the old one, or the new one if only the last
                flush has failed.
        """
        entry = Entry.of(config)
        data = json.dumps({"version": 1, **asdict(entry)}).encode() + b"\n"
        own = Attributes(0o600, os.getuid(), os.getgid())
        with self._writing():
            durable.replace(self._path(entry.session), data, own)

    def files(self) -> list[Path]:
        """Return the files of all entries, sorted; not those that no visit looks for."""
        return sorted(path for path in self._folder.iterdir() if _FILE.fullmatch(path.name))

    def read(self, path: Path) -> Entry:
        """Return the entry in one of these files.

        Raises:
            SettingsError: it is damaged, or this user may not read it.
            FileNotFoundError: it was forgotten meanwhile.
        """
        try:
            entry = _parse(read_bounded(path, LEDGER_ENTRY_BYTES))
            if path == self._path(entry.session):
                return entry
            reason = "it belongs to another name"
        except FileNotFoundError:
            raise
        except PermissionError:
            raise SettingsError(
                "ledger-unusable",
                f"{this_user()} may not read {path}",
                hint="let the same user make all visits that share this ledger, or change the "
                "owner of its files on the host",
            ) from None
        except OSError as error:
            reason = (error.strerror or "it is unreadable").lower()
        except ValueError:
            reason = "it has another form"
        name = path.stem[:SHORT_ID]
        raise SettingsError(
            "ledger-damaged",
            f"{path} is no entry of the ledger: {reason}",
            hint="bring it back from a backup; or forget it, and with it what this train has shown "
            f"here: pht ledger --forget {name}",
        )

    def forget(self, path: Path) -> None:
        """Remove the file of an entry; needs the lock.

        Raises:
            StorageError: that fails.
        """
        with self._writing():
            path.unlink(missing_ok=True)
            durable.flush_folder(self._folder)

    def _find(self, config: TrainConfig) -> Entry | None:
        try:
            return self.read(self._path(config.session_id.hex()))
        except FileNotFoundError:
            return None

    def _path(self, session: str) -> Path:
        return self._folder / (sha512(bytes.fromhex(session)).hex() + _SUFFIX)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                "ledger-not-written",
                f"the ledger in {self._folder} cannot be written: "
                f"{(error.strerror or 'it refuses').lower()}",
                hint="free space on its disk, repair it, or let this user change its files; then "
                "start again",
                retry=True,
            ) from None


def _link(config: TrainConfig, stops: int) -> str:
    """Return a hash of the last link of so many stops, and of its signature.

    The digest of a link alone does not tell all forks apart: that of a flat train binds nothing but
    the signature before it.
    """
    if stops == 0:
        return ""
    last = config.visits[stops - 1]
    return sha512(last.digest, last.signature).hex()


def _state(config: TrainConfig) -> str:
    """Return a hash of the newest link, of its signature and of the results."""
    if not config.visits:
        return ""
    newest = config.visits[-1]
    return sha512(newest.digest, newest.signature, config.result_hash or b"").hex()


def _parse(data: bytes) -> Entry:
    """Return what `Ledger.record` has written; raise ValueError for anything else."""
    match parse_json(data, max_depth=1):
        case {
            "version": 1,
            "session": str(session),
            "train": str(train),
            "definition": str(definition),
            "stops": int(stops),
            "link": str(link),
            "state": str(state),
            "boarded": str(boarded),
        }:
            return Entry(
                session=session,
                train=train,
                definition=definition,
                stops=stops,
                link=link,
                state=state,
                boarded=boarded,
            )
    raise ValueError("another form")


def _refused(before: Entry, code: str, problem: str) -> RouteError:
    return RouteError(
        code,
        problem,
        hint="do not run it: get the newest image of this train, or ask its user. If what comes "
        "now is right, forget what came before: pht ledger --forget "
        f"{before.session[:SHORT_ID]}; then start again",
    )
