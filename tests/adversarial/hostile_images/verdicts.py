"""What Docker and published stations say about hostile images."""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.adversarial.hostile_images.case import Case
from tests.adversarial.hostile_images.images import MASTER, docker_archive
from tests.containers.engine import Engine

PUBLISHED_CHECK = Path(__file__).with_name("published_check.py")
TAG = b"train:latest"
"""The name of every image in our archives."""

ACCEPTS, REFUSES, FAILS = "accepts", "refuses", "fails"


class Verdict(NamedTuple):
    """What others say about an image.

    Attributes:
        loaded: whether `docker load` takes it.
        published: ACCEPTS, REFUSES, or FAILS where the check itself ends with an error; empty if it
            was not loaded.
    """

    loaded: bool
    published: str


def verdicts(engine: Engine, python: Path, cases: Sequence[Case]) -> dict[str, Verdict]:
    """Return the verdicts by the names of cases.

    Args:
        engine: loads the images, and has none of them afterwards.
        python: has the published package.
        cases: the hostile images.
    """
    with loaded(engine, [docker_archive(MASTER), *(case.archive for case in cases)]) as [
        master,
        *images,
    ]:
        assert master
        said = check(python, engine, master, [image for image in images if image])
    return {
        case.name: Verdict(bool(image), _word(said[image]) if image else "")
        for case, image in zip(cases, images, strict=True)
    }


@contextmanager
def loaded(engine: Engine, archives: Sequence[bytes]) -> Iterator[list[str]]:
    """Load archives under names of their own, for the block; an empty name for a refused one."""
    names: list[str] = []
    try:
        for archive in archives:
            name = f"{uuid.uuid4().hex[:9]}:t1"  # as long as TAG, so that the archive stays whole
            done = engine.call("load", stdin=archive.replace(TAG, name.encode()))
            names.append(name if done.status == 0 else "")
        yield names
    finally:
        engine.must("image", "rm", "--force", *filter(None, names))


def check(python: Path, engine: Engine, master: str, images: Sequence[str]) -> dict[str, str]:
    """Return the errors of the published check by the names of images in an engine."""
    done = subprocess.run(
        [python, "-I", PUBLISHED_CHECK, master, *images],
        env={**os.environ, "DOCKER_HOST": engine.address()},
        capture_output=True,
        text=True,
        check=True,
    )
    errors: dict[str, str] = json.loads(done.stdout)
    return errors


def _word(error: str) -> str:
    if not error:
        return ACCEPTS
    return REFUSES if error.startswith("ValueError: File system of train image") else FAILS
