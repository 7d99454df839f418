"""`train_config.json`: from bytes to a model and back. The wire generations meet only here."""

from entrypoint.errors import MalformedTrain
from entrypoint.train_config import flat
from entrypoint.train_config.fields import Document, parse_json
from entrypoint.train_config.flat import encode, initial_document
from entrypoint.train_config.interface import Seal, TrainConfig, results_unverified

__all__ = [
    "UNFINISHED",
    "Seal",
    "TrainConfig",
    "encode",
    "initial_document",
    "read",
    "results_unverified",
]

UNFINISHED = "pht_unfinished"
"""The field that marks the configuration of a visit that is not finished."""

_ROUTE_MARKS = frozenset(
    {"route", "creator", "build", "file_list", "result_hash", "result_signature"}
)
_BETWEEN_MARKS = frozenset({"immutable_file_hash", "immutable_file_signature"})


def read(data: bytes) -> TrainConfig:
    """Return the checked model of a `train_config.json`.

    Raises:
        MalformedTrain: not well formed, unfinished, or of a generation that is not supported.
        RouteError: before and after the first stop at once.
    """
    document = parse_json(data)
    if UNFINISHED in document:
        raise MalformedTrain(
            "config-unfinished",
            "train_config.json says that a visit is under way or was interrupted",
            hint="start that station's container again; it finishes or takes back the visit",
            by="station",
        )
    _refuse_other_generations(document)
    return flat.read(document)


def _refuse_other_generations(document: Document) -> None:
    names = document.keys()
    nested = names & (_ROUTE_MARKS | _BETWEEN_MARKS)
    if nested and names & flat.MARKS:
        raise MalformedTrain(
            "config-hybrid",
            "train_config.json mixes fields of different generations",
            hint="do not run this train; no honest builder or station writes this",
        )
    if nested:
        between = "build" not in names
        version = "1.1, which was short-lived," if between else "2.x (route)"
        raise MalformedTrain(
            "generation-unsupported",
            f"this is a train of generation {version} and cannot board here",
            hint="this version of the runner visits trains of the flat generation (0.9, 1.0)",
        )
