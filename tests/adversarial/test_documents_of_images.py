"""Documents of an image with values of any type: the end is a verdict or an error of ours."""

import copy
import io
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from entrypoint.errors import IntegrityError, MalformedTrain, SettingsError
from entrypoint.images.archive import read_image
from entrypoint.images.masters import Master, master_of, parse_masters, write_masters
from entrypoint.images.validate import validate
from tests.adversarial.hostile_images.images import (
    TRAIN,
    above,
    docker_archive,
    docker_files,
    manifest_of,
    oci_archive,
    packed,
    zipped,
)
from tests.archives import MASTER, descriptor, entry

VALUES: list[Any] = [None, True, 1, 1.5, 10**30, "", "x", "a\0b", "\ud800"]
VALUES += [[], {}, [None], ["x"], ["a", 1], [[]], [{}], {"x": 1}]
"""A value of every type, and some that hold others."""

IMAGE = TRAIN.set(
    Labels={"a": "b"},
    OnBuild=[],
    Volumes={},
    WorkingDir="/",
    ExposedPorts={},
)
STORED = [zipped(layer) for layer in IMAGE.layers]
MANIFEST = manifest_of(STORED, IMAGE.config, annotations={"org.opencontainers.image.title": "b"})
PLACE = {"platform": {"os": "linux"}, "annotations": {"io.containerd.image.name": "x"}}
DESCRIPTOR = descriptor(MANIFEST, "application/vnd.oci.image.manifest.v1+json") | PLACE

MASTERS = [master_of(read_image(io.BytesIO(MASTER)), "master")]

DOCUMENTS: dict[str, tuple[Any, Callable[[bytes], bytes]]] = {
    "configuration": (
        json.loads(IMAGE.config),
        lambda text: docker_archive(IMAGE, config=text),
    ),
    "manifest.json": (
        json.loads(docker_files(IMAGE)["manifest.json"]),
        lambda text: packed({**docker_files(IMAGE), "manifest.json": text}),
    ),
    "manifest": (
        json.loads(MANIFEST),
        lambda text: oci_archive([*STORED, IMAGE.config], text),
    ),
    "index.json": (
        {"schemaVersion": 2, "manifests": [DESCRIPTOR]},
        lambda text: oci_archive([*STORED, IMAGE.config, MANIFEST], **{"index.json": text}),
    ),
    "train_config.json": (
        {"file_list": ["train.py"], "route": []},
        lambda text: docker_archive(above(entry("opt/train_config.json", text))),
    ),
}
"""By name: a document, and the archive with another text in its place."""


def places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the way to each value in a document, the document itself first."""
    yield place
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*place, key))


def changed(document: Any) -> Iterator[bytes]:
    """Yield a document with each of VALUES in the place of each of its values."""
    for way in places(document):
        for value in VALUES:
            yield json.dumps(replaced(document, way, value)).encode()


def replaced(document: Any, way: tuple[str | int, ...], value: Any) -> Any:
    """Return a document with another value at the end of a way."""
    if not way:
        return value
    copied = copy.copy(document)
    copied[way[0]] = replaced(document[way[0]], way[1:], value)
    return copied


def accepts(archive: bytes, masters: list[Master]) -> bool:
    """Return whether an image is accepted; an error that is not ours fails the test."""
    with suppress(MalformedTrain, IntegrityError):
        return validate(read_image(io.BytesIO(archive)), masters).accepted
    return False


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_value_of_another_type_is_judged_or_refused(name: str) -> None:
    document, archive = DOCUMENTS[name]
    assert accepts(archive(json.dumps(document).encode()), MASTERS)
    verdicts = [accepts(archive(text), MASTERS) for text in changed(document)]
    assert not all(verdicts)


def test_a_master_with_a_value_of_another_type_is_judged_or_refused() -> None:
    document = json.loads(write_masters(MASTERS))
    archive = docker_archive(IMAGE)
    judged = 0
    for text in changed(document):
        with suppress(SettingsError):
            accepts(archive, parse_masters(text, "masters.json"))
            judged += 1
    assert judged
