"""Data without behaviour that several layers share."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

QUERY = "query.json"
"""The one immutable file that is hashed after all others (docs/protocol.md, "Immutable hash")."""

GENERATIONS = ("route", "flat")
"""The names of the wire generations; a new train is of the first unless its author says more."""

SIGNED_BY_BUILDER = ("route",)
"""The generations whose trains a builder signs beside the user."""

COMPARED_WITH_MASTER = ("route",)
"""The generations whose trains published stations compare with the master image they name."""

WORK_NAME = ".pht-visit"
"""The work folder of a visit where it must lie inside `pht_results`; no result may be called so."""


class Paths(NamedTuple):
    """The fixed paths of a train, below `root` (`/` inside a container)."""

    root: Path

    @property
    def opt(self) -> Path:
        """The folder that holds everything a train carries."""
        return self.root / "opt"

    @property
    def train(self) -> Path:
        """The immutable files."""
        return self.opt / "pht_train"

    @property
    def results(self) -> Path:
        """The mutable files: what the train has computed so far."""
        return self.opt / "pht_results"

    @property
    def config(self) -> Path:
        """The signed description of the train and the record of its visits."""
        return self.opt / "train_config.json"

    @property
    def user_key(self) -> Path:
        """The envelope of the newest symmetric key for the user."""
        return self.opt / "user_sym_key.key"

    @property
    def data(self) -> Path:
        """Where stations mount what the train computes on."""
        return self.opt / "train_data"

    @property
    def station(self) -> Path:
        """The folder a station mounts read-only: settings and key."""
        return self.root / "run" / "pht"

    @property
    def secrets(self) -> Path:
        """The folder in which engines mount secrets, where the station's key may lie too."""
        return self.root / "run" / "secrets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One link of the chain of station signatures: `station` signed `digest` (64 bytes)."""

    station: str
    signature: bytes
    digest: bytes
