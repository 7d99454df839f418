"""`train_config.json`: from bytes to a model and back. The wire generations meet only here."""

from typing import Protocol

from entrypoint.crypto.keys import PrivateKey
from entrypoint.errors import MalformedTrain
from entrypoint.train_config.fields import Document, encode, parse_json
from entrypoint.train_config.interface import (
    Draft,
    ResultsUnverified,
    Seal,
    TrainConfig,
    immutable_files,
    not_on_route,
)

__all__ = [
    "UNFINISHED",
    "Draft",
    "ResultsUnverified",
    "Seal",
    "TrainConfig",
    "encode",
    "immutable_files",
    "new_train",
    "not_on_route",
    "read",
]


UNFINISHED = "pht_unfinished"
"""The field that marks the configuration of a visit that is not finished."""

_FLAT_MARKS = frozenset(
    {"e_h", "e_h_sig", "e_d", "e_d_sig", "digital_signature", "rsa_public_keys"}
    | {"immutable_file_list", "rsa_user_public_key"}
)
"""Fields that only the flat generation has."""

_ROUTE_MARKS = frozenset(
    {"route", "creator", "build", "file_list", "result_hash", "result_signature"}
)
"""Fields that only the route generation and the short-lived ones before it have."""

_BETWEEN_MARKS = frozenset({"immutable_file_hash", "immutable_file_signature"})


class _Generation(Protocol):
    """What the module of a generation offers."""

    def read(self, document: Document, /) -> TrainConfig:
        """Return the checked model of a document."""

    def new_train(
        self, draft: Draft, user: PrivateKey, builder: PrivateKey | None, /
    ) -> tuple[Document, bytes | None]:
        """Return the signed document of a new train; see `new_train` below."""


def _module(generation: str) -> _Generation:
    """Return the module of a generation; a visit loads one alone, when it verifies the train."""
    if generation == "flat":
        from entrypoint.train_config import flat

        return flat
    from entrypoint.train_config import route

    return route


def read(data: bytes) -> TrainConfig:
    """Return the checked model of a `train_config.json`.

    Raises:
        MalformedTrain: not well formed, unfinished, or of a generation that is not supported.
        RouteError: before and after the first stop at once, or not in the order of its route.
    """
    document = parse_json(data)
    if UNFINISHED in document:
        raise MalformedTrain(
            "config-unfinished",
            "train_config.json says that a visit is under way or was interrupted",
            hint="start that station's container again; it finishes or takes back the visit",
            by="station",
        )
    return _module(_generation_of(document)).read(document)


def new_train(
    generation: str, draft: Draft, user: PrivateKey, builder: PrivateKey | None
) -> tuple[Document, bytes | None]:
    """Return the signed document of a train that has not visited any station.

    Args:
        generation: its name, one of `GENERATIONS`.
        draft: what is signed.
        user: the key of the user.
        builder: the key of the builder, where one signs.

    Returns:
        Beside the document the symmetric key under which the immutable files are to be encrypted,
        or None if they travel in plaintext.

    Raises:
        UsageError: there is a builder where none signs, or none where one has to.
    """
    return _module(generation).new_train(draft, user, builder)


def _generation_of(document: Document) -> str:
    """Choose by the shape of the document, and refuse what could be understood in two ways."""
    names = document.keys()
    between = names & _BETWEEN_MARKS
    nested = names & _ROUTE_MARKS
    if ((nested or between) and names & _FLAT_MARKS) or (between and "build" in names):
        raise MalformedTrain(
            "config-hybrid",
            "train_config.json mixes fields of different generations",
            hint="do not run this train; no honest builder or station writes this",
        )
    if not nested and not between:
        return "flat"
    if "build" not in names:
        raise MalformedTrain(
            "generation-unsupported",
            "this is a train of generation 1.1, which was short-lived, and cannot board here",
            hint="this runner visits trains of the flat (0.9, 1.0) and route (2.x) generations; "
            "have the train built again as one of them",
        )
    return "route"
