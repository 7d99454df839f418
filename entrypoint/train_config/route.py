"""The route generation: configurations of the published packages 2.0.x.

Source: docs/protocol.md, "Route generation".
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entrypoint.crypto import cbc
from entrypoint.crypto.digests import sha512
from entrypoint.crypto.envelopes import wrap
from entrypoint.crypto.file_cipher import FileCipher
from entrypoint.crypto.keys import BadKey, PrivateKey, PublicKey, public_pem
from entrypoint.crypto.paillier_key import PaillierKey, load_paillier_key, paillier_json
from entrypoint.crypto.signatures import is_pkcs1_signature, is_pss_signature, sign_pkcs1
from entrypoint.errors import IntegrityError, RouteError, UsageError
from entrypoint.files.strict_json import Document
from entrypoint.limits import IMAGE_ADDRESS, ROUTE_STOPS, SESSION_ID_BYTES, SHA512_BYTES
from entrypoint.model import QUERY, Visit
from entrypoint.train_config.fields import Fields
from entrypoint.train_config.interface import (
    Draft,
    Seal,
    chain_broken,
    first_stop_contradiction,
    user_signature_wrong,
    verify_pss_result_signature,
)

HAS_BUILDER = True
COMPARED_WITH_MASTER = True

_CIPHER = FileCipher(
    generate_key=cbc.generate_key,
    encryptor=cbc.encryptor,
    decryptor=cbc.decryptor,
    decrypts_ahead=True,
    sealed_bytes=cbc.sealed_bytes,
    peek_iv=cbc.peek_iv,
    head_bytes=cbc.HEAD_BYTES,
)

# References as Docker parses them (distribution/reference): HOST[:PORT]/PATH, and the tag.
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_ADDRESS = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*(?::[0-9]+)?/)?{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_ID = re.compile(r"(?:sha256:)?[a-f0-9]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stop:
    """An entry of the route; `visit` and `envelope` are None while they are null."""

    number: int
    station: str
    key: PublicKey | None
    visit: Visit | None
    envelope: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteConfig:
    """A configuration with a route; implements `TrainConfig`."""

    document: Document
    train_id: str
    user_id: str
    user_key: PublicKey
    builder_key: PublicKey
    session_id: bytes
    stations: Mapping[str, PublicKey]
    files: tuple[str, ...]
    definition_hash: bytes
    definition_signature: bytes
    build_signature: bytes
    visits: tuple[Visit, ...]
    envelopes: Mapping[str, bytes]
    user_envelope: bytes | None
    result_hash: bytes | None
    result_signature: bytes

    generation = "route"
    cipher = _CIPHER
    encrypts_definition = True

    def envelope(self, station: str) -> bytes | None:
        """Return the symmetric key wrapped for a station; in a new train only the first has one."""
        return self.envelopes.get(station)

    def has_query(self, train: Path) -> bool:
        """Return whether the folder has a query, which is hashed but not listed."""
        return os.path.lexists(train / QUERY)

    def awaits(self, station: str) -> bool:
        """Return whether it is this station's turn."""
        order = list(self.stations)
        return len(self.visits) < len(order) and order[len(self.visits)] == station

    def verify_definition_signatures(self) -> None:
        """Raise IntegrityError unless user (`signature`) and builder (`build.signature`) signed."""
        digest, signature = self.definition_hash, self.definition_signature
        if not is_pkcs1_signature(self.user_key, signature, digest):
            raise user_signature_wrong()
        if not is_pkcs1_signature(self.builder_key, self.build_signature, digest + signature):
            raise IntegrityError(
                "builder-signature-wrong",
                "the builder's signature does not belong to this train definition",
                hint="do not run this train; ask the user to have it built again",
            )

    def verify_chain(self) -> None:
        """Raise RouteError unless every stop signed its digest, and the newest digest is correct.

        Only the newest one can be recomputed, since it covers the result hash of its stop; it
        commits to all earlier ones.
        """
        for number, visit in enumerate(self.visits, start=1):
            if not is_pss_signature(self.stations[visit.station], visit.signature, visit.digest):
                raise chain_broken(number, visit.station)
        if self.visits and self.result_hash is not None:
            *earlier, newest = self.visits
            if newest.digest != self._digest(earlier, self.result_hash):
                raise chain_broken(len(self.visits), newest.station)

    def verify_result_signature(self) -> None:
        """Raise IntegrityError unless the last station signed `result_hash`."""
        verify_pss_result_signature(self)

    def next_digest(self, result_hash: bytes) -> bytes:
        """Return the digest for the next link."""
        return self._digest(self.visits, result_hash)

    def sealed(self, seal: Seal) -> Document:
        """Return the document after this visit; all other fields are unchanged."""
        return {
            **self.document,
            "creator": {**self.document["creator"], "encrypted_key": seal.user_envelope.hex()},
            "route": [_sealed_entry(entry, seal) for entry in self.document["route"]],
            "result_hash": seal.result_hash.hex(),
            "result_signature": seal.result_signature.hex(),
        }

    @property
    def paillier_key(self) -> PaillierKey | None:
        """The key for encrypted numbers, whose field is hex of its JSON form."""
        try:
            return load_paillier_key(bytes.fromhex(self.document["creator"]["paillier_public_key"]))
        except (KeyError, TypeError, ValueError, BadKey):
            return None

    def public_fields(self) -> Document:
        """Return the field that a running train reads: the public key for its counts."""
        key = self.document["creator"].get("paillier_public_key")
        return {"creator": {"paillier_public_key": key}}

    def _digest(self, earlier: Sequence[Visit], result_hash: bytes) -> bytes:
        before = [visit.digest for visit in earlier] or [self.session_id]
        return sha512(*before, result_hash)


