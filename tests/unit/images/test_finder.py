"""Documents of an archive that could lead an engine to another image."""

import json
from typing import Any

import pytest

from entrypoint.errors import PhtError
from tests.archives import (
    MASTER_LAYERS,
    Json,
    entry,
    image_config,
    layout,
    oci_blobs,
    sha256,
    tar,
    train_layer,
)
from tests.unit.images.reading import read

LAYERS = [*MASTER_LAYERS, train_layer()]
CONFIG = image_config(LAYERS)
BLOBS, MANIFEST = oci_blobs(LAYERS, CONFIG, compressed=False)
NOWHERE = {"platform": {"architecture": "unknown", "os": "unknown"}}

EVIL = image_config(LAYERS, {"Entrypoint": ["sh"]})
EVIL_BLOBS, EVIL_MANIFEST = oci_blobs(LAYERS, EVIL, compressed=False)


def problem(archive: bytes) -> tuple[str, str]:
    """Return code and message of the refusal of an archive."""
    with pytest.raises(PhtError) as caught:
        read(archive)
    return caught.value.code, caught.value.message


def indexed(*descriptors: Json, blobs: tuple[bytes, ...] = ()) -> bytes:
    """Return an OCI layout with the honest and the evil image, whose index has these entries."""
    return layout({}, [*BLOBS, *EVIL_BLOBS[3:], *blobs], *descriptors)


def changed(**members: Any) -> tuple[bytes, Json]:
    """Return a manifest with other members, and its descriptor."""
    data = json.dumps({**json.loads(BLOBS[-1]), **members}).encode()
    return data, {"digest": sha256(data)}


def test_an_image_with_the_platform_of_an_attestation_counts_at_the_top() -> None:
    assert problem(indexed(MANIFEST, EVIL_MANIFEST | NOWHERE))[0] == "several-images"


def test_a_manifest_in_another_notation_is_not_passed_over() -> None:
    blank = b"\n" + EVIL_BLOBS[-1]
    code, message = problem(indexed(MANIFEST, {"digest": sha256(blank)}, blobs=(blank,)))
    assert (code, "no JSON" in message) == ("archive-malformed", True)


def test_a_digest_of_another_kind_is_not_passed_over() -> None:
    code, message = problem(indexed(MANIFEST, {"digest": "sha512:" + "0" * 128}))
    assert (code, "without a SHA-256" in message) == ("archive-malformed", True)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"manifests": []}, "the key config"),
        ({"Manifests": []}, "the key Manifests"),
        ({"Annotations": {}}, "the key 'Annotations'"),
        ({"config": {"Digest": sha256(EVIL)}}, "the key 'Digest'"),
        ({"layers": {}}, "no list"),
    ],
)
def test_a_manifest_that_engines_may_read_differently(members: Json, reason: str) -> None:
    data, described = changed(**members)
    code, message = problem(indexed(described, blobs=(data,)))
    assert (code, reason in message) == ("archive-malformed", True), message


def test_indexes_that_name_each_other_again_and_again() -> None:
    inner = json.dumps({"manifests": [MANIFEST] * 1000}).encode()
    middle = json.dumps({"manifests": [{"digest": sha256(inner)}] * 1000}).encode()
    image = read(indexed({"digest": sha256(middle)}, blobs=(inner, middle)))
    assert image.ids[0] == sha256(CONFIG)


def test_indexes_that_are_nested_too_deep() -> None:
    blobs = [BLOBS[-1]]
    for _ in range(4):
        blobs.append(json.dumps({"manifests": [{"digest": sha256(blobs[-1])}]}).encode())
    code, message = problem(indexed({"digest": sha256(blobs[-1])}, blobs=tuple(blobs)))
    assert (code, "too deep" in message) == ("archive-malformed", True)


def test_a_document_with_more_values_than_fit_into_memory() -> None:
    code, message = problem(tar(entry("manifest.json", b"[" + b"0," * 100_000 + b"0]")))
    assert (code, "manifest.json holds too many values" in message) == ("archive-malformed", True)


@pytest.mark.parametrize("name", ["manifest.json", "index.json"])
def test_a_document_that_is_a_folder(name: str) -> None:
    assert problem(tar(entry(f"{name}/", kind=b"5")))[0] == "archive-malformed"
