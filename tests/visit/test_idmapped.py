"""Trains on an idmapped mount, where some owners of files have no number."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import reference
from tests.station import assert_explained, new_train, opened, settle, snapshot, visit, wait_until

SOMEBODY, NOBODY = 100_000, 65534
BESIDE = ["train_config.json", "user_sym_key.key"]
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE = -100, 0x1000, 0x8000
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC, MOVE_MOUNT_F_EMPTY_PATH = 1, os.O_CLOEXEC, 4
MOUNT_ATTR_IDMAP = 0x100000
MIB = 2**20


class Attributes(ctypes.Structure):
    """`struct mount_attr`, mount_setattr(2)."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


def call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    answer = int(libc.syscall(number, *arguments))
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return answer


def mount_idmapped(folder: Path, process: int, users: int) -> None:
    """Mount a folder over itself so that only the users below `users` have a number."""
    for kind in ("uid", "gid"):
        Path(f"/proc/{process}/{kind}_map").write_text(f"0 0 {users}")
    place = os.fsencode(folder)
    namespace = os.open(f"/proc/{process}/ns/user", os.O_RDONLY)
    attributes = Attributes(MOUNT_ATTR_IDMAP, 0, 0, namespace)
    flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE
    tree = call(OPEN_TREE, AT_FDCWD, place, flags)
    length = ctypes.sizeof(attributes)
    call(MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, ctypes.byref(attributes), length)
    call(MOVE_MOUNT, tree, b"", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH)
    os.close(tree)
    os.close(namespace)


@pytest.fixture
def opt(tmp_path: Path) -> Path:
    """A train at its second stop."""
    opt = new_train(tmp_path, "import os; open(os.environ['PHT_RESULTS_DIR'] + '/new', 'x')")
    results = opt / "pht_results"
    (results / "folder").mkdir()
    (results / "large").write_bytes(bytes(MIB))
    (results / "small").write_bytes(b"x")
    (results / "link").symlink_to("small")
    reference.published_post_run(opt, "station_1", reference.vector_key("station_1", private=True))
    settle(tmp_path, "station_2")
    return opt


@contextmanager
def idmapped(opt: Path, users: int) -> Iterator[None]:
    """Have `opt` on a mount on which only so many users have a number."""
    holder = subprocess.Popen(["unshare", "--user", "sleep", "60"])
    own = os.stat("/proc/self/ns/user").st_ino
    try:
        wait_until(lambda: os.stat(f"/proc/{holder.pid}/ns/user").st_ino != own)
        mount_idmapped(opt, holder.pid, users)
    except OSError as error:
        pytest.skip(f"needs idmapped mounts: {error}")
    finally:
        holder.kill()
        holder.wait()
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", opt], check=True)


@pytest.fixture(autouse=True)
def _may_mount() -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root, to mount, and the unshare command")


def test_a_train_whose_owners_all_have_a_number_is_visited(opt: Path) -> None:
    os.chown(opt / "pht_results" / "large", NOBODY, NOBODY)
    (opt / "pht_results" / "large").chmod(0o644)

    with idmapped(opt, 65536):
        done = visit(opt.parent)

    assert done.status == 0, done.stderr
    assert opened(opt)["large"] == bytes(MIB)


@pytest.mark.parametrize("users", [1000, 65536])
@pytest.mark.parametrize("name", ["large", "small", "folder", "link", *BESIDE])
def test_what_nobody_may_replace_is_named_before_anything_is_opened(
    name: str, users: int, opt: Path
) -> None:
    path = opt / name if name in BESIDE else opt / "pht_results" / name
    if not path.is_symlink():
        path.chmod(0o755)
    os.chown(path, SOMEBODY, SOMEBODY, follow_symlinks=False)
    before = snapshot(opt.parent)

    with idmapped(opt, users):
        done = visit(opt.parent)

    assert_explained(done, 78, "place-unsuitable")
    assert str(path) in done.stderr
    assert done.facts["state"] == "unchanged"
    assert snapshot(opt.parent) == before
