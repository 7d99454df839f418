"""`inspect IMAGE.tar`: the route of a train out of the archive of its image."""

import json
from pathlib import Path

import pytest

from tests import reference
from tests.archives import MASTER, MASTER_LAYERS, docker_archive, entry, image_config, tar
from tests.reference import STAGES, STATIONS
from tests.station import assert_explained, pht


def archive_of(config: bytes, path: Path) -> Path:
    """Write the archive of an image whose newest layer replaces an older train_config.json."""
    older, newer = (tar(entry("opt/train_config.json", data)) for data in (b"{}", config))
    layers = [*MASTER_LAYERS, older, newer]
    path.write_bytes(docker_archive(layers, image_config(layers)))
    return path


def test_the_route_is_that_of_the_topmost_layer(tmp_path: Path) -> None:
    opt = reference.lay_out(len(STAGES) - 1, tmp_path)
    archive = archive_of((opt / "train_config.json").read_bytes(), tmp_path / "train.tar")

    done = pht("inspect", "--json", archive)

    assert (done.status, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert facts == json.loads(pht("inspect", "--json", root=tmp_path).stdout)
    assert [found["station"] for found in facts["stations"]] == list(STATIONS)
    assert b"not checked in an archive" in pht("inspect", archive).stdout


def test_the_lines_that_pin_its_keys(tmp_path: Path) -> None:
    opt = reference.lay_out(0, tmp_path)
    archive = archive_of((opt / "train_config.json").read_bytes(), tmp_path / "train.tar")
    done = pht("inspect", "--trust-lines", archive)
    assert done.stdout == pht("inspect", "--trust-lines", root=tmp_path).stdout


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (MASTER, 66, "no-train"),
        (b"no archive", 65, "archive-malformed"),
        (None, 66, "image-missing"),
    ],
)
def test_an_archive_without_a_train(
    content: bytes | None, status: int, code: str, tmp_path: Path
) -> None:
    archive = tmp_path / "image.tar"
    if content is not None:
        archive.write_bytes(content)
    assert_explained(pht("inspect", archive), status, code)
