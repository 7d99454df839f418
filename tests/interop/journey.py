"""A train's image on its way through stations of both kinds, on the tests' own engine."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.containers.engine import Engine
from tests.containers.visitor import Container, station_folder
from tests.interop.train.listing import Listing
from tests.station import settle

STATIONS = ("7", "mri-west", "Klinik Süd", "0b1f5a52-6f0e-4e3d-9d0c-3c1d2a9b8e77")
"""The stops of every flat train here, under ids as they occur and as they may occur."""

ROUTE_STATIONS = (*STATIONS[1:], "TUE-1", "st/5")
"""The stops of every train of the route generation, in the order of the route.

None of these ids looks like a number: published stations of that generation find no such entry.
"""

OURS = "O"
THEIRS = "T"

TRAIN = Path(__file__).with_name("train")
FILES = {path.name: path.read_bytes() for path in TRAIN.glob("*.*")}
PUBLISHED_STATION = Path(__file__).with_name("published_station.py")
REQUESTS = "requests"
"""Name of the file in a journey's folder that has the requests of published stations."""
PATIENCE_S = 120


def carried(left: Listing, *kinds: str) -> Listing:
    """Return the results of a train as they arrive behind stations of these kinds.

    Ours let no set-id or sticky bits travel, whether they open them or seal them.
    """
    if OURS not in kinds:
        return left
    return {
        path: [kind, oct(int(mode, 8) & 0o777) if mode else "", what]
        for path, (kind, mode, what) in left.items()
    }


def found_at(left: Listing, kind: str) -> Listing:
    """Return the results of a train as it finds them at a stop of this kind.

    At ours it may read and write all of them, whatever their modes.
    """
    if kind != OURS:
        return left
    needed = {"file": 0o600, "folder": 0o700}
    return {
        path: [what, oct(int(mode, 8) | needed[what]) if mode else "", content]
        for path, (what, mode, content) in carried(left, kind).items()
    }


class VisitFailed(Exception):
    """A station could not make its visit; the message is what it said."""


class Found(NamedTuple):
    """The folders that a train finds at a stop: the results so far, and its own."""

    results: Listing
    train: Listing


@dataclass(frozen=True)
class Journey:
    """A train in an engine: `repository`:base as it was built, `repository`:latest as it is now.

    Attributes:
        engine: where its images are.
        repository: the name of its images, without a tag.
        keys: the private key (PEM) of every station, by its id.
        published: the Python that has the published package.
        folder: an empty one, for keys and settings.
    """

    engine: Engine
    repository: str
    keys: Mapping[str, bytes]
    published: Path
    folder: Path

    def visit(self, kind: str, station: str, data: Path) -> Found:
        """Make one visit.

        Args:
            kind: OURS or THEIRS.
            station: its id.
            data: the folder of its data.

        Raises:
            VisitFailed: the station refuses the train, or cannot hand it on.
        """
        printed = (self._ours if kind == OURS else self._theirs)(station, data)
        return Found(**json.loads(printed))

    def take(self, folder: Path) -> Path:
        """Copy the train as it is now into a folder, and return `folder/opt`."""
        return self._container("latest").take(folder)

    def _ours(self, station: str, data: Path) -> bytes:
        """Run the image as our stations do, and put the train onto the base image."""
        settle(self.folder, station, self.keys[station])
        options = [*station_folder(self.folder), "--volume", f"{data}:/opt/train_data:ro"]
        container = self._container("latest", *options, "--env", "TRAIN_DATA_PATH=/opt/train_data")
        done = container.run()
        if done.status != 0:
            raise VisitFailed(done.stderr)
        onto = self._container("base")
        container.hand_over(onto)
        self.engine.must("commit", onto.id, f"{self.repository}:latest")
        return done.stdout

    def _theirs(self, station: str, data: Path) -> bytes:
        """Let the published package do it, in its own environment."""
        key = self.folder / "published.pem"
        key.write_bytes(self.keys[station])
        options = ["--station", station, "--key", str(key), "--data", str(data)]
        options += ["--requests", str(self.folder / REQUESTS)]
        done = subprocess.run(
            [self.published, "-I", PUBLISHED_STATION, self.repository, *options],
            capture_output=True,
            env={**os.environ, "DOCKER_HOST": self.engine.address()},
            timeout=PATIENCE_S,
            check=False,
        )
        if done.returncode != 0:
            raise VisitFailed(done.stderr.decode())
        return done.stdout

    def _container(self, tag: str, *options: str) -> Container:
        return Container(
            self.engine, self.engine.create(f"{self.repository}:{tag}", options=options)
        )
