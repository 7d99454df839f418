"""The journal of an unfinished visit, which stands in `train_config.json` meanwhile.

Its MAC is made with a key that only this station can derive; docs/crash-safety.md shows the form.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.constant_time import bytes_eq

from entrypoint.crypto.mac import hmac_sha256
from entrypoint.errors import IntegrityError, SystemFailure
from entrypoint.files.attributes import Attributes, Owner
from entrypoint.files.strict_json import Document
from entrypoint.train_config import UNFINISHED
from entrypoint.train_config.fields import parse_json

_TEXT = "a visit is under way or was interrupted; start this same container again to finish it"
_VISIT, _MAC = "pht_visit", "pht_mac"
_VERSION = 6


class Phase(StrEnum):
    """Progress of an unfinished visit (docs/crash-safety.md, "Phases").

    SPENT: the old state is lost and the plaintext removed, so only the image is a way on.
    """

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
    """Everything that the next start has to know about an unfinished visit.

    Attributes:
        phase: its progress.
        station: the id of the station that began it.
        session_id: of the train, hex.
        config: the old `train_config.json`, whole.
        attributes: of the old `train_config.json`; the train may change those of the file.
        places: attributes of other files and folders as they have arrived (recovery/ownership.py).
        train: user and group of the train's process, None if it has those of the runner.
        backups: the names of the trees that the visit opens, from `open` on with the MAC of the
            backup of the old tree; None if there is no backup, for lack of space.
        user_key: the old `user_sym_key.key`; None if there was none.
        key: the fresh symmetric key, wrapped for this station; from `sealing` on.
        public: fields of the configuration that a running train may read; not authenticated.
    """

    phase: Phase
    station: str
    session_id: str
    config: bytes
    attributes: Attributes
    places: Mapping[str, Attributes]
    train: Owner | None
    backups: Mapping[str, bytes | None]
    user_key: SavedFile | None = None
    key: bytes | None = None
    public: Mapping[str, Any] = MappingProxyType({})

    def encode(self, key: bytes) -> bytes:
        """Return the contents of `train_config.json` that hold this journal.

        Args:
            key: 32 bytes that only this station can derive.
        """
        visit = _fields(self)
        document = {UNFINISHED: _TEXT, _VISIT: visit, _MAC: _mac(visit, key)}
        return json.dumps({**document, **self.public}, indent=2).encode()

    @classmethod
    def decode(cls, data: bytes, key: bytes) -> "Journal | None":
        """Return the journal in `train_config.json`, None if that holds a configuration.

        Args:
            data: the contents of the file.
            key: the one with which the journal was encoded.

        Raises:
            MalformedTrain: the file is not JSON.
            IntegrityError: the journal was encoded with another key, or changed since.
            SystemFailure: it is of another version of this program.
        """
        document = parse_json(data)
        if UNFINISHED not in document:
            return None
        visit = _authentic(document, key)
        if visit["version"] != _VERSION:
            raise SystemFailure(
                "journal-of-other-version",
                "the unfinished visit was begun by another version of the runner",
                hint="finish it with the version that began it, or start from the image again",
            )
        return cls(
            phase=Phase(visit["phase"]),
            station=visit["station"],
            session_id=visit["session_id"],
            config=visit["config"].encode(),
            attributes=Attributes(*visit["attributes"]),
            places={path: Attributes(*place) for path, place in visit["places"].items()},
            train=_to_owner(visit["train"]),
            backups={name: _from_hex(tag) for name, tag in visit["backups"].items()},
            user_key=_to_file(visit["user_key"]),
            key=_from_hex(visit["key"]),
            public={
                name: value
                for name, value in document.items()
                if name not in (UNFINISHED, _VISIT, _MAC)
            },
        )


def _authentic(document: Document, key: bytes) -> dict[str, Any]:
    """Return the authenticated part of a journal."""
    visit, mac = document.get(_VISIT), document.get(_MAC)
    if (
        not isinstance(visit, dict)
        or not isinstance(mac, str)
        or not bytes_eq(_mac(visit, key).encode(), mac.encode(errors="surrogatepass"))
    ):
        raise IntegrityError(
            "journal-forged",
            "the unfinished visit recorded here was not begun with this station's key",
            hint="start from the image again; never continue another station's container",
        )
    return visit


def _mac(visit: dict[str, Any], key: bytes) -> str:
    canonical = json.dumps(visit, sort_keys=True, separators=(",", ":")).encode()
    return hmac_sha256(key, canonical).hex()


def _fields(journal: Journal) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "phase": journal.phase,
        "station": journal.station,
        "session_id": journal.session_id,
        "config": journal.config.decode(),
        "attributes": journal.attributes,
        "places": dict(journal.places),
        "train": journal.train,
        "backups": {name: _hex(tag) for name, tag in journal.backups.items()},
        "user_key": _from_file(journal.user_key),
        "key": _hex(journal.key),
    }


def _from_file(file: SavedFile | None) -> list[Any] | None:
    return [file.contents.hex(), *file.attributes] if file else None


def _to_file(fields: list[Any] | None) -> SavedFile | None:
    return SavedFile(bytes.fromhex(fields[0]), Attributes(*fields[1:])) if fields else None


def _to_owner(fields: list[int] | None) -> Owner | None:
    return (fields[0], fields[1]) if fields else None


def _hex(data: bytes | None) -> str | None:
    return data.hex() if data else None


def _from_hex(text: str | None) -> bytes | None:
    return bytes.fromhex(text) if text else None
