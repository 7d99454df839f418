"""A train on the master image of `tests.archives`, with one thing changed."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.archives import (
    MASTER_LAYERS,
    SYMLINK,
    Json,
    descriptor,
    entry,
    image_config,
    layout,
    sha256,
    tar,
    train_layer,
)

EVIL = b"EVIL"
"""Content of hostile files."""

CREATED = "2026-01-02T03:04:05Z"


@dataclass(frozen=True)
class Image:
    """An image: its layers, uncompressed, and what its configuration has other than a train's.

    Attributes:
        layers: the lowest first.
        settings: of the member `config`; None removes one.
        members: other ones of the configuration.
    """

    layers: tuple[bytes, ...]
    settings: Json = field(default_factory=dict)
    members: Json = field(default_factory=dict)

    def set(self, **settings: Any) -> "Image":
        """Return an image with other settings."""
        return replace(self, settings={**self.settings, **settings})

    def having(self, **members: Any) -> "Image":
        """Return an image with other members of the configuration."""
        return replace(self, members={**self.members, **members})

    @property
    def config(self) -> bytes:
        """The configuration, with a history, which published stations compare."""
        history = [
            {"created": CREATED, "created_by": f"layer {number}"}
            for number, _ in enumerate(self.layers)
        ]
        return image_config(self.layers, self.settings, history=history, **self.members)


MASTER = Image(tuple(MASTER_LAYERS), {"Cmd": None})
TRAIN = Image((*MASTER_LAYERS, train_layer()))


def with_entries(*entries: bytes) -> Image:
    """Return a train whose layer has more entries, behind the usual ones."""
    return Image((*MASTER_LAYERS, train_layer(*entries)))


def above(*entries: bytes) -> Image:
    """Return a train with one layer more, of these entries."""
    return Image((*TRAIN.layers, tar(*entries)))


def symlink(name: str, target: str) -> bytes:
    """Return the entry of a symlink."""
    return entry(name, kind=SYMLINK, link=target.encode(), mode=0o777)


# --- archives ------------------------------------------------------------------------------------


def docker_files(image: Image, config: bytes | None = None, **members: Any) -> dict[str, bytes]:
    """Return the files of an archive of `docker save`.

    Args:
        image: the image.
        config: stands in the place of its configuration.
        members: of its entry in manifest.json.
    """
    config = image.config if config is None else config
    names = [f"{sha256(layer)[7:]}/layer.tar" for layer in image.layers]
    config_name = f"{sha256(config)[7:]}.json"
    manifest = {"Config": config_name, "RepoTags": ["train:latest"], "Layers": names, **members}
    files = dict(zip(names, image.layers, strict=True))
    return {**files, config_name: config, "manifest.json": json.dumps([manifest]).encode()}


def docker_archive(image: Image, config: bytes | None = None, **members: Any) -> bytes:
    """Return such an archive; see `docker_files`."""
    return packed(docker_files(image, config, **members))


def packed(files: dict[str, bytes], *more: bytes) -> bytes:
    """Return an archive of files, and of entries behind them."""
    return tar(*(entry(name, data) for name, data in files.items()), *more)


def manifest_of(stored: Sequence[bytes], config: bytes, **members: Any) -> bytes:
    """Return the manifest of an OCI layout, whose layers are stored compressed."""
    manifest = {
        "schemaVersion": 2,
        "config": descriptor(config, "application/vnd.oci.image.config.v1+json"),
        "layers": [
            descriptor(blob, "application/vnd.oci.image.layer.v1.tar+gzip") for blob in stored
        ],
    }
    return json.dumps({**manifest, **members}).encode()


def oci_archive(blobs: Sequence[bytes], *manifests: bytes, **files: bytes) -> bytes:
    """Return an OCI layout in a tar: blobs, the manifests of its index, and more files."""
    kind = "application/vnd.oci.image.manifest.v1+json"
    found = [descriptor(manifest, kind) for manifest in manifests]
    return layout(files, [*blobs, *manifests], *found)


def zipped(layer: bytes) -> bytes:
    """Return a layer as it is stored."""
    return gzip.compress(layer, mtime=0)
