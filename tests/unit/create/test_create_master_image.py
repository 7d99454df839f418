"""How a new train names its master image, which published stations pull and compare it with."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests import reference, reference_route
from tests.desk import plant
from tests.station import Done, assert_explained, pht

pytestmark = pytest.mark.slow

KEYS = reference.VECTORS / "keys"
BUILDER_KEY = reference_route.VECTORS / "keys" / f"{reference_route.BUILDER}.sk.pem"
WARNING = "pht: warning: no --master-image: "


def create(folder: Path, *options: str | Path) -> Done:
    train = plant(folder / "train", {"run.py": "print()"})
    station = f"station_1={KEYS / 'station_1.pk.pem'}"
    words: list[str | Path] = ["create", train, "--output", folder / "built", "--station", station]
    words += ["--user-key", KEYS / "user.sk.pem", "--user", "u", "--train-id", "t"]
    return pht(*words, *options)


def created(folder: Path, *options: str | Path) -> tuple[dict[str, Any], str]:
    """Build a train with a route; return its configuration and what was said."""
    done = create(folder, "--builder-key", BUILDER_KEY, *options)
    assert done.status == 0, done.stderr
    return json.loads((folder / "built" / "opt" / "train_config.json").read_bytes()), done.stderr


@pytest.mark.parametrize(
    ("image", "address", "tag"),
    [
        ("registry.example.org/pht/master:1.0", "registry.example.org/pht/master", "1.0"),
        ("registry.example.org:5000/pht/master:1.0", "registry.example.org:5000/pht/master", "1.0"),
        ("registry.example.org:5000/master", "registry.example.org:5000/master", "latest"),
        ("localhost:5000/a/b/c:v1.0_x-y", "localhost:5000/a/b/c", "v1.0_x-y"),
        ("python:slim", "python", "slim"),
        ("python", "python", "latest"),
        ("Registry.Example/name:V1", "Registry.Example/name", "V1"),
        ("a__b/c-d--e/f.g_h:1", "a__b/c-d--e/f.g_h", "1"),
        ("a" * 255, "a" * 255, "latest"),
    ],
)
def test_a_published_station_joins_address_and_tag_to_the_image(
    image: str, address: str, tag: str, tmp_path: Path
) -> None:
    config, said = created(tmp_path, "--master-image", image)
    source = config["source"]
    assert (source["address"], source["tag"]) == (address, tag)
    assert source["type"] == "docker_repository"
    assert WARNING not in said


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        ("registry.example.org/master@sha256:" + "0" * 64, "has a digest"),
        ("registry.example.org/master:1.0@sha256:" + "0" * 64, "has a digest"),
        ("https://registry.example.org/master:1.0", "is not the name of an image"),
        ("registry.example.org/master:", "is not the name of an image"),
        ("registry.example.org/:1.0", "is not the name of an image"),
        (":1.0", "is not the name of an image"),
        ("master:1.0:2.0", "is not the name of an image"),
        ("master: 1.0", "is not the name of an image"),
        ("master:" + "1" * 129, "is not the name of an image"),
        (" ", "is not the name of an image"),
        ("sha256:" + "0" * 64, "is the id of an image"),
        ("0" * 64, "is the id of an image"),
        ("a" * 256, "is not the name of an image"),
        ("a:٣", "is not the name of an image"),
        ("a:1\n", "is not the name of an image"),
        ("a:5000:1", "is not the name of an image"),
        ("Name:1", "is not the name of an image"),
        ("Registry.Example/Name:1", "is not the name of an image"),
        ("é/x:1", "is not the name of an image"),
        ("-x:1", "is not the name of an image"),
        ("a/../b:1", "is not the name of an image"),
        ("a/./b:1", "is not the name of an image"),
        ("a//b:1", "is not the name of an image"),
        ("/a:1", "is not the name of an image"),
        ("a/:1", "is not the name of an image"),
        ("a/b-:1", "is not the name of an image"),
        ("a/_b:1", "is not the name of an image"),
        ("a/b..c:1", "is not the name of an image"),
        ("a/b___c:1", "is not the name of an image"),
    ],
)
def test_what_a_published_station_could_not_pull_is_refused(
    image: str, problem: str, tmp_path: Path
) -> None:
    done = create(tmp_path, "--builder-key", BUILDER_KEY, f"--master-image={image}")
    assert_explained(done, 64, "master-image-unsuitable")
    assert problem in done.stderr
    assert not (tmp_path / "built").exists()


def test_a_train_with_a_route_and_no_master_image_is_warned_about(tmp_path: Path) -> None:
    config, said = created(tmp_path)
    assert (config["source"]["address"], config["source"]["tag"]) == ("", None)
    assert WARNING in said


def test_a_flat_train_names_its_image_as_it_was_given(tmp_path: Path) -> None:
    done = create(tmp_path, "--generation", "flat", "--master-image", "registry/master@sha256:0")
    assert done.status == 0
    assert WARNING not in done.stderr
    config = json.loads((tmp_path / "built" / "opt" / "train_config.json").read_bytes())
    assert config["master_image"] == "registry/master@sha256:0"
