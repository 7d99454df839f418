"""Fixtures of all tests that need containers: an engine and the images to start from.

What the machine lacks skips the tests that need it, with the reason; PHT_TEST_REQUIRE_ALL=1 turns
that into a failure.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import cache
from typing import TypeVar

import pytest

from tests.containers.bases import make_base
from tests.containers.daemon import RUNTIME, connected, working_engine
from tests.containers.engine import Engine, Unavailable
from tests.containers.images import make_master
from tests.containers.other_engines import OtherEngines, other_engines
from tests.containers.registry import running_registry

Made = TypeVar("Made")

on_each_base = pytest.mark.parametrize(
    "runner_image", ["bookworm", "trixie", "musl"], indirect=True
)
on_each_libc = pytest.mark.parametrize("runner_image", ["bookworm", "musl"], indirect=True)
"""For tests of visits: on which bases the master image is made."""


not_in_gvisor = pytest.mark.not_in_gvisor
"""For tests that say with a reason why they are left out with PHT_TEST_RUNTIME=runsc."""
NOT_PID_1 = not_in_gvisor("a runner that is not PID 1 is refused there")
MEMORY_LIMIT = not_in_gvisor("a train that exceeds --memory ends the whole container there")
NO_LANDLOCK = not_in_gvisor("it has no Landlock, without which some visits are refused")
NO_VOLUMES = not_in_gvisor("it does not show which mounts are anonymous volumes")
SLOW_START = not_in_gvisor("its kernel shares the processor that --cpus leaves to the container")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known; start an engine, if one has to be there, for all workers together."""
    config.addinivalue_line("markers", "container: needs a container engine")
    config.addinivalue_line("markers", "not_in_gvisor(reason): what is different there by design")
    if not hasattr(config, "workerinput"):
        started = ExitStack()
        with suppress(Unavailable):  # as the first test says that needs it
            started.enter_context(working_engine())
        config.add_cleanup(started.close)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that use the engine, before others look at marks; leave some out in gVisor."""
    for item in items:
        if isinstance(item, pytest.Function) and "engine" in item.fixturenames:
            item.add_marker(pytest.mark.container)
    if os.environ.get(RUNTIME) == "runsc":
        left_out = [item for item in items if item.get_closest_marker("not_in_gvisor")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A working container engine, left without anything that the tests made in it."""
    found = or_skip(connected)
    yield found
    found.remove_all()


@pytest.fixture(scope="session")
def base_image(engine: Engine, request: pytest.FixtureRequest) -> str:
    """The tag of a base, unless parametrised a Debian with `python3` and `python`."""
    return or_skip(lambda: make_base(engine, getattr(request, "param", "bookworm")))


@pytest.fixture(scope="session")
def make_runner(engine: Engine) -> Callable[[str], str]:
    """A function that makes a master image on a base, once in a session, and returns its tag."""
    return cache(lambda base: make_master(engine, "slim" if base == "musl" else "buster", base))


@pytest.fixture(scope="session")
def runner_image(make_runner: Callable[[str], str], request: pytest.FixtureRequest) -> str:
    """The tag of the master image on a base, unless parametrised `buster` on bookworm."""
    return or_skip(lambda: make_runner(getattr(request, "param", "bookworm")))


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address, with a slash, of a registry that the engine reaches."""
    with ExitStack() as stack:
        running = running_registry(tmp_path_factory.mktemp("registry"))
        yield or_skip(lambda: stack.enter_context(running))


@pytest.fixture(scope="session")
def others() -> Iterator[OtherEngines]:
    """Podman, buildah and skopeo, with a store of their own."""
    with ExitStack() as stack:
        yield or_skip(lambda: stack.enter_context(other_engines()))


def gvisor(engine: Engine, runtime: str = "runsc") -> list[str]:
    """Return the options of a container in gVisor; may raise Unavailable."""
    if not engine.has_runtime(runtime):
        raise Unavailable(f"the engine has no runtime called {runtime}")
    return ["--runtime", runtime]


def or_skip(make: Callable[[], Made]) -> Made:
    """Call `make`, and skip the test if this machine cannot make it."""
    try:
        return make()
    except Unavailable as reason:
        pytest.skip(str(reason))
