"""Files of another train on a mount are a station's mistake; without a mount they are a forgery."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import reference, reference_route
from tests.station import (
    assert_explained,
    check,
    new_route_train,
    new_train,
    pht,
    settle,
    snapshot,
    visit,
)
from tests.visit.conftest import Mount

LAY_OUT = {"flat": reference.lay_out, "route": reference_route.lay_out}
each_generation = pytest.mark.parametrize("lay_out", LAY_OUT.values(), ids=LAY_OUT)


def exchange(folder: Path) -> None:
    """Change a file of a folder, as those of another train or another stage differ."""
    file = next(path for path in sorted(folder.rglob("*")) if path.is_file())
    file.write_bytes(b"of another train" + file.read_bytes())


def used(folder: Path, mount: Mount) -> None:
    """Mount over a folder a copy of it, one file of which belongs to another train."""
    other = folder.parents[1] / "volume"
    shutil.copytree(folder, other, symlinks=True)
    exchange(other)
    mount(folder, "--bind", other)


@each_generation
@pytest.mark.parametrize("place", ["pht_train", "pht_results"])
def test_the_mount_is_told_and_nobody_is_accused(
    place: str, lay_out: Callable[..., Path], mount: Mount, tmp_path: Path
) -> None:
    opt = lay_out(2, tmp_path)
    settle(tmp_path, "station_3")
    used(opt / place, mount)
    before = snapshot(opt)

    for done in (check(tmp_path), pht("pre-run", root=tmp_path)):
        assert_explained(done, 78, "place-unsuitable")
        assert f"{opt / place} is a mount, and the files on it" in done.stderr
        assert (done.facts["by"], done.facts["state"]) == ("station", "unchanged")
        assert snapshot(opt) == before


@each_generation
@pytest.mark.parametrize("tree", ["pht_train", "pht_results"])
def test_a_mount_over_one_file_is_told(
    tree: str, lay_out: Callable[..., Path], mount: Mount, tmp_path: Path
) -> None:
    opt = lay_out(2, tmp_path)
    settle(tmp_path, "station_3")
    file = next(path for path in sorted((opt / tree).rglob("*")) if path.is_file())
    own = tmp_path / "own"
    own.write_text("settings of the station")
    mount(file, "--bind", own)
    before = snapshot(opt)

    for done in (check(tmp_path), pht("pre-run", root=tmp_path)):
        assert_explained(done, 78, "place-unsuitable")
        assert f"{file} " in done.stderr
        assert (done.facts["by"], done.facts["state"]) == ("station", "unchanged")
        assert snapshot(opt) == before


@each_generation
def test_a_folder_of_data_among_the_signed_files_is_told(
    lay_out: Callable[..., Path], mount: Mount, tmp_path: Path
) -> None:
    opt = lay_out(2, tmp_path)
    settle(tmp_path, "station_3")
    data = opt / "pht_train" / "data"
    data.mkdir()
    mount(data, "-t", "tmpfs", "none")
    (data / "rows").touch()

    done = check(tmp_path)

    assert_explained(done, 65, "train-files-differ")
    assert f"pht: hint: {data} is a mount" in done.stderr
    assert done.facts["by"] == "station"


@each_generation
def test_the_configuration_of_another_stage_on_a_mount_is_told(
    lay_out: Callable[..., Path], mount: Mount, tmp_path: Path
) -> None:
    config = lay_out(2, tmp_path) / "train_config.json"
    settle(tmp_path, "station_2")
    mount(config, "--bind", lay_out(1, tmp_path / "earlier") / "train_config.json")

    for done in (check(tmp_path), pht("pre-run", root=tmp_path)):
        assert_explained(done, 78, "place-unsuitable")
        assert f"{config} is a mount" in done.stderr
        assert done.facts["by"] == "station"


def with_results_on_a_mount(opt: Path, mount: Mount) -> Path:
    """Mount a folder with a file over the empty results of a first stop; return it."""
    mount(opt / "pht_results", "-t", "tmpfs", "none")
    (opt / "pht_results" / "of-another-train").touch()
    return opt / "pht_results"


def test_a_mount_with_results_before_the_first_stop_is_told(mount: Mount, tmp_path: Path) -> None:
    opt = new_train(tmp_path, "")
    settle(tmp_path, "station_1")
    results = with_results_on_a_mount(opt, mount)

    done = check(tmp_path)

    assert_explained(done, 76, "results-before-first-stop")
    assert f"pht: hint: {results} is a mount" in done.stderr
    assert (done.facts["by"], done.facts["stage"]) == ("station", "decrypt")


def test_a_mount_with_results_of_an_earlier_run_is_told(mount: Mount, tmp_path: Path) -> None:
    opt = new_route_train(tmp_path, "")
    station = reference.STATIONS[0]
    private_key = reference.vector_key(station, private=True)
    reference_route.published_pre_run(opt, station, private_key)
    results = with_results_on_a_mount(opt, mount)

    done = visit(tmp_path)

    assert_explained(done, 76, "results-before-first-stop")
    assert f"pht: hint: {results} is a mount" in done.stderr


@each_generation
def test_a_mount_elsewhere_explains_nothing(
    lay_out: Callable[..., Path], mount: Mount, tmp_path: Path
) -> None:
    opt = lay_out(2, tmp_path)
    settle(tmp_path, "station_3")
    exchange(opt / "pht_train")
    mount(opt / "pht_results", "--bind", opt / "pht_results")
    done = check(tmp_path)
    assert done.status == 77
    assert done.facts["by"] == "user"
