"""Results in the archive of an image: its layers count as an engine shows them, or not at all."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.errors import IntegrityError, MalformedTrain, MissingInput
from tests.archives import (
    HARD_LINK,
    MASTER,
    MASTER_LAYERS,
    SYMLINK,
    docker_archive,
    entry,
    image_config,
    oci_archive,
    sha256,
    tar,
)
from tests.station import snapshot
from tests.unit.opening import as_layer, assert_not_opened, open_train

RESULTS = "opt/pht_results"


def docker(*layers: bytes) -> bytes:
    return docker_archive([*MASTER_LAYERS, *layers], image_config([*MASTER_LAYERS, *layers]))


def oci(*layers: bytes) -> bytes:
    return oci_archive([*MASTER_LAYERS, *layers], image_config([*MASTER_LAYERS, *layers]))


def compressed(*layers: bytes) -> bytes:
    return gzip.compress(docker(*layers))


@pytest.mark.parametrize("form", [docker, oci, compressed])
def test_an_image_is_opened_like_the_folder_in_it(
    form: Callable[..., bytes], opt: Path, output: Path, tmp_path: Path
) -> None:
    open_train(opt, tmp_path / "expected")
    (tmp_path / "image.tar").write_bytes(form(as_layer(opt)))
    open_train(tmp_path / "image.tar", output)
    assert snapshot(output) == snapshot(tmp_path / "expected")


def mark(path: str) -> bytes:
    """Return the mark that removes a path of the layers below."""
    above, _, name = path.rpartition("/")
    return entry(f"{above}/.wh.{name}" if above else f".wh.{name}")


OLD = entry(f"{RESULTS}/old", b"old")
LOWER: dict[str, tuple[list[bytes], list[bytes]]] = {
    "a file": ([OLD], [mark(f"{RESULTS}/old")]),
    "a folder": ([entry(f"{RESULTS}/o/l/d")], [mark(f"{RESULTS}/o")]),
    "everything in a folder": ([OLD], [entry(f"{RESULTS}/.wh..wh..opq")]),
    "a link": ([entry(f"{RESULTS}/old", kind=SYMLINK, link=b"/etc")], [mark(f"{RESULTS}/old")]),
    "a folder of the train": ([OLD], [mark(RESULTS)]),
    "the whole train": ([OLD], [mark("opt")]),
    "everything in /opt": ([OLD], [entry("opt/.wh..wh..opq")]),
    "everything": ([OLD], [entry(".wh..wh..opq")]),
    "a folder for a file": ([entry(f"{RESULTS}/counter/x")], []),
    "a file for a folder": ([entry(f"{RESULTS}/deep", b"x")], []),
    "a link for a file": ([entry(f"{RESULTS}/counter", kind=SYMLINK, link=b"x")], []),
    "other contents": ([entry(f"{RESULTS}/counter", b"x")], []),
    "another configuration": ([entry("opt/train_config.json", b"{}")], []),
}


@pytest.mark.parametrize(("below", "removed"), LOWER.values(), ids=list(LOWER))
def test_the_upper_layer_counts(
    below: list[bytes], removed: list[bytes], opt: Path, output: Path, tmp_path: Path
) -> None:
    open_train(opt, tmp_path / "expected")
    lower = tar(*below)
    (tmp_path / "image.tar").write_bytes(docker(lower, tar(*removed), as_layer(opt)))
    open_train(tmp_path / "image.tar", output)
    assert snapshot(output) == snapshot(tmp_path / "expected")


def test_what_is_not_removed_counts(opt: Path, output: Path, tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(docker(as_layer(opt), tar(OLD)))
    assert_not_opened(IntegrityError, "results-unverified", tmp_path / "image.tar", output)


def test_a_layer_that_is_there_twice_counts_at_both_places(
    opt: Path, output: Path, tmp_path: Path
) -> None:
    (tmp_path / "image.tar").write_bytes(docker(as_layer(opt), tar(OLD), as_layer(opt)))
    assert_not_opened(IntegrityError, "results-unverified", tmp_path / "image.tar", output)
    whole = docker(as_layer(opt), tar(mark("opt")), as_layer(opt))
    (tmp_path / "image.tar").write_bytes(whole)
    open_train(tmp_path / "image.tar", output)


@pytest.mark.parametrize("removed", ["opt", "opt/train_config.json", RESULTS])
def test_a_train_that_was_removed_is_not_there(
    removed: str, opt: Path, output: Path, tmp_path: Path
) -> None:
    (tmp_path / "image.tar").write_bytes(docker(as_layer(opt), tar(mark(removed))))
    assert_not_opened(MissingInput, "source-incomplete", tmp_path / "image.tar", output)


def test_an_image_without_a_train_is_refused(output: Path, tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(MASTER)
    assert_not_opened(MissingInput, "source-incomplete", tmp_path / "image.tar", output)


CONFIG_LINK = entry("opt/train_config.json", kind=SYMLINK, link=b"../../../escaped")
HOSTILE = {
    "a path that climbs": entry(f"{RESULTS}/../../../escaped", b"x"),
    "a file twice": entry(f"{RESULTS}/counter", b"x"),
    "a device": entry(f"{RESULTS}/null", kind=b"3"),
    "a FIFO": entry(f"{RESULTS}/pipe", kind=b"6"),
    "a file over a link": entry(f"{RESULTS}/l", kind=SYMLINK, link=b"/tmp")
    + entry(f"{RESULTS}/l/x", b"x"),
    "a link in the place of the configuration": CONFIG_LINK,
    "a hard link to the outside": entry(f"{RESULTS}/h", kind=HARD_LINK, link=b"etc/passwd"),
    "a NUL in a name": entry(f"{RESULTS}/x", b"x", pax={"path": b"opt/pht_results/a\0b"}),
    "a mark that removes what is above": entry(f"{RESULTS}/.wh..."),
    "a damaged layer": b"?" * 512,
    "a configuration without end": entry("opt/train_config.json", bytes(5 * 1024 * 1024)),
    "folders without end": entry("opt/pht_results", pax={"path": f"{RESULTS}/{'d/' * 600}f"}),
}


@pytest.mark.parametrize("entries", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_layers_are_refused(
    entries: bytes, opt: Path, output: Path, tmp_path: Path
) -> None:
    (tmp_path / "image.tar").write_bytes(docker(as_layer(opt, entries)))
    error = assert_not_opened(MalformedTrain, "archive-malformed", tmp_path / "image.tar", output)
    assert error.by == "operator"


def test_layers_that_the_configuration_does_not_name_are_refused(
    opt: Path, output: Path, tmp_path: Path
) -> None:
    layers = [*MASTER_LAYERS, as_layer(opt)]
    other = {"type": "layers", "diff_ids": [*map(sha256, MASTER_LAYERS), sha256(b"another")]}
    (tmp_path / "image.tar").write_bytes(docker_archive(layers, image_config(layers, rootfs=other)))
    error = assert_not_opened(MalformedTrain, "archive-malformed", tmp_path / "image.tar", output)
    assert any("the configuration names" in problem for problem in error.problems)


def test_half_an_image_is_refused(opt: Path, output: Path, tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(docker(as_layer(opt))[:5000])
    assert_not_opened(MalformedTrain, "archive-malformed", tmp_path / "image.tar", output)
