"""The values that one stage of a visit hands to the next.

Each stage takes the value that the stage before returns, so that none can be skipped by mistake:
verify → VerifiedTrain → decrypt → OpenedTrain → (the train) → seal → SealedTrain → commit.
"""

from dataclasses import dataclass, field

from entrypoint.train_config import TrainConfig
from entrypoint.trust.anchors import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedTrain:
    """A train whose definition and chain of signatures have been verified.

    Attributes:
        config: the configuration.
        key: the symmetric key from this station's envelope, None if there is no envelope yet.
        trust: what the station's anchors say about the train's public keys.
    """

    config: TrainConfig
    key: bytes | None = field(repr=False)
    trust: Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The number of regular files in a results folder, and the bytes of their plaintext."""

    files: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedTrain:
    """A train whose results from the last station have been decrypted and verified."""

    train: VerifiedTrain
    contents: Contents


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedTrain:
    """A train whose new results are encrypted and signed.

    Attributes:
        document: the next `train_config.json`, encoded.
        user_envelope: the new symmetric key for the user.
        result_hash: of the results.
        contents: of the results.
    """

    document: bytes
    user_envelope: bytes
    result_hash: bytes
    contents: Contents
