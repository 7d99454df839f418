"""Warnings of a train that leaves no results, the old ones, or files where they do not travel."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.station import RUNS_TRAIN, Done, new_route_train, new_train, pht, settle, visit

IMPORTS = """
import os, pathlib, sys
results, train = (pathlib.Path(os.environ[f"PHT_{name}_DIR"]) for name in ("RESULTS", "TRAIN"))
"""
NO_RESULTS = (
    "pht: warning: the train has left no results, or only empty files: it has to write into "
    "PHT_RESULTS_DIR"
)
UNCHANGED = (
    "pht: warning: the train has left the results as they came: it has to write what is new into "
    "PHT_RESULTS_DIR"
)
LEFT = (
    "pht: warning: the train has left files in {}, which are gone now: {}; only what it writes "
    "into PHT_RESULTS_DIR travels"
)
ONCE = "if not list(results.iterdir()): (results / 'x').write_text('x')\n"

Build = Callable[[Path, str], Path]
of_both_generations = pytest.mark.parametrize("build", [new_train, new_route_train])


def warnings(done: Done) -> list[str]:
    """Return the warnings of what a train has left, after a visit that has succeeded."""
    assert done.status == 0, done.stderr
    return [line for line in done.lines if line.startswith("pht: warning: the train has left")]


def visit_from_root(root: Path, **env: str) -> Done:
    """Make the visit as in a container, whose working folder is the root folder."""
    return pht("run", "--", *RUNS_TRAIN, root=root, env=env, cwd=root)


# --- results -------------------------------------------------------------------------------------


@of_both_generations
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", [NO_RESULTS]),
        ("(results / 'empty').touch(); (results / 'folder').mkdir()", [NO_RESULTS]),
        ("(results / 'x').write_text('x')", []),
    ],
    ids=["nothing", "empty files", "a result"],
)
def test_at_the_first_stop(build: Build, script: str, expected: list[str], tmp_path: Path) -> None:
    build(tmp_path, IMPORTS + script)
    settle(tmp_path, "station_1")
    assert warnings(visit(tmp_path)) == expected


@of_both_generations
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("pass", [UNCHANGED]),
        ("(results / 'x').write_text('x')", [UNCHANGED]),
        ("(results / 'x').unlink()", [NO_RESULTS]),
        ("(results / 'y').write_text('y')", []),
    ],
    ids=["untouched", "written again", "removed", "added"],
)
def test_at_the_next_stop(build: Build, change: str, expected: list[str], tmp_path: Path) -> None:
    second = f"if os.environ['STATION_ID'] == 'station_2': {change}\n"
    build(tmp_path, IMPORTS + ONCE + second)
    settle(tmp_path, "station_1")
    assert warnings(visit(tmp_path)) == []
    settle(tmp_path, "station_2")
    assert warnings(visit(tmp_path)) == expected


def test_a_post_run_warns_too(tmp_path: Path) -> None:
    new_train(tmp_path, "")
    settle(tmp_path, "station_1")
    assert pht("pre-run", root=tmp_path).status == 0
    assert warnings(pht("post-run", root=tmp_path)) == [NO_RESULTS]


# --- files that go away --------------------------------------------------------------------------

WRITES_AROUND = """
for name in ("HOME", "TMPDIR"):
    pathlib.Path(os.environ[name], "temporary").touch()
pathlib.Path("Rplots.pdf").touch()
pathlib.Path("plots").mkdir()
pathlib.Path("link").symlink_to("opt")
pathlib.Path("line\\npht: result=visited").touch()
(results / "x").write_text("x")
"""
AROUND = LEFT.format("its working folder", r"Rplots.pdf, line\npht: result=visited, plots/")


@of_both_generations
@pytest.mark.parametrize("status", [0, 3])
def test_files_of_the_working_folder_are_named_whether_the_train_succeeds_or_fails(
    build: Build, status: int, tmp_path: Path
) -> None:
    build(tmp_path, f"{IMPORTS}{WRITES_AROUND}sys.exit({status})")
    settle(tmp_path, "station_1")
    done = visit_from_root(tmp_path)
    assert done.status == status
    assert [line for line in done.lines if "the train has left" in line] == [AROUND]


def test_only_some_of_many_files_are_named(tmp_path: Path) -> None:
    touch = "for number in range(10, 23): pathlib.Path(str(number)).touch()"
    new_train(tmp_path, IMPORTS + ONCE + touch)
    settle(tmp_path, "station_1")
    names = "10, 11, 12, 13, 14, 15, 16, 17, 18, 19 and 3 more"
    assert warnings(visit_from_root(tmp_path)) == [LEFT.format("its working folder", names)]


def test_a_host_driven_visit_names_them_too(tmp_path: Path) -> None:
    new_train(tmp_path, f"{IMPORTS}{WRITES_AROUND}(train / 'notes').touch()")
    assert warnings(visit_from_root(tmp_path, PHT_HOST_PROTOCOL="1")) == [
        AROUND,
        LEFT.format("pht_train", "notes"),
    ]
