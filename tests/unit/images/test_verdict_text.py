"""How a verdict is shown."""

import io

from entrypoint.images.archive import read_image
from entrypoint.images.masters import master_of
from entrypoint.images.validate import validate
from entrypoint.station.validate_image import verdict_text
from tests.archives import (
    MASTER,
    MASTER_LAYERS,
    image_config,
    oci_archive,
    oci_blobs,
    sha256,
    train_layer,
)

LAYERS = [*MASTER_LAYERS, train_layer()]
CONFIG = image_config(LAYERS)


def test_an_image_is_named_by_every_digest_by_which_an_engine_calls_it() -> None:
    master = master_of(read_image(io.BytesIO(MASTER)), "master")
    *_, manifest = oci_blobs(LAYERS, CONFIG, compressed=True)[0]

    text = verdict_text(
        validate(read_image(io.BytesIO(oci_archive(LAYERS, CONFIG))), [master]), as_json=False
    )

    assert text.splitlines() == [
        f"image: {sha256(CONFIG)} {sha256(manifest)}",
        "master image: train:latest",
        "verdict: accepted",
    ]
