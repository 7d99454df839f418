"""The interface of the wire generations to the stages of a visit, and their common errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from unicodedata import normalize

from entrypoint.crypto.file_cipher import FileCipher
from entrypoint.crypto.keys import PublicKey
from entrypoint.crypto.paillier_key import PaillierKey
from entrypoint.crypto.signatures import is_pss_signature
from entrypoint.errors import IntegrityError, RouteError
from entrypoint.model import QUERY, Visit


class ResultsUnverified(IntegrityError):
    """Unwrapping, decrypting or checking encrypted files has failed.

    All these steps share one code and message, so that a forger who tries variants does not learn
    which one failed (docs/security.md, "No oracle"). No report prints the attributes.

    Attributes:
        folder: the name of the folder whose files failed; None if another step failed.
        undecryptable: the first paths in it that do not decrypt.
    """

    def __init__(self, folder: str | None = None, undecryptable: Sequence[str] = ()) -> None:
        super().__init__(
            "results-unverified",
            "the encrypted files are not what was sealed for this station",
            hint="do not run this train; get the image again, or tell the last station and the "
            "user",
            files_differ=True,
        )
        self.folder = folder
        self.undecryptable = tuple(undecryptable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The content of a new train that is not signed yet.

    Attributes:
        train_id, user_id, proposal_id, master_image: chosen by the author.
        session_id: 64 random bytes.
        stations: the public key of every station, by its id, in the order of the route.
        file_list: the immutable files in the order of hashing, including the query.
        definition_hash: of these files, 64 bytes.
        paillier_key: the key under which the train adds encrypted numbers; None without one.
    """

    train_id: str
    user_id: str
    proposal_id: str
    master_image: str
    session_id: bytes
    stations: Mapping[str, PublicKey]
    file_list: Sequence[str]
    definition_hash: bytes
    paillier_key: PaillierKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The values that a visit adds to the configuration.

    Attributes:
        result_hash: of the new results, 64 bytes.
        result_signature: of that hash, by this station.
        visit: this station's link of the chain.
        envelopes: the new symmetric key for every station, by its id.
        user_envelope: the same key for the user.
    """

    result_hash: bytes
    result_signature: bytes
    visit: Visit
    envelopes: Mapping[str, bytes]
    user_envelope: bytes


class TrainConfig(Protocol):
    """A configuration with well-formed fields; no hash or signature in it is verified yet."""

    @property
    def generation(self) -> str:
        """The name of the wire generation: `flat` or `route`."""

    @property
    def cipher(self) -> FileCipher:
        """The cipher of all encrypted files."""

    @property
    def encrypts_definition(self) -> bool:
        """Whether the immutable files are encrypted too, under the same key as the results."""

    @property
    def train_id(self) -> str:
        """The id of the train."""

    @property
    def user_id(self) -> str:
        """The id of the user who signed the train definition."""

    @property
    def user_key(self) -> PublicKey:
        """The user's public key."""

    @property
    def builder_key(self) -> PublicKey | None:
        """The public key of the builder, None in a generation that has no builder."""

    @property
    def paillier_key(self) -> PaillierKey | None:
        """The key for encrypted numbers, or None if there is none in the form of its generation.

        Nobody signs it.
        """

    @property
    def session_id(self) -> bytes:
        """64 bytes chosen by the author; random if the author is honest."""

    @property
    def stations(self) -> Mapping[str, PublicKey]:
        """The public key of every station, by its id, in the order of the configuration."""

    @property
    def files(self) -> tuple[str, ...]:
        """The immutable files in the order of hashing, without the query."""

    @property
    def definition_hash(self) -> bytes:
        """The hash of the train definition, signed by the user."""

    @property
    def visits(self) -> tuple[Visit, ...]:
        """The chain of station signatures, oldest first."""

    @property
    def result_hash(self) -> bytes | None:
        """The hash of the results, or None before the first stop has sealed any."""

    @property
    def result_signature(self) -> bytes:
        """The signature of the result hash; empty before the first stop."""

    @property
    def user_envelope(self) -> bytes | None:
        """The symmetric key wrapped for the user, or None before the first stop."""

    def envelope(self, station: str) -> bytes | None:
        """Return the symmetric key wrapped for a station, or None if it has no envelope yet."""

    def has_query(self, train: Path) -> bool:
        """Return whether the train has a query; its immutable files are in the folder `train`."""

    def awaits(self, station: str) -> bool:
        """Return whether this station may make the next visit."""

    def verify_definition_signatures(self) -> None:
        """Raise IntegrityError unless all required signatures of the definition hash are valid."""

    def verify_chain(self) -> None:
        """Raise RouteError unless every link validly signs the digest for its position."""

    def verify_result_signature(self) -> None:
        """Raise IntegrityError unless the last station signed the result hash."""

    def next_digest(self, result_hash: bytes) -> bytes:
        """Return the digest that the next station signs to extend the chain."""

    def sealed(self, seal: Seal) -> dict[str, Any]:
        """Return the document after this visit; all other fields are unchanged."""

    def public_fields(self) -> dict[str, Any]:
        """Return the fields that a running train reads, for the configuration during the visit."""


def immutable_files(config: TrainConfig, train: Path) -> list[str]:
    """Return the paths of the signed files in the folder `train`, the query last."""
    return [*config.files, *([QUERY] if config.has_query(train) else [])]


def verify_pss_result_signature(config: TrainConfig) -> None:
    """Raise IntegrityError unless the last station signed the result hash with RSA-PSS."""
    if config.result_hash is None:
        return
    last = config.stations[config.visits[-1].station]
    if not is_pss_signature(last, config.result_signature, config.result_hash):
        raise ResultsUnverified


def not_on_route(config: TrainConfig, station: str) -> tuple[str, str]:
    """Return the problem and the hint for a station that is not on the route."""
    ids = ", ".join(f'"{name}"' for name in config.stations)
    problem = f'the train does not stop at station "{station}"'
    if any(normalize("NFC", name) == normalize("NFC", station) for name in config.stations):
        problem += ", but at one whose id looks the same in another Unicode form (NFC or NFD)"
    return problem, f"the ids on this train are: {ids}"


def user_signature_wrong() -> IntegrityError:
    """Return the error for a definition hash without a valid signature of the user."""
    return IntegrityError(
        "user-signature-wrong",
        "the user's signature does not belong to this train definition",
        hint="do not run this train; ask the user to submit it again",
    )


def chain_broken(number: int, station: str) -> RouteError:
    """Return the error for an invalid link of the chain, counted from 1."""
    return RouteError(
        "chain-broken",
        f'the signature of stop {number}, station "{station}", is not valid',
        hint="do not run this train; get the image again, or tell that station",
        by="user",
    )


def first_stop_contradiction() -> RouteError:
    """Return the error for a document with null results in one field and not in another.

    Older readers take a null result hash for the first stop and skip all checks of the results.
    """
    return RouteError(
        "first-stop-contradiction",
        "train_config.json is before its first stop in some fields and after it in others",
        hint="do not run this train; get the image again, or tell the user",
        by="user",
    )
