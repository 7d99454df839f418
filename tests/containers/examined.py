"""A station in containers whose administrator asks the doctor, and what may be wrong with it."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from entrypoint.images.masters import Master, write_masters
from tests.containers.engine import Engine
from tests.containers.plain_options import RECOMMENDED
from tests.containers.profiles import without_landlock
from tests.containers.visitor import SECOND
from tests.ledger import give_ledger
from tests.station import Done, leaked, settle

LAYERS = "uid,caps,landlock,seccomp,key-absent"
DATA = "/opt/train_data/patients.csv"
MASTER = Master(name="slim", id="sha256:0", layers=("sha256:1",), platform={}, config={})

Rows = dict[str, tuple[str, str | None]]
"""Verdict and code of rows, by their checks."""

OK, WARNING, NOT_SET = ("ok", None), ("warning", None), ("not set", None)


def failed(code: str) -> tuple[str, str]:
    """Return verdict and code of a row that has failed."""
    return ("failed", code)


@dataclass(frozen=True)
class Station:
    """A station whose administrator asks the doctor.

    Attributes:
        engine: where the container runs.
        image: the master image.
        folder: of the host, with the station folder and the data.
    """

    engine: Engine
    image: str
    folder: Path

    @classmethod
    def healthy(cls, engine: Engine, image: str, folder: Path) -> Self:
        """Make a station with everything that the doctor looks for."""
        settle(folder, SECOND)
        found = cls(engine, image, folder)
        found.env.with_name("trust").write_text(f"user 4711 SHA256:{'0' * 64}\n")
        found.env.with_name("masters.json").write_text(write_masters([MASTER]))
        give_ledger(folder)
        found.data.write_text("1\n")
        return found

    @property
    def key(self) -> Path:
        """The file of the private key."""
        return self.folder / "run" / "pht" / "private_key.pem"

    @property
    def env(self) -> Path:
        """The file of the settings."""
        return self.folder / "run" / "pht" / "station.env"

    @property
    def data(self) -> Path:
        """The file of the data."""
        return self.folder / "patients.csv"

    @property
    def ledger(self) -> Path:
        """The folder of the ledger."""
        return self.folder / "var" / "lib" / "pht"

    def options(self) -> list[str]:
        """Return the options of a visit."""
        mounts = [
            f"{self.folder}/run/pht:/run/pht:ro",
            f"{self.ledger}:/var/lib/pht",
            f"{self.data}:{DATA}:ro",
        ]
        volumes = [word for mount in mounts for word in ("--volume", mount)]
        return [*RECOMMENDED, *volumes, "--env", f"TRAIN_DATA_PATH={DATA}"]

    def ask(self, *command: str, options: Sequence[str]) -> Done:
        """Start `doctor` in a container."""
        done = self.engine.run(self.image, "doctor", *command, options=options)
        assert not leaked(done.stdout.decode() + done.stderr.decode())
        return Done(done.status, done.stdout, done.stderr.decode())

    def rows(self, options: Sequence[str]) -> Rows:
        """Return verdict and code of every row, by its check."""
        done = self.ask("--json", options=options)
        assert done.lines == [], done.stderr
        found = json.loads(done.stdout)
        rows = {row["check"]: (row["verdict"], row["code"]) for row in found["checks"]}
        is_ready = all(verdict != "failed" for verdict, _ in rows.values())
        assert (done.status, found["result"]) == ((0, "ready") if is_ready else (78, "not-ready"))
        assert done.facts["result"] == found["result"]
        return rows

    def not_ok(self, options: Sequence[str]) -> Rows:
        """Return verdict and code of every row that is not `ok`."""
        return {check: row for check, row in self.rows(options).items() if row != OK}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something wrong with a station, and the rows that say so.

    Attributes:
        rows: verdict and code of each row that is not `ok`.
        change: what is done to the station.
        options: takes the options of a visit, and the folder of the station; returns others.
    """

    rows: Rows
    change: Callable[[Station], object] = lambda _: None
    options: Callable[[list[str], Path], list[str]] = lambda options, _: options


def without(*words: str) -> Callable[[list[str], Path], list[str]]:
    """Return a function that leaves an option and its value out."""

    def change(options: list[str], _: Path) -> list[str]:
        at = next(n for n in range(len(options)) if tuple(options[n : n + len(words)]) == words)
        return options[:at] + options[at + len(words) :]

    return change


def more(*words: str) -> Callable[[list[str], Path], list[str]]:
    """Return a function that adds options."""
    return lambda options, _: [*options, *words]


def no_landlock(options: list[str], folder: Path) -> list[str]:
    return [*options, *without_landlock(folder)]


def add_lines(*lines: str) -> Callable[[Station], object]:
    """Return a function that adds lines to station.env."""
    return lambda station: station.env.write_text(station.env.read_text() + "\n".join(lines))


def open_key(station: Station) -> None:
    station.key.chmod(0o644)


def give_to_user(station: Station) -> None:
    """Make the key and the ledger those of a user who is not root."""
    for path in (station.key, station.ledger):
        os.chown(path, 1000, 1000)


def both(*changes: Callable[[Station], object]) -> Callable[[Station], object]:
    """Return a function that makes several changes."""
    return lambda station: [change(station) for change in changes]
