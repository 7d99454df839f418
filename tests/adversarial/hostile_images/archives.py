"""Archives that mean another image than they seem to, or that are none."""

import json
from typing import Any

from tests.adversarial.hostile_images.case import Case
from tests.adversarial.hostile_images.images import (
    CREATED,
    EVIL,
    TRAIN,
    docker_archive,
    docker_files,
    manifest_of,
    oci_archive,
    packed,
    symlink,
    with_entries,
    zipped,
)
from tests.archives import Json, descriptor, entry, folder, sha256, tar
from tests.archives import layout as oci_layout

Files = dict[str, bytes]

EVIL_IMAGE = with_entries(entry("usr/bin/more", EVIL))
FILES, EVIL_FILES = docker_files(TRAIN), docker_files(EVIL_IMAGE)
BASE, RUNNER, OWN = TRAIN.layers

HONEST_ARCHIVE = packed(FILES)


def malformed(
    name: str,
    effect: str,
    hostile: bytes,
    where: str,
    twin: bytes = HONEST_ARCHIVE,
    code: str = "archive-malformed",
) -> Case:
    """Return a case of an archive; `where` is what is named."""
    return Case(name=name, effect=effect, hostile=hostile, twin=twin, code=code, where=where)


def name_of(layer: bytes) -> str:
    """Return the name of a layer in the honest archive."""
    return next(name for name, data in FILES.items() if data == layer)


def without(name: str) -> Files:
    """Return the files of the honest archive without one of them."""
    return {other: data for other, data in FILES.items() if other != name}


def images_of(files: Files) -> Any:
    """Return the images in a manifest.json."""
    return json.loads(files["manifest.json"])


MANIFESTS = (
    malformed(
        "manifest-twice",
        "has manifest.json twice",
        packed({**EVIL_FILES, **FILES}, entry("manifest.json", EVIL_FILES["manifest.json"])),
        "manifest.json twice",
    ),
    malformed(
        "two-images",
        "has two images",
        packed(
            {
                **EVIL_FILES,
                "manifest.json": json.dumps(images_of(FILES) + images_of(EVIL_FILES)).encode(),
                **(without("manifest.json")),
            }
        ),
        "2 images",
        code="several-images",
    ),
    malformed(
        "no-manifest",
        "has neither manifest.json nor index.json",
        packed(without("manifest.json")),
        "neither a manifest.json nor an index.json",
    ),
    malformed(
        "manifest-in-capitals",
        "has its list of layers a second time, in capitals",
        docker_archive(TRAIN, LAYERS=images_of(EVIL_FILES)[0]["Layers"]),
        "the key 'LAYERS' in the place of another",
        docker_archive(TRAIN, Parent=""),
    ),
    malformed(
        "config-by-dots",
        "reads its configuration elsewhere",
        docker_archive(TRAIN, Config="../../etc/passwd"),
        "a configuration that it does not hold",
    ),
    malformed(
        "name-by-dots",
        "unpacks a file elsewhere",
        packed(FILES, entry("../evil", EVIL)),
        "../evil is no plain path",
    ),
    malformed(
        "layer-is-link-out",
        "reads a layer from the disk of the station",
        packed(without(name_of(OWN)), symlink(name_of(OWN), "/etc/passwd")),
        "layer 3",
        code="layer-missing",
    ),
    malformed(
        "link-in-archive",
        "has a link that leads out of the archive",
        packed(FILES, symlink("more", "/etc")),
        "more is neither a file nor a folder",
    ),
    malformed(
        "layer-file-twice",
        "has the file of a layer twice",
        packed(FILES, entry(name_of(BASE), BASE)),
        f"{name_of(BASE)} twice",
    ),
    malformed(
        "archive-cut-off", "ends in the middle", HONEST_ARCHIVE[:-2000], "without the blocks"
    ),
    malformed(
        "second-archive",
        "has a second archive behind its end",
        HONEST_ARCHIVE + packed(EVIL_FILES),
        "behind its end",
        HONEST_ARCHIVE + bytes(8192),
    ),
    malformed("empty", "is empty", b"", "without the blocks"),
    malformed(
        "nested-json",
        "has a manifest that nests without end",
        packed({**FILES, "manifest.json": b"[" * 100_000}),
        "manifest.json is nested deeper",
    ),
    malformed(
        "manifest-is-folder",
        "has a folder in the place of the manifest",
        packed(without("manifest.json"), folder("manifest.json")),
        "neither a manifest.json nor an index.json",
    ),
)


# --- archives that engines read beside their names -----------------------------------------------


CONFIG = images_of(FILES)[0]["Config"]
STARTS_EVIL = TRAIN.set(Entrypoint=["/bin/sh", "-c", "evil"]).config


def config_at(path: str) -> Files:
    """Return the files of an archive whose manifest names another path of the configuration."""
    [image] = images_of(FILES)
    return {**FILES, "manifest.json": json.dumps([{**image, "Config": path}]).encode()}


READERS = (
    malformed(
        "config-through-link",
        "replaces its configuration through a link to the folder above",
        packed(FILES, symlink("x/layer.tar", ".."), entry(f"x/layer.tar/{CONFIG}", STARTS_EVIL)),
        "lies below x/layer.tar",
        packed(FILES, symlink("x/layer.tar", f"../{name_of(OWN)}")),
    ),
    malformed(
        "config-is-link-in-archive",
        "has a link for its configuration, which engines follow differently",
        packed(
            {**config_at("x/layer.tar"), "b/y": TRAIN.config, "c/y": STARTS_EVIL, "c/file": EVIL},
            symlink("b/layer.tar", "../c/file"),
            symlink("x/layer.tar", "../b/layer.tar/../y"),
        ),
        "a configuration that it does not hold",
        packed({**config_at("b/y"), "b/y": TRAIN.config}),
    ),
    malformed(
        "bzip2",
        "may be another archive after decompression, for which engines take it",
        packed({"BZh9": EVIL, **FILES}),
        "begins as if it were",
        packed({"BZip": EVIL, **FILES}),
    ),
)


