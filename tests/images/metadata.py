"""Metadata of images, as the engine reports them."""

import json
from typing import Any

from tests.containers.engine import Engine

LABEL = "org.opencontainers.image."


def inspect(engine: Engine, tag: str) -> Any:
    """Return the metadata of an image."""
    return json.loads(engine.must("image", "inspect", tag))[0]
