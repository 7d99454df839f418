"""Layers that are not the master's, or that readers end at different places."""

from dataclasses import replace

from tests.adversarial.hostile_images.case import Case
from tests.adversarial.hostile_images.images import (
    EVIL,
    TRAIN,
    Image,
    docker_archive,
    manifest_of,
    oci_archive,
    zipped,
)
from tests.archives import entry, tar, train_layer

BASE, RUNNER, OWN = TRAIN.layers

HIDDEN = entry("usr/bin/more", EVIL)
WRONG_SUM = entry("opt/pht_train/x", EVIL).replace(b"pht_train", b"pht_brain")


def changed(layer: bytes) -> bytes:
    """Return a layer with one other byte in the content of a file."""
    return layer.replace(b"#!\n", b"#?\n").replace(b"root:x:", b"root::x")


def on(*layers: bytes) -> Image:
    """Return a train on these layers in the place of the master's."""
    return replace(TRAIN, layers=(*layers, OWN))


def ending(layer: bytes) -> Image:
    """Return a train with this layer."""
    return replace(TRAIN, layers=(BASE, RUNNER, layer))


def other_master(name: str, effect: str, hostile: Image) -> Case:
    """Return a case of layers that are not the master's."""
    return Case(
        name=name,
        effect=effect,
        hostile=hostile,
        twin=TRAIN,
        code="master-unknown",
        where="layers",
    )


def damaged(name: str, effect: str, hostile: bytes, twin: bytes = OWN) -> Case:
    """Return a case of a layer that cannot be read to its end, or has one too many."""
    return Case(
        name=name,
        effect=effect,
        hostile=ending(hostile),
        twin=ending(twin),
        code="layer-unreadable",
        where="layer 3",
    )


def compressed(name: str, effect: str, hostile: bytes, twin: bytes, layer: bytes = OWN) -> Case:
    """Return a case of a compressed layer in an OCI layout; `layer` is what the hostile one is."""
    return Case(
        name=name,
        effect=effect,
        hostile=stored(hostile, layer),
        twin=stored(twin, OWN),
        code="layer-unreadable",
        where="layer 3",
    )


def stored(blob: bytes, layer: bytes) -> bytes:
    """Return an OCI layout of a train whose last layer is stored as this blob."""
    blobs, config = [zipped(BASE), zipped(RUNNER), blob], ending(layer).config
    return oci_archive([*blobs, config], manifest_of(blobs, config))


MASTERS = (
    other_master(
        "master-changed", "has another file in a layer of the master", on(changed(BASE), RUNNER)
    ),
    other_master("runner-changed", "has another runner", on(BASE, changed(RUNNER))),
    other_master("layers-swapped", "has the master's layers in another order", on(RUNNER, BASE)),
    other_master("layer-left-out", "lacks the upper layer of the master", on(BASE)),
    other_master(
        "layer-between",
        "has a layer between those of the master",
        on(BASE, tar(entry("opt/pht_train/x", EVIL)), RUNNER),
    ),
    other_master("no-layer", "has no layer", replace(TRAIN, layers=())),
    Case(
        name="digest-claimed",
        effect="says that its layers are the master's, and has others",
        hostile=docker_archive(on(changed(BASE), RUNNER), config=TRAIN.config),
        twin=docker_archive(on(BASE, RUNNER), config=TRAIN.config),
        code="layers-differ",
        where="layer 1",
    ),
)

ENDS = (
    damaged("layer-cut-off", "has a layer that ends in the middle", OWN[:700]),
    damaged(
        "layer-behind-its-end",
        "has entries behind the end of a layer",
        OWN + tar(HIDDEN),
        OWN + bytes(8192),
    ),
    damaged(
        "one-block-of-zeros",
        "has entries behind one block of zeros, where Python ends",
        train_layer(bytes(512), HIDDEN),
    ),
    damaged(
        "checksum-wrong",
        "has a header with a wrong checksum, where Python ends",
        train_layer(WRONG_SUM),
    ),
    damaged(
        "size-negative",
        "has a size below zero",
        train_layer(entry("opt/pht_train/x", at_124=b"\xff" * 12)),
    ),
    damaged(
        "time-malformed",
        "has a time that is no number, where Python ends",
        train_layer(entry("opt/pht_train/x", EVIL, at_136=b"000000\x100000\0")),
    ),
    damaged("layer-is-no-tar", "has a layer that is no archive", b"no tar" * 512),
)

PARTS = (
    compressed(
        "compressed-twice",
        "has a compressed layer with a second one behind it",
        zipped(OWN) + zipped(tar(HIDDEN)),
        zipped(OWN[:512]) + zipped(OWN[512:]),
        OWN + tar(HIDDEN),
    ),
    compressed(
        "behind-compressed",
        "has bytes behind a compressed layer",
        zipped(OWN) + b"evil",
        zipped(OWN),
    ),
    compressed(
        "compressed-cut-off",
        "has a compressed layer that ends in the middle",
        zipped(OWN)[:-9],
        zipped(OWN),
    ),
    compressed(
        "compressed-wrong-sum",
        "has a compressed layer with a wrong checksum",
        zipped(OWN)[:-8] + bytes(8),
        zipped(OWN),
    ),
)
