"""`train_config.json`: parses it and makes new ones. Only this room knows the wire generations."""

from collections.abc import Mapping
from typing import Protocol

from entrypoint.crypto.keys import PrivateKey
from entrypoint.errors import MalformedTrain
from entrypoint.files.strict_json import Document
from entrypoint.train_config import flat, route
from entrypoint.train_config.fields import encode, parse_json
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
    "compared_with_master",
    "encode",
    "has_builder",
    "immutable_files",
    "new_train",
    "not_on_route",
    "read",
]


UNFINISHED = "pht_unfinished"
"""The field that marks the configuration during a visit."""

_FLAT_MARKS = frozenset(
    {"e_h", "e_h_sig", "e_d", "e_d_sig", "digital_signature", "rsa_public_keys"}
    | {"immutable_file_list", "rsa_user_public_key"}
)
"""Fields that only the flat generation has."""

_ROUTE_MARKS = frozenset(
    {"route", "creator", "build", "file_list", "result_hash", "result_signature"}
)
"""Fields that only the route generation and the short-lived ones before it have."""

_GENERATION_1_1_MARKS = frozenset({"immutable_file_hash", "immutable_file_signature"})
"""Fields that only the short-lived generation 1.1 has."""


class _Generation(Protocol):
    """The interface of the module of a generation."""

    HAS_BUILDER: bool
    """Trains of this generation are signed by a builder in addition to the user."""

    COMPARED_WITH_MASTER: bool
    """Published stations compare trains of this generation with their master image."""

    def read(self, document: Document, /) -> TrainConfig:
        """Return the model of a document, see `read` below."""

    def new_train(
        self, draft: Draft, user: PrivateKey, builder: PrivateKey | None, /
    ) -> tuple[Document, bytes | None]:
        """Return the signed document of a new train; see `new_train` below."""


_GENERATIONS: Mapping[str, _Generation] = {"flat": flat, "route": route}


def read(data: bytes) -> TrainConfig:
    """Return the model of a `train_config.json`, with every field checked.

    Raises:
        MalformedTrain: not well formed, unfinished, or of an unsupported generation.
        RouteError: before its first stop in some fields and after it in others, or not in the order
            of its route.
    """
    document = parse_json(data)
    if UNFINISHED in document:
        raise MalformedTrain(
            "config-unfinished",
            "train_config.json says that a visit is under way or was interrupted",
            hint="start that station's container again; it finishes the visit or goes back",
            by="station",
        )
    return _GENERATIONS[_generation_of(document)].read(document)


def new_train(
    generation: str, draft: Draft, user: PrivateKey, builder: PrivateKey | None
) -> tuple[Document, bytes | None]:
    """Return the signed document of a train that has not visited any station.

    Args:
        generation: its name, one of `GENERATIONS`.
        draft: the content to sign.
        user: the user's key.
        builder: the builder's key, for a generation that has a builder.

    Returns:
        The document, and the symmetric key to encrypt the immutable files with; None if they travel
        in plaintext.

    Raises:
        UsageError: the builder's key is missing, or the generation has no builder.
    """
    return _GENERATIONS[generation].new_train(draft, user, builder)


def has_builder(generation: str) -> bool:
    """Return whether a builder signs the trains of a generation in addition to the user."""
    return _GENERATIONS[generation].HAS_BUILDER


def compared_with_master(generation: str) -> bool:
    """Return whether published stations compare trains of it with their master image."""
    return _GENERATIONS[generation].COMPARED_WITH_MASTER


def _generation_of(document: Document) -> str:
    """Return the generation of a document by its fields; refuse an ambiguous one."""
    names = document.keys()
    between = names & _GENERATION_1_1_MARKS
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
            "this train is of the short-lived generation 1.1, which is not supported",
            hint="this runner visits trains of the flat (0.9, 1.0) and route (2.x) generations; "
            "have the train built again as one of them",
        )
    return "route"
