"""Reads archives and compares them with the master image of `tests.archives`."""

import io

from entrypoint.images.archive import Image, read_image
from entrypoint.images.masters import master_of
from entrypoint.images.validate import Verdict, validate
from tests.archives import MASTER


def read(archive: bytes) -> Image:
    """Return the image in an archive."""
    return read_image(io.BytesIO(archive))


def verdict_on(archive: bytes) -> Verdict:
    """Return the verdict on a train's image."""
    return validate(read(archive), [master_of(read(MASTER), "master")])


def named(archive: bytes) -> list[tuple[str, str]]:
    """Return code and place of the differences of an image that is accepted."""
    verdict = verdict_on(archive)
    assert verdict.accepted, verdict.differences
    return [(found.code, found.where) for found in verdict.differences]


def refused(archive: bytes) -> set[str]:
    """Return the codes for which an image is refused."""
    verdict = verdict_on(archive)
    assert not verdict.accepted
    return {found.code for found in verdict.differences if found.refused}
