"""What every wire generation offers to the stages of a visit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from entrypoint.crypto.cipher import Cipher
from entrypoint.crypto.keys import PublicKey
from entrypoint.errors import IntegrityError
from entrypoint.model import Visit


@dataclass(frozen=True)
class Seal:
    """What a visit adds to the configuration.

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
    """A configuration whose fields are well formed; nothing in it is verified yet."""

    @property
    def generation(self) -> str:
        """The name of the wire generation: `flat` or `route`."""

    @property
    def cipher(self) -> Cipher:
        """The cipher of the result files."""

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
    def session_id(self) -> bytes:
        """64 random bytes that tell this train from every other."""

    @property
    def stations(self) -> Mapping[str, PublicKey]:
        """The public key of every station, by its id, in the order of the configuration."""

    @property
    def files(self) -> tuple[str, ...]:
        """The immutable files in the order they are hashed, without the query."""

    @property
    def has_query(self) -> bool:
        """Whether the train carries a query."""

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
    def user_envelope(self) -> bytes | None:
        """The symmetric key for the user, or None before the first stop."""

    def envelope(self, station: str) -> bytes:
        """Return the symmetric key as wrapped for a station; only after the first stop."""

    def verify_user_signature(self) -> None:
        """Raise IntegrityError unless the user signed the definition hash."""

    def verify_chain(self) -> None:
        """Raise RouteError unless every link is what this train's stations must have signed."""

    def verify_result_signature(self) -> None:
        """Raise IntegrityError unless the last station signed the result hash."""

    def next_digest(self, result_hash: bytes) -> bytes:
        """Return the digest that the next station signs to extend the chain."""

    def sealed(self, seal: Seal) -> dict[str, Any]:
        """Return the document of the next stage, every other field as it came."""

    def public_fields(self) -> dict[str, Any]:
        """Return the fields that a running train reads, for the unfinished config."""


def results_unverified() -> IntegrityError:
    """Return the one error of unwrapping, decrypting and checking the results.

    These steps share a code and a message, so that a forger who tries variants learns nothing
    about which of them failed (docs/security.md, "No oracle").
    """
    return IntegrityError(
        "results-unverified",
        "the results are not what the last station sealed for this station",
        hint="do not run this train; get the image again, or tell the last station and the user",
    )