def read(document: Document) -> RouteConfig:
    """Check every field of a document with a route.

    Raises:
        MalformedTrain: fields are bad; the error lists all of them.
        RouteError: the document is before its first stop in some fields and after it in others, a
            stop was skipped, or one has no envelope.
    """
    with Fields.collecting(document) as fields:
        creator, build = fields.section("creator"), fields.section("build")
        stops = _stops(fields)
        values: dict[str, Any] = {
            "train_id": fields.identifier("@id"),
            "user_id": creator.identifier("id"),
            "user_key": creator.public_key("rsa_public_key"),
            "builder_key": build.public_key("rsa_public_key"),
            "session_id": fields.hex("session_id", SESSION_ID_BYTES),
            "stations": {stop.station: stop.key for stop in stops},
            "files": _files(fields),
            "definition_hash": fields.hex("hash", SHA512_BYTES),
            "definition_signature": fields.hex("signature"),
            "build_signature": build.hex("signature"),
            "visits": tuple(stop.visit for stop in stops if stop.visit),
            "envelopes": {stop.station: stop.envelope for stop in stops if stop.envelope},
            "user_envelope": creator.hex_or_null("encrypted_key"),
            "result_hash": fields.hex_or_null("result_hash", SHA512_BYTES),
            "result_signature": fields.hex_or_null("result_signature") or b"",
        }
    config = RouteConfig(document=document, **values)
    _check_first_stop(config)
    _check_order(stops)
    return config


def new_train(
    draft: Draft, user: PrivateKey, builder: PrivateKey | None
) -> tuple[Document, bytes | None]:
    """Return the signed document of a new train, and its first symmetric key.

    Raises:
        UsageError: there is no builder's key, or the master image is not given by name and tag.
    """
    if builder is None:
        raise UsageError(
            "builder-key-missing",
            "trains of the route generation are signed by a builder too",
            hint="give --builder-key, made by `pht keygen`, or build with --generation flat",
            by="author",
        )
    key = cbc.generate_key()
    signature = sign_pkcs1(user, draft.definition_hash)
    document = {
        "source": _source(draft.master_image),
        "creator": {
            "id": draft.user_id,
            "rsa_public_key": public_pem(user.public_key()).hex(),
            "paillier_public_key": _paillier_hex(draft.paillier_key),
            "encrypted_key": None,
        },
        "proposal_id": draft.proposal_id,
        "@id": draft.train_id,
        "@context": {"link": "https://www.w3.org/2018/credentials/v1"},
        "session_id": draft.session_id.hex(),
        "route": _new_route(draft, key),
        "file_list": [path for path in draft.file_list if path != QUERY],
        "hash": draft.definition_hash.hex(),
        "signature": signature.hex(),
        "build": {
            "signature": sign_pkcs1(builder, draft.definition_hash + signature).hex(),
            "rsa_public_key": public_pem(builder.public_key()).hex(),
        },
        "result_hash": None,
        "result_signature": None,
    }
    return document, key


def _paillier_hex(key: PaillierKey | None) -> str | None:
    return None if key is None else paillier_json(key).hex()


