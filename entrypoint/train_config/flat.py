"""The flat generation: configurations of the published packages 0.9.0 and 1.0.x.

Source: docs/protocol.md, "Flat generation".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entrypoint.crypto import fernet
from entrypoint.crypto.digests import sha512
from entrypoint.crypto.file_cipher import FileCipher
from entrypoint.crypto.keys import BadKey, PrivateKey, PublicKey, public_pem
from entrypoint.crypto.paillier_key import PaillierKey, decimal, simple_key
from entrypoint.crypto.signatures import is_pss_signature, sign_pss
from entrypoint.errors import UsageError
from entrypoint.files.strict_json import Document
from entrypoint.limits import SESSION_ID_BYTES, SHA512_BYTES
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

HAS_BUILDER = False
COMPARED_WITH_MASTER = False

_CIPHER = FileCipher(
    generate_key=fernet.generate_key,
    encryptor=fernet.encryptor,
    decryptor=fernet.decryptor,
    decrypts_ahead=False,
    sealed_bytes=fernet.sealed_bytes,
    peek_iv=fernet.peek_iv,
    head_bytes=fernet.HEAD_BYTES,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatConfig:
    """A flat configuration; implements `TrainConfig`."""

    document: Document
    train_id: str
    user_id: str
    user_key: PublicKey
    session_id: bytes
    stations: Mapping[str, PublicKey]
    files: tuple[str, ...]
    lists_query: bool
    definition_hash: bytes
    definition_signature: bytes
    visits: tuple[Visit, ...]
    envelopes: Mapping[str, bytes]
    user_envelope: bytes | None
    result_hash: bytes | None
    result_signature: bytes

    generation = "flat"
    cipher = _CIPHER
    encrypts_definition = False
    builder_key = None

    def envelope(self, station: str) -> bytes | None:
        """Return the symmetric key wrapped for a station, or None before the first stop."""
        return self.envelopes.get(station)

    def has_query(self, train: Path) -> bool:
        """Return whether the query is among the listed files."""
        return self.lists_query

    def awaits(self, station: str) -> bool:
        """Return whether the station has not signed yet; this generation has no order of stops."""
        return all(visit.station != station for visit in self.visits)

    def verify_definition_signatures(self) -> None:
        """Raise IntegrityError unless the user signed the definition hash (`e_h_sig`)."""
        if not is_pss_signature(self.user_key, self.definition_signature, self.definition_hash):
            raise user_signature_wrong()

    def verify_chain(self) -> None:
        """Raise RouteError unless every link validly signs the digest for its position.

        The digests are recomputed, which does not prove for which train a station has signed them
        (docs/protocol.md, "Signatures").
        """
        for number, visit in enumerate(self.visits, start=1):
            expected = self._digest_after(number - 1)
            key = self.stations[visit.station]
            if visit.digest != expected or not is_pss_signature(key, visit.signature, expected):
                raise chain_broken(number, visit.station)

    def verify_result_signature(self) -> None:
        """Raise IntegrityError unless the last station signed the result hash (`e_d_sig`)."""
        verify_pss_result_signature(self)

    def next_digest(self, result_hash: bytes) -> bytes:
        """Return the digest for the next link; in this generation it does not cover the results."""
        return self._digest_after(len(self.visits))

    def sealed(self, seal: Seal) -> Document:
        """Return the document after this visit; all other fields are unchanged."""
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

    @property
    def paillier_key(self) -> PaillierKey | None:
        """The key for encrypted numbers, of which this generation has only n."""
        try:
            return simple_key(decimal(str(self.document["user_he_key"]), "n"))
        except (KeyError, BadKey):
            return None

    def public_fields(self) -> Document:
        """Return the field that a running train reads: the public key for its counts."""
        return {"user_he_key": self.document.get("user_he_key")}

    def _digest_after(self, count: int) -> bytes:
        return sha512(self.visits[count - 1].signature if count else self.session_id)


def read(document: Document) -> FlatConfig:
    """Check every field of a flat document.

    Raises:
        MalformedTrain: fields are bad; the error lists all of them.
        RouteError: the document is before its first stop in some fields and after it in others.
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
            "lists_query": QUERY in file_list,
            "definition_hash": fields.hex("e_h", SHA512_BYTES),
            "definition_signature": fields.hex("e_h_sig"),
            **_results(fields, stations),
        }
    config = FlatConfig(document=document, **values)
    _check_first_stop(config)
    return config


def new_train(
    draft: Draft, user: PrivateKey, builder: PrivateKey | None
) -> tuple[Document, bytes | None]:
    """Return the signed document of a new train, and no symmetric key.

    Raises:
        UsageError: there is a builder's key, but this generation has no builder; or the Paillier
            key has a g of its own.
    """
    if builder is not None:
        raise UsageError(
            "builder-key-unused",
            "trains of the flat generation are not signed by a builder",
            hint="leave --builder-key out, or build a train of the route generation",
            by="author",
        )
    document = {
        "master_image": draft.master_image,
        "user_id": draft.user_id,
        "train_id": draft.train_id,
        "session_id": draft.session_id.hex(),
        "rsa_user_public_key": public_pem(user.public_key()).hex(),
        "encrypted_key": None,
        "rsa_public_keys": {name: public_pem(key).hex() for name, key in draft.stations.items()},
        "e_h": draft.definition_hash.hex(),
        "e_h_sig": sign_pss(user, draft.definition_hash).hex(),
        "e_d": None,
        "e_d_sig": None,
        "digital_signature": None,
        "proposal_id": draft.proposal_id,
        "user_he_key": _modulus(draft.paillier_key),
        "immutable_file_list": list(draft.file_list),
    }
    return document, None


def _modulus(key: PaillierKey | None) -> str | None:
    """Return n as decimal text: published trains take n + 1 for g."""
    if key is None:
        return None
    if not key.is_simple:
        raise UsageError(
            "paillier-key-unsuitable",
            "the Paillier key has a g of its own, but trains of the flat generation read n only "
            "and take n + 1 for g",
            hint="give a key that pht keygen --paillier made, or build a train of the route "
            "generation",
            by="author",
        )
    return str(key.n)


def _stations(fields: Fields) -> dict[str, PublicKey]:
    keys = {
        station: fields.public_key_value(f"rsa_public_keys.{station}", pem)
        for station, pem in fields.object("rsa_public_keys").items()
    }
    if not keys:
        fields.note("rsa_public_keys", "names no station")
    return {station: key for station, key in keys.items() if key is not None}


def _results(fields: Fields, stations: Mapping[str, PublicKey]) -> dict[str, Any]:
    """Read the fields that are null before the first stop, each by itself."""
    return {
        "envelopes": {} if fields.is_null("encrypted_key") else _envelopes(fields, stations),
        "result_hash": fields.hex_or_null("e_d", SHA512_BYTES),
        "result_signature": fields.hex_or_null("e_d_sig") or b"",
        "visits": () if fields.is_null("digital_signature") else _visits(fields, stations),
        "user_envelope": fields.hex_or_null("user_encrypted_sym_key"),
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
                digest = fields.hex_value(f"{name} digest", digest, SHA512_BYTES)
                visits.append(Visit(station=station, signature=signature, digest=digest))
            case _:
                fields.note(name, "is not a signature of one of the train's stations")
    return tuple(visits)


def _check_first_stop(config: FlatConfig) -> None:
    """Refuse a document that is before its first stop in some fields and after it in others."""
    present = (
        bool(config.envelopes),
        config.result_hash is not None,
        bool(config.result_signature),
        bool(config.visits),
        config.user_envelope is not None,
    )
    if len(set(present)) > 1:
        raise first_stop_contradiction()