# --- OCI layouts ----------------------------------------------------------------------------------


STORED, EVIL_STORED = ([*map(zipped, image.layers)] for image in (TRAIN, EVIL_IMAGE))
BLOBS = [*STORED, TRAIN.config]
EVIL_BLOBS = [*EVIL_STORED, EVIL_IMAGE.config]
MANIFEST = manifest_of(STORED, TRAIN.config)
EVIL_MANIFEST = manifest_of(EVIL_STORED, EVIL_IMAGE.config)
OTHER = zipped(tar(entry("usr/bin/more", EVIL)))

HONEST_LAYOUT = oci_archive(BLOBS, MANIFEST)


def layout(
    name: str, effect: str, hostile: bytes, where: str, code: str, twin: bytes = HONEST_LAYOUT
) -> Case:
    """Return a case of an OCI layout."""
    return malformed(name, effect, hostile, where, twin, code)


def path_of(blob: bytes) -> str:
    """Return the path of a blob."""
    return f"blobs/sha256/{sha256(blob)[7:]}"


def annotated(key: str) -> bytes:
    """Return an OCI layout whose manifest has an annotation."""
    return oci_archive(BLOBS, manifest_of(STORED, TRAIN.config, annotations={key: "1"}))


OLD = {"id": "a" * 64, "created": CREATED, "config": {"Entrypoint": ["/evil"]}}
OLD_FILES = {
    "old/layer.tar": tar(entry("evil", EVIL)),
    "old/VERSION": b"1.0",
    "repositories": json.dumps({"train": {"latest": "old"}}).encode(),
}
LINUX = {"architecture": "amd64", "os": "linux"}
NO_PLATFORM = {"architecture": "unknown", "os": "unknown"}
ATTESTATION = "application/vnd.in-toto+json"
ATTESTING = manifest_of(
    EVIL_STORED,
    EVIL_IMAGE.config,
    layers=[descriptor(blob, ATTESTATION) for blob in EVIL_STORED],
)


def with_attestation(platform: Json) -> bytes:
    """Return an OCI layout with an image that calls its layers attestations."""
    kind = "application/vnd.oci.image.manifest.v1+json"
    found = [
        {**descriptor(ATTESTING, kind), "platform": platform},
        {**descriptor(MANIFEST, kind), "platform": LINUX},
    ]
    inner = json.dumps({"manifests": found}).encode()
    blobs = [*{*BLOBS, *EVIL_BLOBS, MANIFEST, ATTESTING, inner}]
    return oci_layout({}, blobs, descriptor(inner, "application/vnd.oci.image.index.v1+json"))


LAYOUTS = (
    layout(
        "image-of-docker-1.9",
        "has an image as Docker before 1.10 saved it, which later ones load",
        oci_archive(BLOBS, MANIFEST, **OLD_FILES, **{"old/json": json.dumps(OLD).encode()}),
        "Docker before 1.10",
        "archive-malformed",
        oci_archive(BLOBS, MANIFEST, **OLD_FILES),
    ),
    layout(
        "image-as-attestation",
        "calls its layers attestations, which engines unpack all the same",
        with_attestation(LINUX),
        "2 images",
        "several-images",
        with_attestation(NO_PLATFORM),
    ),
    layout(
        "index-and-manifest",
        "has a document that is a list of images and an image",
        oci_archive(
            [*{*BLOBS, *EVIL_BLOBS, MANIFEST}],
            manifest_of(
                EVIL_STORED,
                EVIL_IMAGE.config,
                manifests=[descriptor(MANIFEST, "application/vnd.oci.image.manifest.v1+json")],
            ),
        ),
        "has the key config",
        "archive-malformed",
    ),
    layout(
        "blob-of-other-digest",
        "has another blob than its name says",
        oci_archive([*STORED[1:], TRAIN.config], MANIFEST, **{path_of(STORED[0]): OTHER}),
        path_of(STORED[0]),
        "archive-name",
    ),
    layout(
        "config-of-other-digest",
        "has another configuration than its name says",
        oci_archive(STORED, MANIFEST, **{path_of(TRAIN.config): EVIL_IMAGE.config}),
        "the configuration is missing",
        "archive-malformed",
    ),
    layout(
        "two-manifests",
        "has two images, of which engines take either",
        oci_archive([*{*BLOBS, *EVIL_BLOBS}], MANIFEST, EVIL_MANIFEST),
        "2 images",
        "several-images",
    ),
    layout(
        "other-image-in-manifest",
        "is one image by index.json and another one by manifest.json",
        oci_archive(BLOBS, MANIFEST, **EVIL_FILES),
        "2 images",
        "several-images",
        oci_archive(BLOBS, MANIFEST, **FILES),
    ),
    layout(
        "layer-of-manifest",
        "has another layer by its manifest than by its configuration",
        oci_archive([*BLOBS, OTHER], manifest_of([STORED[0], OTHER, STORED[2]], TRAIN.config)),
        "layer 2",
        "layers-differ",
        oci_archive([*BLOBS, OTHER], MANIFEST),
    ),
    layout(
        "annotation",
        "tells the runtime to start another program",
        annotated("run.oci.handler"),
        "manifest",
        "annotation-refused",
        annotated("org.opencontainers.image.base.name"),
    ),
)
