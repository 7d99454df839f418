"""Fixtures of the kinds of engines: each is started when the first of its cases needs it."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.fixtures import or_skip
from tests.containers.visitor import build_image
from tests.engines.cases import Station
from tests.engines.host import DockerLike, Given, Host
from tests.engines.kinds import KINDS, NEXT

BASE = "musl"
"""The smallest base, since each engine loads an image of it."""


@pytest.fixture(scope="session")
def host_of(engine: Engine, make_runner: Callable[[str], str]) -> Iterator[Callable[[str], Host]]:
    """A function that starts a kind of engine, once in a session, and returns the host with it."""

    @cache
    def given() -> Given:
        image = build_image(engine, make_runner(BASE), name="train-of-engines")
        return Given(engine, image, engine.must("save", image))

    with ExitStack() as started:
        yield cache(lambda kind: started.enter_context(KINDS[kind](given())))


@pytest.fixture
def station_of(host_of: Callable[[str], Host]) -> Iterator[Callable[[str], Station]]:
    """A function that makes a station with a kind of engine, or skips the test."""

    def next_host(kind: str) -> DockerLike:
        host = host_of(NEXT.get(kind, NEXT[""]))
        assert isinstance(host, DockerLike)
        return host

    with tempfile.TemporaryDirectory(prefix="pht-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # engines without root have to enter it
        yield lambda kind: Station(
            or_skip(lambda: host_of(kind)), lambda: or_skip(lambda: next_host(kind)), folder
        )
