"""Fixtures of the tests of master images: each of the three, on stand-ins for its bases."""

from dataclasses import dataclass

import pytest

from tests.containers.bases import make_base
from tests.containers.engine import Engine
from tests.containers.fixtures import or_skip
from tests.containers.images import make_master

PLACES = [("slim", "musl"), ("buster", "bookworm"), ("buster", "trixie"), ("dl", "trixie")]
"""A master image and what it stands on."""


@dataclass(frozen=True)
class Master:
    """A master image and the image that it was built on, as tags."""

    name: str
    tag: str
    base: str


@pytest.fixture(scope="session", params=PLACES, ids="-on-".join)
def master(request: pytest.FixtureRequest, engine: Engine) -> Master:
    """Return one of the master images, without packages for trains."""
    name, base = request.param
    tag = or_skip(lambda: make_master(engine, name, base, PACKAGES="plain"))
    return Master(name, tag, make_base(engine, base))
