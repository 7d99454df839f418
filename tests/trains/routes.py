"""Sends small trains, as authors write them, to two stations: at the desk and in real visits."""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import reference, reference_route
from tests.containers.engine import Engine, engine_address
from tests.containers.plain_options import RECOMMENDED
from tests.containers.visitor import Container, build_image, station_folder
from tests.reference import STATIONS
from tests.station import BUILDER_KEY, USER_KEY, Done, edit, opened, pht, settle

HERE = Path(__file__).parent
ROUTE = STATIONS[:2]
WARNING = "^pht: warning: (.*)$"
REPEATED = r"^pht: warning: stops? ([\d, ]*\d)(?:, station \w+)?: (.*)$"
"""A warning of the runner, and one that a simulation repeats of it with its stops."""

ONLY_HERE = "DAC_OVERRIDE"
"""Is in the warning about folders of a test that only root may enter."""


@dataclass(frozen=True)
class Outcome:
    """How a route ended.

    Attributes:
        results: of the last stop, by path; empty if a visit failed.
        failure: of the status line of the visit that failed: result, stage, code and reason.
        warnings: of the runner, and the numbers of the stops that gave each.
    """

    results: dict[str, bytes]
    failure: tuple[str | None, ...] = ()
    warnings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Train:
    """A train in a folder beside this module."""

    name: str

    @property
    def folder(self) -> Path:
        """The folder of its files, beside which its pht.toml lies."""
        return HERE / self.name / "train"

    def at_the_desk(self, output: Path, *image: str) -> Outcome:
        """Simulate the route: in containers of an image, without one in processes."""
        done = pht("simulate", self.folder, "--output", output, *image, env=engine_address())
        repeated = re.findall(REPEATED, done.stderr, re.MULTILINE)
        warnings = {text: stops for stops, text in repeated if ONLY_HERE not in text}
        files = [path for path in output.rglob("*") if path.is_file()]
        results = {str(path.relative_to(output)): path.read_bytes() for path in files}
        return Outcome(results, failure(done), warnings)

    def in_visits(self, engine: Engine, master: str, folder: Path) -> Outcome:
        """Make the visits with the recommended options, the train signed without our code."""
        project = self._project()
        workdir = project.get("workdir", "/")
        image = build_image(
            engine, master, project["command"], name=self.name, more=f"WORKDIR {workdir}\n"
        )
        opt = self._signed(folder)
        warnings: dict[str, list[str]] = {}
        for number, station in enumerate(ROUTE, start=1):
            place = folder / station
            settle(place, station)
            [data] = (self.folder.parent / project["data"] / station).iterdir()
            options = [*station_folder(place), *RECOMMENDED]
            options += ["--volume", f"{data.parent.resolve()}:/opt/train_data:ro"]
            options += ["--env", f"TRAIN_DATA_PATH=/opt/train_data/{data.name}"]
            container = Container.create(engine, image, opt, options)
            done = container.run()
            for text in re.findall(WARNING, done.stderr, re.MULTILINE):
                warnings.setdefault(text, []).append(str(number))
            opt = container.take(place)
            if done.status != 0:
                break
        said = {text: ", ".join(stops) for text, stops in warnings.items()}
        return Outcome(opened(opt) if done.status == 0 else {}, failure(done), said)

    def _project(self) -> dict[str, Any]:
        return tomllib.loads(self.folder.with_name("pht.toml").read_text())

    def _signed(self, folder: Path) -> Path:
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        opt = reference_route.build_initial(
            folder,
            {str(path.relative_to(self.folder)): path.read_bytes() for path in files},
            USER_KEY,
            BUILDER_KEY,
            {station: reference.vector_key(station) for station in ROUTE},
        )
        if name := self._project().get("paillier-key"):
            key = self.folder.with_name(name).read_bytes().hex()
            edit(opt, lambda config: config["creator"].update(paillier_public_key=key))
        return opt


def failure(done: Done) -> tuple[str | None, ...]:
    """Return what the status line says of a failure, nothing of a success."""
    if done.status == 0:
        return ()
    return tuple(done.facts.get(name) for name in ("result", "stage", "code", "reason"))
