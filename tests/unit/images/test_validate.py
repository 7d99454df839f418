"""Trains that are accepted, in every form of archive."""

import io

import pytest

from entrypoint.images.archive import read_image
from entrypoint.images.masters import master_of
from entrypoint.images.validate import Verdict, validate
from tests.archives import (
    MASTER,
    MASTER_LAYERS,
    docker_archive,
    image_config,
    oci_archive,
    train_layer,
)

LAYERS = [*MASTER_LAYERS, train_layer()]
CONFIG = image_config(LAYERS)


def verdict_on(archive: bytes) -> Verdict:
    """Return the verdict on an archive of a train on MASTER."""
    master = master_of(read_image(io.BytesIO(MASTER)), "master")
    return validate(read_image(io.BytesIO(archive)), [master])


@pytest.mark.parametrize(
    "archive",
    [
        docker_archive(LAYERS, CONFIG),
        oci_archive(LAYERS, CONFIG),
        oci_archive(LAYERS, CONFIG, compressed=False),
    ],
    ids=["docker", "oci-gzip", "oci-plain"],
)
def test_a_plain_train_is_accepted(archive: bytes) -> None:
    verdict = verdict_on(archive)
    assert verdict.differences == ()
    assert verdict.accepted
