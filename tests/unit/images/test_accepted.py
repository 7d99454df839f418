"""Images that are accepted: every form of archive, and what engines and stations leave in them."""

import gzip
import json

import pytest

from entrypoint.station.validate_image import verdict_text
from tests.archives import (
    HARD_LINK,
    MASTER_LAYERS,
    OPT,
    SYMLINK,
    Json,
    docker_archive,
    entry,
    folder,
    image_config,
    layout,
    oci_archive,
    oci_blobs,
    sha256,
    tar,
    train_archive,
    train_layer,
)
from tests.unit.images.reading import named, verdict_on

LAYERS = [*MASTER_LAYERS, train_layer()]
CONFIG = image_config(LAYERS)


def both_forms() -> bytes:
    """Return an archive as `docker save` writes it from version 25 on: an OCI layout and more."""
    blobs, manifest = oci_blobs(LAYERS, CONFIG, compressed=False)
    names = [f"blobs/sha256/{sha256(blob)[7:]}" for blob in (*LAYERS, CONFIG)]
    image = {"Config": names[-1], "RepoTags": ["train:latest"], "Layers": names[:-1]}
    return layout({"manifest.json": json.dumps([image]).encode()}, blobs, manifest)


def nested(*more: Json) -> bytes:
    """Return an OCI layout whose index names another index, of the image and more manifests."""
    blobs, manifest = oci_blobs(LAYERS, CONFIG, compressed=True)
    attestation = b'{"layers": []}'
    nowhere = {"architecture": "unknown", "os": "unknown"}
    described = {"digest": sha256(attestation), "platform": nowhere}
    inner = json.dumps({"manifests": [manifest, described, *more]}).encode()
    return layout({}, [*blobs, attestation, inner], {"digest": sha256(inner)})


def linked() -> bytes:
    """Return an archive whose repeated layer is a link, as those of docker and podman have them."""
    layers = [*LAYERS, LAYERS[-1]]
    config = image_config(layers)
    names = ["0/layer.tar", "1/layer.tar", "2/layer.tar"]
    image = {"Config": "config.json", "RepoTags": None, "Layers": [*names, "3/layer.tar"]}
    return tar(
        *(entry(name, layer) for name, layer in zip(names, layers, strict=False)),
        entry("3/layer.tar", kind=SYMLINK, link=b"../2/layer.tar"),
        entry("config.json", config),
        entry("manifest.json", json.dumps([image]).encode()),
    )


@pytest.mark.parametrize(
    "archive",
    [
        docker_archive(LAYERS, CONFIG),
        oci_archive(LAYERS, CONFIG),
        oci_archive(LAYERS, CONFIG, compressed=False),
        both_forms(),
        nested(),
        linked(),
        gzip.compress(docker_archive(LAYERS, CONFIG), 1),
    ],
    ids=["docker", "oci-gzip", "oci-plain", "both", "nested", "linked", "gzip"],
)
def test_every_form_of_archive(archive: bytes) -> None:
    assert named(archive) == []


def test_layers_of_several_gzip_members_are_read_as_engines_do() -> None:
    layer = train_layer()
    half = len(layer) // 2
    twice = gzip.compress(layer[:half]) + gzip.compress(layer[half:])
    blobs, manifest = oci_blobs(LAYERS, CONFIG, compressed=True)
    document = json.loads(blobs[-1])
    document["layers"][-1]["digest"] = sha256(twice)
    data = json.dumps(document).encode()
    assert named(layout({}, [*blobs[:-1], twice, data], manifest | {"digest": sha256(data)})) == []


def test_a_platform_that_the_archive_does_not_hold_is_named() -> None:
    assert named(nested({"digest": "sha256:" + "0" * 64})) == [("platforms-absent", "index")]


def test_an_image_is_named_by_every_digest_by_which_an_engine_may_call_it() -> None:
    verdict = verdict_on(nested())
    [*_, manifest], _ = oci_blobs(LAYERS, CONFIG, compressed=True)
    assert verdict.ids[:2] == (sha256(CONFIG), sha256(manifest))
    assert len(verdict.ids) == 3
    shown, *_ = verdict_text(verdict, as_json=False).splitlines()
    assert shown == f"image: {' '.join(verdict.ids)}"