def _source(image: str) -> Document:
    """Return the source of the image, with one of the two types that published readers accept.

    Published stations pull ADDRESS:TAG and compare the train with it.

    Raises:
        UsageError: the image is not given by name and tag.
    """
    address, tag = _split_reference(image) if image else ("", None)
    return {"type": "docker_repository", "address": address, "tag": tag, "branch": None}


def _split_reference(image: str) -> tuple[str, str]:
    """Return the address and the tag of an image; a registry's port is not a tag."""
    address, tag = image, "latest"
    if ":" in image.rpartition("/")[2]:
        address, _, tag = image.rpartition(":")
    if "@" in image:
        raise _unsuitable(image, "has a digest")
    if _ID.fullmatch(image):
        raise _unsuitable(image, "is the id of an image, not its name")
    if not (_ADDRESS.fullmatch(address) and len(address) <= IMAGE_ADDRESS and _TAG.fullmatch(tag)):
        raise _unsuitable(image, "is not the name of an image")
    return address, tag


def _unsuitable(image: str, problem: str) -> UsageError:
    return UsageError(
        "master-image-unsuitable",
        f"{image!r} {problem}",
        hint="give it as REGISTRY/NAME:VERSION, with a NAME in lower case; published stations pull "
        "the master image by its name and tag, and can neither use a digest nor a URL",
        by="author",
    )


def _new_route(draft: Draft, key: bytes) -> list[Document]:
    """Return the entries of an unvisited route; only the first stop gets the symmetric key."""
    return [
        {
            "station": station,
            "eco_system": "tue",  # published readers accept two values, which mean nothing here
            "rsa_public_key": public_pem(public).hex(),
            "index": index,
            "signature": None,
            "encrypted_key": None if index else wrap(public, key).hex(),
        }
        for index, (station, public) in enumerate(draft.stations.items())
    ]


def _files(fields: Fields) -> tuple[str, ...]:
    files = fields.file_list("file_list")
    if QUERY in files:
        fields.note("file_list", f"names {QUERY}, which is hashed without being listed")
    return files


def _stops(fields: Fields) -> list[_Stop]:
    """Return the stops in the order of their visits."""
    stops = [_stop(entry) for entry in fields.sections("route", ROUTE_STOPS)]
    stops.sort(key=lambda stop: stop.number)
    if not stops:
        fields.note("route", "names no station")
    if [stop.number for stop in stops] != list(range(len(stops))):
        fields.note("route", f"does not have exactly the indexes 0 to {len(stops) - 1}")
    if len({stop.station for stop in stops}) < len(stops):
        fields.note("route", "names a station twice")
    return stops


def _stop(entry: Fields) -> _Stop:
    station = entry.identifier("station")
    visit = None
    if not entry.is_null("signature"):
        slot = entry.section("signature")
        visit = Visit(
            station=station,
            signature=slot.hex("signature"),
            digest=slot.hex("digest", SHA512_BYTES),
        )
    return _Stop(
        number=entry.whole_number("index"),
        station=station,
        key=entry.public_key("rsa_public_key"),
        visit=visit,
        envelope=entry.hex_or_null("encrypted_key"),
    )


def _check_first_stop(config: RouteConfig) -> None:
    """Refuse a document that is before its first stop in some fields and after it in others."""
    visited = bool(config.visits)
    present = {config.result_hash is not None, bool(config.result_signature), visited}
    if len(present) > 1 or (visited and config.user_envelope is None):
        raise first_stop_contradiction()


def _check_order(stops: Sequence[_Stop]) -> None:
    """Check that no stop was skipped, and that every stop that needs an envelope has one."""
    visited = [stop.visit is not None for stop in stops]
    if visited != sorted(visited, reverse=True):  # stops that have signed come first
        passed_over = stops[visited.index(False)].station
        raise RouteError(
            "stop-passed-over",
            f'a later stop has signed, but station "{passed_over}" has not',
            hint="do not run this train; get the image again, or tell the user",
            by="user",
        )
    for stop in stops if any(visited) else stops[:1]:
        if stop.envelope is None:
            raise RouteError(
                "envelope-missing",
                f'the symmetric key was not wrapped for station "{stop.station}"',
                hint="do not run this train; get the image again, or tell the last station",
                by="user",
            )


def _sealed_entry(entry: Document, seal: Seal) -> Document:
    """Return an entry of the route with its new envelope and, for this station, its signature."""
    station = str(entry["station"])
    sealed = {**entry, "encrypted_key": seal.envelopes[station].hex()}
    if station == seal.visit.station:
        visit = seal.visit
        sealed["signature"] = {"digest": visit.digest.hex(), "signature": visit.signature.hex()}
    return sealed
