"""The scratch folder of a run: where it lies, what is in it, and that nothing of it stays."""

import ast
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from entrypoint.model import Paths
from entrypoint.report import Report
from entrypoint.visit.scratch import Scratch
from tests.mount_namespace import run_python

TRAIN_USER = (10001, 10001)

MAKES_ONE = """
import os, subprocess, sys
from pathlib import Path
from entrypoint.errors import StorageError
from entrypoint.model import Paths
from entrypoint.visit.scratch import Scratch

root = Path(sys.argv[1]) / "root"
paths = Paths(root)
tmp, opt = root / "tmp", paths.opt

def mount(point, *options):
    point.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", point], check=True)

{before}
opt.mkdir(parents=True, exist_ok=True)
os.chdir(root)
try:
    scratch = Scratch.make(paths, in_container=True, owner={owner})
    print([str(scratch.path.parent.relative_to(root)), scratch.path.name])
except StorageError as error:
    print([error.code, error.problems, error.retry, [*map(os.listdir, (tmp, opt))]])
"""


def make(folder: Path, before: str, owner: tuple[int, int] | None = None) -> list[object]:
    """Make a scratch folder in a mount namespace, and return where it lies, or the error.

    Args:
        folder: in which `root` is made for the train's root.
        before: code that runs before.
        owner: of the scratch folder.
    """
    code = MAKES_ONE.format(before=before, owner=owner)
    found: list[object] = ast.literal_eval(run_python(code, folder))
    return found


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A train in an image, whose working folder is `/`."""
    paths = Paths(tmp_path / "root")
    for folder in (paths.results, paths.data, paths.root / "tmp"):
        folder.mkdir(parents=True)
    (paths.data / "rows.csv").write_text("a row")
    (paths.root / ".dockerenv").touch()
    (paths.root / "lib").symlink_to("usr/lib")  # to nowhere here
    return paths


@pytest.fixture
def scratch(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    monkeypatch.chdir(paths.root)
    return Scratch.make(paths, in_container=True, owner=None)


# --- what is in it -------------------------------------------------------------------------------


def test_the_working_folder_shows_the_entries_of_the_root(paths: Paths, scratch: Scratch) -> None:
    assert scratch.cwd is not None
    assert {entry.name: entry.readlink() for entry in scratch.cwd.iterdir()} == {
        entry.name: entry for entry in paths.root.iterdir()
    }


def test_a_train_writes_its_results_and_other_files_by_relative_paths(
    paths: Paths, scratch: Scratch
) -> None:
    script = "read row < opt/train_data/rows.csv; echo $row > ./opt/pht_results/x; > Rplots.pdf"

    subprocess.run(["sh", "-c", script], cwd=scratch.cwd, check=True)

    assert (paths.results / "x").read_text() == "a row\n"
    assert not (paths.root / "Rplots.pdf").exists()


def test_home_and_temporary_files_lie_beside_the_working_folder(scratch: Scratch) -> None:
    script = "import os, tempfile; print([os.path.expanduser('~'), tempfile.mkdtemp()])"
    command = [sys.executable, "-c", script]
    env = {**os.environ, **scratch.variables()}

    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True)

    home, file = ast.literal_eval(done.stdout.decode())
    assert home == str(scratch.path / "home")
    assert Path(file).parent == scratch.path / "tmp"
    assert list(Path(home).iterdir()) == []


@pytest.mark.parametrize("name", ["opt", "opt/pht_results"])
def test_any_other_working_folder_stays(
    name: str, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(paths.root / name)

    scratch = Scratch.make(paths, in_container=True, owner=None)

    assert scratch.cwd is None
    assert {path.name for path in scratch.path.iterdir()} == {"home", "tmp"}


@pytest.mark.parametrize(("name", "stays"), [("", False), ("opt", True)])
def test_outside_a_container_the_scratch_folder_lies_among_the_operators_temporary_files(
    name: str, stays: bool, paths: Paths, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(paths.root / name)

    scratch = Scratch.make(paths, in_container=False, owner=None)

    assert (scratch.cwd is None) == stays
    assert scratch.path.parent == temporary
    scratch.remove(Report())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root, to give folders away")
def test_only_the_user_of_the_train_may_enter(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(paths.root)

    scratch = Scratch.make(paths, in_container=True, owner=TRAIN_USER)

    for folder in (scratch.path, *(scratch.path / name for name in ("work", "home", "tmp"))):
        info = folder.stat()
        assert (info.st_uid, info.st_gid, info.st_mode & 0o777) == (*TRAIN_USER, 0o700)
    assert (paths.opt.stat().st_uid, (paths.root / "tmp").stat().st_uid) == (0, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root, to become another user")
def test_the_user_of_the_train_works_there(tmp_path: Path) -> None:
    code = """
