"""Fixtures of the recipes, and those of the container tests that they share."""

from tests.containers.conftest import arrive, client, data, pht_program, train_image

__all__ = ["arrive", "client", "data", "pht_program", "train_image"]
