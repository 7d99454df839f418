"""What others do with hostile images: engines load them, published stations accept many."""

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.adversarial.hostile_images.all_cases import CASES
from tests.adversarial.hostile_images.configs import EVIL_START
from tests.adversarial.hostile_images.images import EVIL, MASTER, docker_archive
from tests.adversarial.hostile_images.page import PAGE, row
from tests.adversarial.hostile_images.verdicts import PUBLISHED_CHECK, loaded, verdicts
from tests.containers.docker_25 import as_of_docker_25
from tests.containers.engine import Engine
from tests.containers.fixtures import or_skip
from tests.containers.other_engines import OtherEngines
from tests.interop import environments

BY_NAME = {case.name: case for case in CASES}

WRITTEN = {
    "absolute": "usr/bin/python3",
    "dot-dot": "usr/bin/python3",
    "gnu-long-name": "usr/bin/python3",
    "long-link-with-nul": "opt/x",
    "pax-path": "usr/bin/python3",
    "prefix": "usr/bin/python3",
    "prefix-of-gnu": "usr/opt/pht_train/x",
    "through-link": "evil",
}
"""Where Docker puts the file of an image."""

MODES = {"folder-of-master-opened": ("usr", 0o777), "set-user-id": ("opt/pht_train/x", 0o4755)}
"""A path of the container of an image, and its mode."""

SETTINGS = {
    "setting-in-capitals": ("Entrypoint", EVIL_START),
    "setting-in-other-letters": ("User", "1000"),
    "settings-in-capitals": ("Entrypoint", EVIL_START),
}
"""A setting of the container of an image."""

SOME = CASES[::12]


@pytest.fixture(scope="module")
def images(engine: Engine) -> Iterator[dict[str, str]]:
    """The names in the engine of some hostile images, by the names of their cases."""
    cases = [*WRITTEN, *MODES, *SETTINGS]
    with loaded(engine, [BY_NAME[case].archive for case in cases]) as names:
        yield dict(zip(cases, names, strict=True))


@pytest.fixture
def published() -> Path:
    """The Python that has the published package."""
    return or_skip(lambda: environments.make(environments.ROUTE_VERSION))


def exported(engine: Engine, image: str) -> tarfile.TarFile:
    """Return the file system of a container of an image."""
    archive = engine.must("export", engine.create(image))
    return tarfile.open(fileobj=io.BytesIO(archive))


@pytest.mark.parametrize("case", WRITTEN)
def test_docker_writes_outside_of_the_train(
    case: str, engine: Engine, images: dict[str, str]
) -> None:
    file = exported(engine, images[case]).extractfile(WRITTEN[case])
    assert file is not None
    assert file.read() == EVIL


@pytest.mark.parametrize("case", MODES)
def test_docker_gives_rights_away(case: str, engine: Engine, images: dict[str, str]) -> None:
    path, mode = MODES[case]
    assert exported(engine, images[case]).getmember(path).mode & 0o7777 == mode


@pytest.mark.parametrize("case", SETTINGS)
def test_docker_takes_settings_that_python_does_not_see(
    case: str, engine: Engine, images: dict[str, str]
) -> None:
    name, value = SETTINGS[case]
    config: Any = json.loads(
        engine.must("image", "inspect", "--format", "{{json .Config}}", images[case])
    )
    assert config[name] == value


def test_podman_takes_the_layers_of_the_manifest(others: OtherEngines, tmp_path: Path) -> None:
    (tmp_path / "train.tar").write_bytes(BY_NAME["layer-of-manifest"].archive)
    image = others.load(tmp_path / "train.tar")
    root = Path(others.podman("image", "mount", image).strip())
    assert (root / "usr/bin/more").read_bytes() == EVIL
    assert not (root / "usr/runner").exists()
    others.podman("image", "unmount", image)


# --- the page -------------------------------------------------------------------------------------


def test_the_page_has_every_image() -> None:
    lines = [line.split("|") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    cells = [
        [cell.strip() for cell in line[1:-1]] for line in lines if "what it would do" not in line[2]
    ]
    found = [(name, effect, code) for name, effect, _, _, code in cells]
    assert found == [(case.name, case.effect, f"`{case.code}`") for case in CASES]


def test_the_page_tells_what_others_say(engine: Engine, published: Path) -> None:
    found = verdicts(engine, published, SOME)
    assert {verdict.published for verdict in found.values()} >= {"accepts", "refuses", ""}
    page = PAGE.read_text().splitlines()
    for case in SOME:
        assert row(case, found[case.name]) in page


def test_the_published_check_sees_nothing_of_what_newer_engines_save(
    published: Path, tmp_path: Path
) -> None:
    (tmp_path / "master.tar").write_bytes(docker_archive(MASTER))
    (tmp_path / "train.tar").write_bytes(BY_NAME["file-added"].archive)
    for name in ("master", "train"):
        as_of_docker_25(tmp_path / f"{name}.tar", tmp_path / f"new-{name}.tar")

    def refusal(prefix: str) -> str:
        master, train = (str(tmp_path / f"{prefix}{name}.tar") for name in ("master", "train"))
        done = subprocess.run(
            [published, "-I", PUBLISHED_CHECK, "--archives", master, train],
            capture_output=True,
            text=True,
            check=True,
        )
        return str(json.loads(done.stdout)[train])

    assert refusal("").startswith("ValueError")
    assert refusal("new-") == ""
