"""The options of a station without a station folder: its id and its key in the environment."""

import shlex
from collections.abc import Sequence

from entrypoint.author.container_options import OPTIONS
from tests import reference
from tests.containers.engine import Engine
from tests.containers.visitor import (
    SECOND,
    Container,
)

PEM = reference.vector_key(SECOND, private=True)
ID = ("--env", f"STATION_ID={SECOND}")
KEY = ("--env", f"RSA_STATION_PRIVATE_KEY={PEM.hex()}")

RECOMMENDED = shlex.split(shlex.join(OPTIONS).replace("--network none", ""))
"""The documented options, but for one that every container of the tests has already."""


def container(engine: Engine, image: str, options: Sequence[str], *command: str) -> Container:
    """Create a container with options and, unless a command is given, the CMD of its image."""
    return Container(engine, engine.create(image, *command, options=options))
