"""Fixtures of the recipes, and those of the container tests that they share."""

from collections.abc import Callable

import pytest

from tests.containers.conftest import arrive, client, pht_program, train_image
from tests.containers.fixtures import or_skip

__all__ = ["arrive", "client", "pht_program", "train_image"]


@pytest.fixture(scope="session")
def runner_image(make_runner: Callable[[str], str]) -> str:
    """The tag of the smallest master image."""
    return or_skip(lambda: make_runner("musl"))