def with_layers(*more: bytes) -> bytes:
    """Return the archive of a train with more layers on top."""
    layers = [*LAYERS, *more]
    return docker_archive(layers, image_config(layers))


LEFT = {
    "nothing": (tar(), []),
    "folders-of-the-master": (tar(folder("etc"), folder("run"), OPT), []),
    "committed-by-docker": (
        tar(OPT, folder("opt/train_data"), folder("run"), folder("run/pht")),
        ["/opt/train_data", "/run/pht"],
    ),
    "committed-by-podman": (
        tar(
            folder("etc"),
            entry("etc/hostname", mode=0o755),
            entry("etc/hosts", mode=0o755),
            entry("etc/mtab", kind=SYMLINK, link=b"/proc/mounts"),
            folder("run"),
            entry("run/.containerenv", mode=0o755),
        ),
        ["/etc/hostname", "/etc/hosts", "/etc/mtab", "/run/.containerenv"],
    ),
    "handed-over": (
        tar(
            OPT,
            entry("opt/.wh.user_sym_key.key"),
            folder("opt/pht_results"),
            entry("opt/pht_results/.wh..wh..opq"),
            entry("opt/pht_results/.wh.old"),
            entry("opt/pht_results/new", b"new"),
        ),
        [],
    ),
    "rebased": (train_layer(entry("opt/user_sym_key.key", b"key")), []),
}


@pytest.mark.parametrize(("layer", "places"), LEFT.values(), ids=LEFT)
def test_what_engines_and_stations_leave(layer: bytes, places: list[str]) -> None:
    assert named(with_layers(layer)) == [("mount-point", f"layer 4: {place}") for place in places]


def link(path: str, target: bytes, kind: bytes = SYMLINK) -> bytes:
    """Return the entry of a link among the results."""
    return entry(f"opt/pht_results/{path}", kind=kind, link=target)


@pytest.mark.parametrize(
    "entries",
    [
        [link("latest", b"run-1")],
        [link("latest", b"/opt/pht_results/run-1")],
        [folder("opt/pht_results/a"), link("a/up", b"../b/c")],
        [link("all", b"/opt/pht_train")],
        [entry("opt/pht_results/a"), link("b", b"opt/pht_results/a", HARD_LINK)],
        [entry("opt/pht_results/x", pax={"path": "opt/pht_results/" + "ä" * 99})],
        [entry(b"opt/pht_results/x", pax={"path": b"opt/pht_results/\xff"})],
        [folder("opt/pht_results/.hidden", mode=0o1777, uid=10001)],
    ],
)
def test_what_a_train_may_leave(entries: list[bytes]) -> None:
    assert named(train_archive(*entries)) == []


@pytest.mark.parametrize("attribute", ["security.selinux", "user.note", "system.posix_acl_access"])
def test_attributes_that_give_no_rights_are_named(attribute: str) -> None:
    own = entry("opt/pht_results/a", pax={f"SCHILY.xattr.{attribute}": "x"})
    assert named(train_archive(own)) == [("attribute", "layer 3: /opt/pht_results/a")]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"WorkingDir": "/opt/pht_train", "Cmd": ["python", "-u", "train.py", "x"]}, []),
        ({"WorkingDir": "/", "Volumes": {}, "OnBuild": None, "Shell": []}, []),
        ({"Cmd": ["/usr/bin/python3", "/opt/pht_train/train.py"]}, []),
        ({"Cmd": ["/opt/pht_train/train.py"]}, []),
        ({"Labels": {"version": "1", "Version": "2"}, "Hostname": "x", "ArgsEscaped": True}, []),
        ({"Env": ["A=1", "LANG=C.UTF-8", "PATH=/usr/bin:/bin"]}, [("env-added", "A")]),
        (
            {"Env": ["PATH=/usr/bin:/bin", "LANG=C.UTF-8", "https_proxy=http://p"]},
            [("env-proxy", "https_proxy")],
        ),
    ],
)
def test_settings_that_may_differ(settings: Json, expected: list[tuple[str, str]]) -> None:
    assert named(train_archive(settings=settings)) == expected
