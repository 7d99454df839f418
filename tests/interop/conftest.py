"""Fixtures of the interoperability tests: the published package, stations, and trains."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.containers.engine import Engine
from tests.containers.fixtures import or_skip
from tests.containers.visitor import RUNS_TRAIN, Container, build_image
from tests.interop import environments
from tests.interop.authors import (
    BUILDER,
    USER,
    Author,
    by_published_route_builder,
    by_train_builder,
)
from tests.interop.journey import ROUTE_STATIONS, STATIONS, Journey
from tests.interop.shapes import SHAPES

KEY_BITS = dict(zip((USER, *STATIONS), (3072, 2048, 3072, 4096, 2048), strict=True))
ROUTE_KEY_BITS = dict.fromkeys((BUILDER, *ROUTE_STATIONS[3:]), 2048)

Depart = Callable[..., Journey]
"""Takes an author, the command of the image, and a last change of the train; all may be left out.
"""

_NUMBERS = itertools.count()


@pytest.fixture(scope="session", params=["0.9.0", "1.0.0"])
def published(request: pytest.FixtureRequest) -> Path:
    """The Python that has one version of the published package."""
    return or_skip(lambda: environments.make(request.param))


@pytest.fixture(scope="session")
def published_route() -> Path:
    """The Python that has the published package of the route generation."""
    return or_skip(lambda: environments.make(environments.ROUTE_VERSION))


@pytest.fixture(scope="session")
def keys() -> dict[str, bytes]:
    """The private keys (PEM) of the user, the builder and the stations, of different sizes."""
    return {name: _new_key(bits) for name, bits in {**KEY_BITS, **ROUTE_KEY_BITS}.items()}


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of data, by the name of their shape."""
    folders = {}
    for shape in SHAPES:
        folder = tmp_path_factory.mktemp(shape.__name__)
        shape(folder)
        folders[shape.__name__] = folder
    return folders


@pytest.fixture
def depart(
    engine: Engine, runner_image: str, published: Path, keys: dict[str, bytes], tmp_path: Path
) -> Depart:
    """A function that builds a flat train, puts it into an image, and returns its journey."""
    return _departure(engine, runner_image, published, keys, tmp_path, by_train_builder)


@pytest.fixture
def depart_route(
    engine: Engine,
    runner_image: str,
    published_route: Path,
    keys: dict[str, bytes],
    tmp_path: Path,
) -> Depart:
    """Like `depart`, for a train of the route generation."""
    author = by_published_route_builder
    return _departure(engine, runner_image, published_route, keys, tmp_path, author)


def _departure(
    engine: Engine,
    runner: str,
    published: Path,
    keys: Mapping[str, bytes],
    folder: Path,
    usual_author: Author,
) -> Depart:
    def start(
        author: Author = usual_author,
        command: Sequence[str] = RUNS_TRAIN,
        change: Callable[[Path], object] = lambda opt: None,
    ) -> Journey:
        opt = author(folder, keys)
        change(opt)
        image = build_image(engine, runner, command, name="journey")
        repository = f"pht-test-{engine.session}-{next(_NUMBERS)}"
        container = Container.create(engine, image, opt, [])
        for tag in ("base", "latest"):
            engine.must("commit", container.id, f"{repository}:{tag}")
        return Journey(engine, repository, keys, published, folder)

    return start


def _new_key(bits: int) -> bytes:
    return rsa.generate_private_key(65537, bits).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
