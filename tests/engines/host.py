"""A machine of a station: an engine with the image of trains, and how visits are started there."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.containers.engine import Engine
from tests.containers.plain_options import RECOMMENDED
from tests.containers.visitor import Container, shared, station_folder
from tests.station import Done


class Visitor(Protocol):
    """A train in a container that can be started any number of times; see `Container`."""

    def run(self) -> Done: ...
    def start(self) -> None: ...
    def stop(self) -> Done: ...
    def kill(self) -> Done: ...
    def said(self, text: bytes) -> bool: ...
    def phase(self) -> str | None: ...
    def take(self, folder: Path) -> Path: ...


class Host(Protocol):
    """A machine of a station.

    Attributes:
        version: of the engine.
        owner: the user of this machine that is root in its containers.
    """

    @property
    def version(self) -> str: ...
    @property
    def owner(self) -> int: ...

    def arrive(self, opt: Path, root: Path, data: Path) -> Visitor:
        """Make the container of a train that has arrived.

        Args:
            opt: a folder like `/opt`.
            root: with the station folder, as `tests.station.settle` makes it.
            data: for the train.
        """

    def hand_over(self, visitor: Visitor, to: "DockerLike") -> str:
        """Bring the train into an image on another host, and return its name there."""


@dataclass(frozen=True)
class Given:
    """The engine and the image with which every host begins.

    Attributes:
        engine: of the tests.
        image: that trains are put onto; it is there.
        base: its archive.
    """

    engine: Engine
    image: str
    base: bytes


@dataclass(frozen=True)
class DockerLike:
    """A host whose engine has a client like Docker's.

    Attributes:
        engine: where the containers run.
        version: of the engine.
        image: that trains are put onto.
        owner: the user of this machine that is root in its containers.
        options: of its containers, beside those that are recommended.
    """

    engine: Engine
    version: str
    image: str
    owner: int = 0
    options: Sequence[str] = ()

    def arrive(self, opt: Path, root: Path, data: Path) -> Container:
        options = [*RECOMMENDED, *station_folder(root), *shared(data), *self.options]
        return Container.create(self.engine, self.image, opt, options)

    def hand_over(self, visitor: Visitor, to: "DockerLike") -> str:
        """Bring the train into an image, as the archive of one."""
        assert isinstance(visitor, Container)
        leaves = Container(self.engine, self.engine.create(self.image))
        visitor.hand_over(leaves)
        tag = f"pht-test-{self.engine.session}:leaves"
        self.engine.must("commit", leaves.id, tag)
        return load(to.engine, self.engine.must("save", tag))

    def receive(self, image: str, root: Path) -> Container:
        """Make the container of a train that has come in an image."""
        options = [*RECOMMENDED, *station_folder(root), *self.options]
        return Container(self.engine, self.engine.create(image, options=options))


def load(engine: Engine, archive: bytes) -> str:
    """Load the archive of an image and return its name."""
    said = engine.must("load", stdin=archive).decode()
    found = re.search(r"Loaded image: ([\w./:-]+)", said)
    assert found, said
    return found[1]
