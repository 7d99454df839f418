"""A visit by an emulated Python for arm64, with the wheels for arm64, on this kernel.

The emulator offers neither Landlock nor seccomp to what it runs, so these layers are missing, as
they are on old kernels.
"""

import subprocess
from pathlib import Path

from tests.arm64.emulation import ENVIRONMENT, emulation
from tests.arm64.root import make
from tests.containers.fixtures import or_skip
from tests.containers.images import START
from tests.station import Done, new_train, opened, settle

TRAIN = """
import os, pathlib, platform, subprocess, sys, threading
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
kind = subprocess.run(["uname", "-m"], capture_output=True, text=True, check=True).stdout
thread = threading.Thread(target=(results / "machine").write_text, args=[kind])
thread.start()
thread.join()
assert platform.machine() == "aarch64"
"""

IN_ROOT = """
mount --bind "$0" "$0"
mount -t proc proc "$0/proc"
mount --rbind /dev "$0/dev"
mount --bind "$0/run/pht" "$0/run/pht"
mount -o remount,bind,ro "$0/run/pht"
exec chroot "$0" "$@"
"""


def run_in(root: Path, *command: str) -> Done:
    """Run a program like a container: as process 1, without network, in a root folder."""
    unshare = ["unshare", "--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child"]
    done = subprocess.run(
        [*unshare, "sh", "-euc", IN_ROOT, str(root), *command],
        env=ENVIRONMENT,
        capture_output=True,
        timeout=600,
    )
    return Done(done.returncode, done.stdout, done.stderr.decode())


def test_a_visit(tmp_path: Path) -> None:
    root = tmp_path / "root"
    or_skip(lambda: make(root))
    opt = new_train(root, TRAIN)
    settle(root, "station_1")

    done = or_skip(lambda: emulated(root))

    assert done.status == 0, done.stderr
    assert opened(opt)["machine"] == b"aarch64\n"
    assert done.facts["layers"] == "uid,caps,key-absent"


def emulated(root: Path) -> Done:
    """Make the visit; raise Unavailable if it cannot be emulated."""
    with emulation(root):
        return run_in(root, *START, "run", "--", "python3", "/opt/pht_train/train.py")
