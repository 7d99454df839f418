"""What one stage of a visit hands to the next.

Each stage takes what the stage before returns, so that none can be skipped by mistake:
verify → VerifiedTrain → decrypt → OpenedTrain → (the train) → seal → SealedTrain → commit.
"""

from dataclasses import dataclass, field

from entrypoint.train_config import TrainConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedTrain:
    """The definition and the chain of the train are what was signed.

    Attributes:
        config: the configuration.
        key: the symmetric key as it came out of the envelope, or None if there is no envelope yet.
    """

    config: TrainConfig
    key: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """How much a results folder holds: regular files, and their plaintext in bytes."""

    files: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedTrain:
    """The results of the last station were authentic; `contents` of them."""

    train: VerifiedTrain
    contents: Contents


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedTrain:
    """The new results are encrypted; `document` describes them, signed.

    Attributes:
        document: the next `train_config.json`, encoded.
        user_envelope: the new symmetric key for the user.
        contents: what was sealed.
    """

    document: bytes
    user_envelope: bytes
    contents: Contents
