"""Names, paths and values that several rooms share."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

QUERY = "query.json"
"""The one immutable file that is hashed after all others (docs/protocol.md, "Immutable hash")."""

PROJECT_FILE = "pht.toml"
"""The file beside a train's folder that holds options of its author; it never travels."""

GENERATIONS = ("route", "flat")
"""The names of the wire generations; the first one is the default for a new train.

Here, since the command line is parsed without `cryptography`, which the generations need.
"""

LAYERS = ("uid", "caps", "landlock", "seccomp", "key-absent")
"""The layers of protection around a train, as the status line names them (SECURITY.md)."""

WORK_NAME = ".pht-visit"
"""The name of a work folder inside `pht_results` or `pht_train`; no file of a train may have it."""


class Paths(NamedTuple):
    """The fixed paths of a train, below `root` (`/` inside a container)."""

    root: Path

    @property
    def opt(self) -> Path:
        """The folder that holds everything a train carries."""
        return self.root / "opt"

    @property
    def train(self) -> Path:
        """The folder of the immutable files."""
        return self.opt / "pht_train"

    @property
    def results(self) -> Path:
        """The folder of the results so far, which the train may change."""
        return self.opt / "pht_results"

    @property
    def scratch(self) -> Path:
        """The train's working folder if it cannot lie below `/tmp`; removed after the run.

        Stations with the published software accept no other new names below `/opt` than those that
        begin like the train's own.
        """
        return self.opt / "pht_results.tmp"

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
        """The folder where stations mount the data that the train analyses."""
        return self.opt / "train_data"

    @property
    def station(self) -> Path:
        """The station folder, mounted read-only: settings and key."""
        return self.root / "run" / "pht"

    @property
    def secrets(self) -> Path:
        """The folder where engines mount secrets; the station's key may be one."""
        return self.root / "run" / "secrets"

    @property
    def ledger(self) -> Path:
        """The folder of the station's ledger, its record of the trains that have boarded."""
        return self.root / "var" / "lib" / "pht"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A link of the chain of station signatures: `station` signed `digest` (64 bytes)."""

    station: str
    signature: bytes
    digest: bytes
