"""Set-id bits and file capabilities do not travel: whoever can write a train could plant them."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import reference
from tests.station import new_route_train, new_train, opened, pht, settle, snapshot, visit
from tests.visit.conftest import Mount

CAPABILITY = "security.capability"
LARGE = b"x" * (2**20 + 1)
FILES = {"small": b"x", "empty": b"", "large": LARGE, "inner/small": b"x", "sticky": b"x"}
FIRST_KEY = reference.vector_key("station_1", private=True)


def write_files(results: Path) -> None:
    """Fill a folder with every kind of file."""
    (results / "inner").mkdir()
    for name, content in FILES.items():
        (results / name).write_bytes(content)
    os.link(results / "small", results / "again")


def mark(results: Path) -> None:
    """Set the set-id and sticky bits, on the folder itself too."""
    for name in FILES:
        (results / name).chmod(0o1644 if name == "sticky" else 0o6755)
    for folder in (results, results / "inner"):
        folder.chmod(0o3755)


def make_capable(results: Path) -> None:
    """Give files a capability, as far as that is possible here."""
    if os.geteuid() != 0 or shutil.which("setcap") is None:
        pytest.skip("needs root and the setcap command")
    for name in FILES:
        subprocess.run(["setcap", "cap_dac_override+ep", results / name], check=True)


def marked(folder: Path) -> list[str]:
    """Return the paths with a special bit or a capability, the folder itself included."""
    return [
        str(path)
        for path in (folder, *folder.rglob("*"))
        if path.lstat().st_mode & 0o7000 or CAPABILITY in os.listxattr(path)
    ]


@pytest.fixture(params=[mark, make_capable])
def marking(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """A command that sets special bits, or gives capabilities."""
    marking: Callable[[Path], None] = request.param
    return marking


@pytest.fixture
def arrived(tmp_path: Path) -> Path:
    """A train that has arrived at its second stop."""
    opt = new_train(tmp_path, "raise SystemExit(1)")
    write_files(opt / "pht_results")
    reference.published_post_run(opt, "station_1", FIRST_KEY)
    settle(tmp_path, "station_2")
    return tmp_path


def test_results_that_arrive_with_them_lose_them(
    marking: Callable[[Path], None], arrived: Path
) -> None:
    results = arrived / "opt" / "pht_results"
    marking(results)
    assert marked(results)

    assert pht("pre-run", root=arrived).status == 0

    assert not marked(results)
    assert {name: (results / name).read_bytes() for name in FILES} == FILES
    assert [(results / name).stat().st_mode & 0o777 for name in ("large", "small")] == (
        [0o755, 0o755] if marking is mark else [0o644, 0o644]
    )


def test_what_has_come_with_them_goes_back_with_them(arrived: Path) -> None:
    """The old state is what came off the registry; it reaches nobody whom it had not reached."""
    mark(arrived / "opt" / "pht_results")
    before = snapshot(arrived)

    done = visit(arrived)

    assert (done.status, done.facts["state"]) == (1, "unchanged"), done.stderr
    assert snapshot(arrived) == before


def test_a_definition_that_travels_encrypted_loses_them_too(tmp_path: Path) -> None:
    opt = new_route_train(tmp_path, "", {"inner/tool": b"x", "large": LARGE})
    settle(tmp_path, "station_1")
    train = opt / "pht_train"
    for name in ("train.py", "inner/tool", "large", "inner"):
        (train / name).chmod(0o6755)

    assert pht("pre-run", root=tmp_path).status == 0
    assert not marked(train)
    (train / "inner").chmod(0o6755)
    (train / "inner" / "tool").chmod(0o6755)
    assert pht("post-run", root=tmp_path).status == 0
    assert not marked(train)


@pytest.mark.parametrize("make", [new_train, new_route_train], ids=["flat", "route"])
def test_results_that_a_train_leaves_with_them_are_sealed_without(
    make: Callable[[Path, str], Path],
    marking: Callable[[Path], None],
    tmp_path: Path,
) -> None:
    opt = make(tmp_path, "")
    settle(tmp_path, "station_1")
    assert pht("pre-run", root=tmp_path).status == 0
    write_files(opt / "pht_results")
    marking(opt / "pht_results")

    assert pht("post-run", root=tmp_path).status == 0

    assert not marked(opt / "pht_results")
    assert opened(opt) == {**FILES, "again": b"x"}


def test_the_bits_of_a_mounted_folder_are_the_operators(tmp_path: Path, mount: Mount) -> None:
    """Kubernetes marks the topmost folder of a volume, to share it with a group."""
    opt = new_train(tmp_path, "")
    settle(tmp_path, "station_1")
    mount(opt / "pht_results", "-t", "tmpfs", "-o", "size=4m", "tmpfs")
    (opt / "pht_results").chmod(0o2775)

    done = visit(tmp_path)

    assert done.status == 0, done.stderr
    assert (opt / "pht_results").stat().st_mode & 0o7777 == 0o2775
