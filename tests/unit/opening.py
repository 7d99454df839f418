"""Opens sealed trains for the tests of `decrypt-results`."""

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from entrypoint.author.decrypt_results import decrypt_results
from entrypoint.errors import PhtError
from tests import archives, reference
from tests.desk import Said
from tests.station import pht, snapshot

KEYS = reference.VECTORS / "keys"
READERS = (None, *reference.STATIONS)
VISITED = (1, 2, 3)


def key_file_of(station: str | None) -> Path:
    return KEYS / f"{station or 'user'}.sk.pem"


def open_train(
    source: Path,
    output: Path,
    *,
    key: Path | None = None,
    password_file: Path | None = None,
    station: str | None = None,
    paillier_key: Path | None = None,
) -> str:
    said = Said()
    decrypt_results(
        source,
        output,
        key=key or key_file_of(station),
        password_file=password_file,
        station=station,
        paillier_key=paillier_key,
        report=said,
    )
    return said.text


def assert_not_opened(
    error: type[PhtError], code: str, source: Path, output: Path, **options: Any
) -> PhtError:
    """Check that nothing is decrypted and that nothing of the attempt is left."""
    before = snapshot(output.parent)
    with pytest.raises(error) as refused:
        open_train(source, output, **options)
    assert refused.value.code == code
    assert snapshot(output.parent) == before
    return refused.value


def as_export(opt: Path, folder: Path) -> Path:
    assert pht("export", "--output", folder / "train.tar", root=opt.parent).status == 0
    return folder / "train.tar"


def as_copied_opt(opt: Path, folder: Path) -> Path:
    """Return a tar with `opt/` in front, as `docker cp CONTAINER:/opt -` writes it."""
    with tarfile.open(folder / "train.tar", "w") as tar:
        tar.add(opt, "opt")
    return folder / "train.tar"


def as_layer(opt: Path, *more: bytes) -> bytes:
    """Return a layer of an image with a train, and more entries of `tests.archives`."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(opt, "opt")
        end = tar.offset
    return layer.getvalue()[:end] + archives.tar(*more)


def as_image(opt: Path, folder: Path) -> Path:
    """Return the archive of an image that brings a train, as `docker save` writes it."""
    layers = [*archives.MASTER_LAYERS, as_layer(opt)]
    path = folder / "image.tar"
    path.write_bytes(archives.docker_archive(layers, archives.image_config(layers)))
    return path


def flip(path: Path, position: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
