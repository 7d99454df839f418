"""Mounts that show a file a second time, and those that take writes."""

import ast
from pathlib import Path

import pytest

from entrypoint.linux import mounts
from entrypoint.linux.mounts import other_paths, parse, shown_elsewhere
from tests.mount_namespace import run_python

PREPARE = """
import subprocess, sys
from pathlib import Path
from entrypoint.linux.mounts import shown_elsewhere, writable_mounts
here = Path(sys.argv[1]).resolve()
def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)
def new(name):
    (here / name).mkdir(parents=True)
    return here / name
def relative(path):
    return path and str(path.relative_to(here))
mount("-t", "tmpfs", "tmpfs", here)
key = new("station/keys") / "key.pem"
key.touch()
"""


def printed(code: str, folder: Path) -> object:
    """Return the literal that `code` prints where it may mount."""
    return ast.literal_eval(run_python(PREPARE + code, folder))


# A second path to a file


@pytest.mark.parametrize(
    ("source", "shown"),
    [(".", "again"), ("station", "again"), ("station/keys/key.pem", "file"), ("data", None)],
    ids=["everything", "a folder above", "the file", "another folder"],
)
def test_a_mount_of_the_same_file_system(source: str, shown: str | None, tmp_path: Path) -> None:
    code = f"""
new("again"), new("data")
(here / "file").touch()
mount("--bind", here / "{source}", here / "{shown or "again"}")
print(repr(relative(shown_elsewhere(key))))
"""
    assert printed(code, tmp_path) == shown


def test_a_key_that_is_a_mount_is_found_where_it_comes_from(tmp_path: Path) -> None:
    code = """
point = new("secrets") / "key"
point.touch()
mount("--bind", key, point)
(here / "link").symlink_to(point)
print([relative(shown_elsewhere(path)) for path in (point, here / "link")])
"""
    assert printed(code, tmp_path) == [".", "."]


def test_another_file_system_shows_nothing(tmp_path: Path) -> None:
    code = """
mount("-t", "tmpfs", "tmpfs", new("again"))
print(shown_elsewhere(key))
"""
    assert printed(code, tmp_path) is None


def test_mounts_that_nobody_can_reach_do_not_count(tmp_path: Path) -> None:
    code = """
again = new("outer/again")
mount("--bind", key.parent, again)
seen = [relative(shown_elsewhere(key))]
mount("-t", "tmpfs", "tmpfs", again.parent)
print([*seen, shown_elsewhere(key)])
"""
    assert printed(code, tmp_path) == ["outer/again", None]


def test_a_mount_over_the_folder_of_the_file_hides_it(tmp_path: Path) -> None:
    code = """
again = new("again")
mount("--bind", key.parents[1], again)
mount("-t", "tmpfs", "tmpfs", again / "keys")
print(shown_elsewhere(key))
"""
    assert printed(code, tmp_path) is None


def test_the_same_folder_mounted_twice_at_one_place(tmp_path: Path) -> None:
    code = """
source, point = new("source"), new("point")
(source / "key").touch()
mount("--bind", source, point)
mount("--bind", source, point)
mount("-t", "tmpfs", "tmpfs", source)
print(shown_elsewhere(point / "key"))
"""
    assert printed(code, tmp_path) is None


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    code = """
try:
    shown_elsewhere(here / "absent")
except FileNotFoundError:
    print(True)
"""
    assert printed(code, tmp_path) is True


CONTAINER = """\
10 1 0:50 / / rw - overlay overlay rw
11 10 8:1 /etc/pht /run/pht ro - ext4 /dev/sda1 rw
12 10 8:1 {root} /data ro - ext4 /dev/sda1 rw
13 10 {other} /etc /more ro - ext4 /dev/sda1 rw
"""


@pytest.mark.parametrize(
    ("root", "other", "shown"),
    [
        ("/srv", "8:2", None),
        ("/", "8:2", "/data"),
        ("/etc", "8:2", "/data"),
        ("/etc/pht", "8:2", "/data"),
        ("/etc/pht/key.pem", "8:2", "/data"),
        ("/etc/p", "8:2", None),
        ("/etc/pht/other.pem", "8:2", None),
        ("/srv", "8:1", "/more"),
    ],
)
def test_bind_mounts_of_a_container(root: str, other: str, shown: str | None) -> None:
    listed = parse(CONTAINER.format(root=root, other=other))
    found = [str(mount.point) for mount, _ in other_paths(Path("/run/pht/key.pem"), listed)]
    assert found == ([shown] if shown else [])


def test_a_file_that_no_mount_holds() -> None:
    assert list(other_paths(Path("/key.pem"), [])) == []


NFS = """\
10 1 0:50 / / rw - overlay overlay rw
11 10 0:60 / {folder}/keys ro - nfs4 server:/keys rw
12 10 0:60 / {folder}/data ro - nfs4 server:/data rw
"""


@pytest.fixture
def nfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two folders that are listed as mounts of a server, as Linux lists them."""
    for name in ("keys", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "keys" / "key.pem").touch()
    (tmp_path / "mountinfo").write_text(NFS.format(folder=tmp_path))
    monkeypatch.setattr(mounts, "_MOUNTINFO", tmp_path / "mountinfo")
    return tmp_path


def test_two_folders_of_a_server_that_calls_both_its_root(nfs: Path) -> None:
    key, other = nfs / "keys" / "key.pem", nfs / "data" / "key.pem"
    assert shown_elsewhere(key) is None
    other.touch()
    assert shown_elsewhere(key) is None
    other.unlink()
    other.hardlink_to(key)
    assert shown_elsewhere(key) == nfs / "data"


def test_a_mount_that_this_user_may_not_see_counts(
    nfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, other: Path) -> bool:
        raise PermissionError

    monkeypatch.setattr(Path, "samefile", refuse)
    assert shown_elsewhere(nfs / "keys" / "key.pem") == nfs / "data"


# Mounts that take writes


def test_writable_mounts(tmp_path: Path) -> None:
    code = """
def tmpfs(name, options="rw"):
    mount("-t", "tmpfs", "-o", options, "tmpfs", here / name)
new("writable"), new("read-only"), new("hidden by a read-only one"), new("outer")
tmpfs("writable")
tmpfs("read-only", "ro")
tmpfs("hidden by a read-only one")
tmpfs("hidden by a read-only one", "ro")
tmpfs("outer")
new("outer/inner")
tmpfs("outer/inner")
mount("-o", "remount,ro", here / "outer")
new("writable/hidden")
tmpfs("writable/hidden")
tmpfs("writable")
print([relative(point) for point in writable_mounts() if here in point.parents])
"""
    assert printed(code, tmp_path) == ["outer/inner", "writable"]