import os, subprocess, sys
from pathlib import Path
from entrypoint.model import Paths
from entrypoint.visit.scratch import Scratch

root = Path("/mnt")  # unlike those of a test, its parents let every user pass
subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", root], check=True)
paths = Paths(root)
paths.results.mkdir(parents=True)
os.chown(paths.results, 10001, 10001)
(root / "tmp").mkdir()
(root / "tmp").chmod(0o1777)
os.chdir(root)
scratch = Scratch.make(paths, in_container=True, owner=(10001, 10001))
os.umask(0o022)
work = '''
echo x > opt/pht_results/x && echo plot > Rplots.pdf && mkdir "$HOME/.cache" || exit
printf '#!/bin/sh\\necho ran' > "$TMPDIR/program" && chmod +x "$TMPDIR/program"
"$TMPDIR/program" && ! touch opt/x 2>&-
'''
subprocess.run(
    ["sh", "-c", work], cwd=scratch.cwd, env={**os.environ, **scratch.variables()},
    user=10001, group=10001, extra_groups=[], check=True,
)
"""
    assert run_python(code, tmp_path) == "ran\n"


# --- where it lies -------------------------------------------------------------------------------


def test_its_name_below_tmp_cannot_be_foreseen(paths: Paths) -> None:
    made = [Scratch.make(paths, in_container=True, owner=None).path for _ in range(2)]

    assert made[0] != made[1]
    assert {path.parent for path in made} == {paths.root / "tmp"}


@pytest.mark.parametrize(
    "before",
    [
        "mount(tmp)",
        "mount(tmp, '-o', 'mode=1777')",
        "mount(tmp, '-o', 'mode=700')",
        "mount(root, '-o', 'noexec'); tmp.mkdir()",
    ],
    ids=["executable", "for all", "for this user alone", "nothing is executable"],
)
def test_it_lies_below_tmp(before: str, tmp_path: Path) -> None:
    place, name = make(tmp_path, before)

    assert place == "tmp"
    assert str(name).startswith("pht-")


@pytest.mark.parametrize(
    "before",
    [
        "mount(tmp, '-o', 'noexec')",
        "mount(tmp, '-o', 'ro')",
        "mount(tmp, '-o', 'nr_inodes=3')",
        "mount(tmp, '-o', 'mode=700')",
        "root.mkdir()",
        "opt.mkdir(parents=True); tmp.symlink_to('opt')",
        "root.mkdir(); tmp.touch()",
    ],
    ids=["not executable", "read-only", "full", "closed", "missing", "a link", "a file"],
)
def test_else_it_lies_below_opt(before: str, tmp_path: Path) -> None:
    assert make(tmp_path, before, TRAIN_USER) == ["opt", "pht_results.tmp"]


@pytest.mark.parametrize("planted", ["file", "link", "folder", "closed folder"])
def test_what_an_image_or_a_killed_visit_has_left_there_goes(
    planted: str, paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (paths.root / "tmp").rmdir()
    match planted:
        case "file":
            paths.scratch.touch()
        case "link":
            paths.scratch.symlink_to(paths.results)
        case "folder" | "closed folder":
            (paths.scratch / "home").mkdir(parents=True)
            (paths.scratch / "home" / ".Rprofile").touch()
            paths.scratch.chmod(0o700 if planted == "folder" else 0)
    monkeypatch.chdir(paths.results)

    scratch = Scratch.make(paths, in_container=True, owner=None)

    assert scratch.path == paths.scratch
    assert not scratch.path.is_symlink()
    assert {path.name for path in scratch.path.rglob("*")} == {"home", "tmp"}
    assert list(paths.results.iterdir()) == []


def test_if_it_can_lie_nowhere_all_reasons_are_given(tmp_path: Path) -> None:
    full = "mount(tmp, '-o', 'nr_inodes=3'); mount(opt, '-o', 'nr_inodes=1')"

    code, problems, retry, left = make(tmp_path, full)

    root = tmp_path / "root"
    assert code == "no-working-folder"
    assert problems == tuple(f"{root / name}: no space left on device" for name in ("tmp", "opt"))
    assert retry is True
    assert left == [[], []]


# --- the end of it -------------------------------------------------------------------------------


def test_it_goes_with_all_that_the_train_has_left(paths: Paths, scratch: Scratch) -> None:
    closed = scratch.path / "home" / ".cache" / "closed"
    closed.mkdir(parents=True)
    (closed / "file").touch()
    closed.chmod(0)
    stream = io.StringIO()

    scratch.remove(Report(stream=stream))

    assert list((paths.root / "tmp").iterdir()) == []
    assert (paths.data / "rows.csv").exists()
    assert stream.getvalue() == ""


@pytest.mark.parametrize("closed", [".", "work"])
def test_files_of_the_working_folder_are_named(closed: str, scratch: Scratch) -> None:
    assert scratch.cwd is not None
    (scratch.cwd / "Rplots.pdf").touch()
    (scratch.path / closed).chmod(0)
    stream = io.StringIO()

    scratch.remove(Report(stream=stream))

    left = "the train has left files in its working folder, which are gone now: Rplots.pdf; only"
    assert left in stream.getvalue()


@pytest.mark.parametrize("replaced", [".", "work"])
def test_a_link_in_its_place_goes_and_not_what_it_leads_to(
    replaced: str, paths: Paths, scratch: Scratch
) -> None:
    (paths.data / "work").mkdir()
    (paths.data / "work" / "secret.csv").touch()
    place = scratch.path / replaced
    place.rename(paths.root / "moved")
    place.symlink_to(paths.data / "work" if replaced == "work" else paths.data)
    stream = io.StringIO()

    scratch.remove(Report(stream=stream))

    assert not os.path.lexists(scratch.path)
    assert (paths.data / "work" / "secret.csv").exists()
    assert stream.getvalue() == ""


def test_a_working_folder_may_be_gone(scratch: Scratch) -> None:
    assert scratch.cwd is not None
    shutil.rmtree(scratch.cwd)
    stream = io.StringIO()

    scratch.remove(Report(stream=stream))

    assert stream.getvalue() == ""


def test_one_that_cannot_be_removed_is_named(tmp_path: Path) -> None:
    code = """
import os, subprocess, sys
from pathlib import Path
from entrypoint.model import Paths
from entrypoint.report import Report
from entrypoint.visit.scratch import Scratch
paths = Paths(Path(sys.argv[1]))
paths.opt.mkdir()
scratch = Scratch.make(paths, in_container=True, owner=None)
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", scratch.path / "home"], check=True)
scratch.remove(Report(stream=sys.stdout))
"""

    said = run_python(code, tmp_path)

    path = tmp_path / "opt" / "pht_results.tmp"
    assert said.startswith(f"pht: warning: the train's scratch folder {path} cannot be removed: ")
