"""The flat generation: configurations of the published packages 0.9.0 and 1.0.x.

Source: docs/protocol.md, "Flat generation".
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from entrypoint.crypto import fernet
from entrypoint.crypto.cipher import Cipher
from entrypoint.crypto.digests import sha512
from entrypoint.crypto.keys import PublicKey
from entrypoint.crypto.signatures import is_pss_signature
from entrypoint.errors import IntegrityError, RouteError
from entrypoint.limits import SESSION_ID_BYTES
from entrypoint.model import QUERY, Visit
from entrypoint.train_config.fields import Document, Fields
from entrypoint.train_config.interface import Seal, results_unverified

MARKS = frozenset(
    {"e_h", "e_h_sig", "e_d", "e_d_sig", "digital_signature", "rsa_public_keys"}
    | {"immutable_file_list", "rsa_user_public_key"}
)
"""Fields that only this generation has."""

_CIPHER = Cipher(
    fernet.generate_key, fernet.encryptor, fernet.decryptor, fernet.peek_iv, fernet.HEAD_BYTES
)
_SHA512_BYTES = 64
_RESULT_FIELDS = ("encrypted_key", "e_d", "e_d_sig", "digital_signature")


@dataclass(frozen=True)
class FlatConfig:
    """A flat configuration; implements `TrainConfig`."""

    document: Document
    train_id: str
    user_id: str
    user_key: PublicKey
    session_id: bytes
    stations: Mapping[str, PublicKey]
    files: tuple[str, ...]
    has_query: bool
    definition_hash: bytes
    definition_signature: bytes
    visits: tuple[Visit, ...]
    envelopes: Mapping[str, bytes]
    user_envelope: bytes | None
    result_hash: bytes | None
    result_signature: bytes

    generation = "flat"
    cipher = _CIPHER

    def envelope(self, station: str) -> bytes:
        """Return the symmetric key as wrapped for a station; only after the first stop."""
        return self.envelopes[station]

    def verify_user_signature(self) -> None:
        """Raise IntegrityError unless the user signed the definition hash (`e_h_sig`)."""
        if not is_pss_signature(self.user_key, self.definition_signature, self.definition_hash):
            raise IntegrityError(
                "user-signature-wrong",
                "the user's signature does not belong to this train definition",
                hint="do not run this train; ask the user to submit it again",
            )

    def verify_chain(self) -> None:
        """Raise RouteError unless every link signs the digest that its place demands.

        Every digest is computed anew: a signature of this station on something else, or a link of
        another train, does not pass.
        """
        for number, visit in enumerate(self.visits, start=1):
            expected = self._digest_after(number - 1)
            key = self.stations[visit.station]
            if visit.digest != expected or not is_pss_signature(key, visit.signature, expected):
                raise RouteError(
                    "chain-broken",
                    f"the signature of stop {number}, station {visit.station}, is not valid",
                    hint="do not run this train; get the image again, or tell that station",
                    by="user",
                )

    def verify_result_signature(self) -> None:
        """Raise IntegrityError unless the last station signed the result hash (`e_d_sig`)."""
        if self.result_hash is None:
            return
        last = self.stations[self.visits[-1].station]
        if not is_pss_signature(last, self.result_signature, self.result_hash):
            raise results_unverified()

    def next_digest(self, result_hash: bytes) -> bytes:
        """Return the digest for the next link; this generation does not bind the results in it."""
        return self._digest_after(len(self.visits))

    def sealed(self, seal: Seal) -> Document:
        """Return the document of the next stage, every other field as it came."""
        visit = seal.visit
        link = {"station": visit.station, "sig": [visit.signature.hex(), visit.digest.hex()]}
        return {
            **self.document,
            "encrypted_key": {name: key.hex() for name, key in seal.envelopes.items()},
            "e_d": seal.result_hash.hex(),
            "e_d_sig": seal.result_signature.hex(),
            "digital_signature": [*(self.document.get("digital_signature") or []), link],
            "user_encrypted_sym_key": seal.user_envelope.hex(),
        }

    def public_fields(self) -> Document:
        """Return the field that a running train reads: the key it encrypts counts for."""
        return {"user_he_key": self.document.get("user_he_key")}

    def _digest_after(self, count: int) -> bytes:
        return sha512(self.visits[count - 1].signature if count else self.session_id)


def read(document: Document) -> FlatConfig:
    """Check every field of a flat document.

    Raises:
        MalformedTrain: with all bad fields at once.
        RouteError: the document is before and after its first stop at once.
    """
    with Fields.collecting(document) as fields:
        stations = _stations(fields)
        file_list = fields.file_list("immutable_file_list")
        values = {
            "train_id": fields.identifier("train_id"),
            "user_id": fields.identifier("user_id"),
            "user_key": fields.public_key("rsa_user_public_key"),
            "session_id": fields.hex("session_id", SESSION_ID_BYTES),
            "stations": stations,
            "files": tuple(path for path in file_list if path != QUERY),
            "has_query": QUERY in file_list,
            "definition_hash": fields.hex("e_h", _SHA512_BYTES),
            "definition_signature": fields.hex("e_h_sig"),
            **_results(fields, stations),
        }
    config = FlatConfig(document=document, **values)
    _check_first_stop(config)
    return config


def initial_document(
    *,
    master_image: str,
    user_id: str,
    train_id: str,
    proposal_id: str,
    session_id: bytes,
    user_key_pem: bytes,
    station_key_pems: Mapping[str, bytes],
    file_list: Sequence[str],
    definition_hash: bytes,
    definition_signature: bytes,
) -> Document:
    """Return the document of a train that has not visited any station."""
    return {
        "master_image": master_image,
        "user_id": user_id,
        "train_id": train_id,
        "session_id": session_id.hex(),
        "rsa_user_public_key": user_key_pem.hex(),
        "encrypted_key": None,
        "rsa_public_keys": {station: pem.hex() for station, pem in station_key_pems.items()},
        "e_h": definition_hash.hex(),
        "e_h_sig": definition_signature.hex(),
        "e_d": None,
        "e_d_sig": None,
        "digital_signature": None,
        "proposal_id": proposal_id,
        "user_he_key": None,
        "immutable_file_list": list(file_list),
    }


def encode(document: Document) -> bytes:
    """Return a document as the published packages write it into a container."""
    return json.dumps(document, indent=2).encode()


def _stations(fields: Fields) -> dict[str, PublicKey]:
    keys = {
        station: fields.public_key_value(f"rsa_public_keys.{station}", pem)
        for station, pem in fields.object("rsa_public_keys").items()
    }
    if not keys:
        fields.note("rsa_public_keys", "names no station")
    return {station: key for station, key in keys.items() if key is not None}


def _results(fields: Fields, stations: Mapping[str, PublicKey]) -> dict[str, Any]:
    """Read what is null before the first stop, each field by itself."""
    missing = [name for name in _RESULT_FIELDS if fields.is_null(name)]
    return {
        "envelopes": {} if "encrypted_key" in missing else _envelopes(fields, stations),
        "result_hash": None if "e_d" in missing else fields.hex("e_d", _SHA512_BYTES),
        "result_signature": b"" if "e_d_sig" in missing else fields.hex("e_d_sig"),
        "visits": () if "digital_signature" in missing else _visits(fields, stations),
        "user_envelope": None
        if fields.is_null("user_encrypted_sym_key")
        else fields.hex("user_encrypted_sym_key"),
    }


def _envelopes(fields: Fields, stations: Mapping[str, PublicKey]) -> dict[str, bytes]:
    envelopes = fields.object("encrypted_key")
    if envelopes.keys() != stations.keys():
        fields.note("encrypted_key", "does not have exactly the stations of rsa_public_keys")
    return {
        station: fields.hex_value(f"encrypted_key.{station}", value)
        for station, value in envelopes.items()
    }


def _visits(fields: Fields, stations: Mapping[str, PublicKey]) -> tuple[Visit, ...]:
    visits = []
    for number, link in enumerate(fields.array("digital_signature"), start=1):
        name = f"digital_signature entry {number}"
        match link:
            case {"station": str(station), "sig": [signature, digest]} if station in stations:
                signature = fields.hex_value(f"{name} signature", signature)
                digest = fields.hex_value(f"{name} digest", digest, _SHA512_BYTES)
                visits.append(Visit(station, signature, digest))
            case _:
                fields.note(name, "is not a signature of one of the train's stations")
    return tuple(visits)


def _check_first_stop(config: FlatConfig) -> None:
    """Refuse a document that is null in one place and not in another.

    Older readers take a null `e_d` as "first stop" and skip every check of the results.
    """
    present = (
        bool(config.envelopes),
        config.result_hash is not None,
        bool(config.result_signature),
        bool(config.visits),
        config.user_envelope is not None,
    )
    if len(set(present)) > 1:
        raise RouteError(
            "first-stop-contradiction",
            "train_config.json is before its first stop in some fields and after it in others",
            hint="do not run this train; get the image again, or tell the user",
            by="user",
        )
