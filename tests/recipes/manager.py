"""A systemd of the tests: the first process of a namespace, with control groups of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.containers.engine import Unavailable
from tests.station import PATIENCE_S, wait_until

SYSTEMD = Path("/lib/systemd/systemd")
GROUPS = Path("/sys/fs/cgroup")
BOOT = """\
set -eu
mount --make-rslave /
mount -t proc proc /proc
for folder in /proc/sys /sys; do
    mount --bind $folder $folder
    mount -o remount,bind,ro $folder
done
mount -t tmpfs tmpfs /mnt -o mode=755
if [ -S /run/docker.sock ]; then
    touch /mnt/docker.sock
    mount --bind /run/docker.sock /mnt/docker.sock
fi
mount --no-mtab --move /mnt /run
mount -t tmpfs tmpfs {groups} -o mode=755
if [ {unified} = 1 ]; then
    mount -t cgroup2 cgroup2 {groups}
else
    mkdir {groups}/systemd {groups}/unified
    mount -t cgroup -o none,name=systemd cgroup {groups}/systemd
    mount -t cgroup2 cgroup2 {groups}/unified
fi
printf '#subsys_name\\thierarchy\\tnum_cgroups\\tenabled\\n' >/run/controllers
mount --bind /run/controllers /proc/cgroups
mount -t tmpfs tmpfs /usr/local/bin
mount -t tmpfs tmpfs /etc/systemd/system
mkdir -p {units} /run/generators
for name in sysinit basic shutdown umount; do
    printf '[Unit]\\nDefaultDependencies=no\\n' >{units}/$name.target
done
printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=true\\n' >{units}/docker.service
exec env -i container=tests PATH="$PATH" SYSTEMD_UNIT_PATH={units}:/etc/systemd/system \\
    SYSTEMD_GENERATOR_PATH=/run/generators \\
    {systemd} --system --unit=basic.target --show-status=no
"""
"""Starts systemd without any unit of this machine: at a boot these clean /tmp, and set the kernel's
parameters. It cannot set these itself, and makes no groups in the hierarchies of controllers. What
is installed in the two folders is seen by nobody else."""


@dataclass(frozen=True)
class Manager:
    """A running systemd, whose `docker.service` is no more than a name.

    Attributes:
        pid: of its process.
    """

    pid: int

    def run(self, commands: str, **variables: str) -> str:
        """Run commands where systemd runs, and return their output."""
        done = self.try_run(commands, **variables)
        assert done.returncode == 0, commands + done.stdout + done.stderr
        return done.stdout

    def try_run(self, commands: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run commands where systemd runs, whatever the outcome."""
        return subprocess.run(
            ["nsenter", "--target", str(self.pid), "--mount", "--pid", "sh", "-euc", commands],
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )

    def property(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.run(f"systemctl show --property {name} --value '{unit}'").strip()


@contextmanager
def running_manager() -> Iterator[Manager]:
    """Start a systemd for the block.

    Raises:
        Unavailable: there is none, or this user cannot start it.
    """
    if os.geteuid() != 0 or not SYSTEMD.exists():
        raise Unavailable("needs root and systemd, to start that in a namespace")
    unified = (GROUPS / "cgroup.controllers").exists()
    trees = [GROUPS] if unified else [GROUPS / "systemd", GROUPS / "unified"]
    groups = [tree / f"pht-test-{os.getpid()}" for tree in trees]
    boot = BOOT.format(
        unified=int(unified), groups=GROUPS, systemd=SYSTEMD, units="/run/systemd/system"
    )
    spaces = ["--mount", "--pid", "--cgroup", "--ipc", "--uts", "--fork", "--kill-child"]
    enter = " && ".join(f"echo $$ >'{group}/cgroup.procs'" for group in groups)
    command = f'{enter} && exec unshare {" ".join(spaces)} sh -c "$1"'
    try:
        for group in groups:
            group.mkdir()
        process = subprocess.Popen(["sh", "-euc", command, "sh", boot], stdin=subprocess.DEVNULL)
    except OSError as error:
        raise Unavailable(f"no control group can be made: {error}") from None
    try:
        manager = Manager(_only_child(process))
        wait_until(lambda: manager.try_run("systemctl is-system-running").returncode == 0)
        yield manager
    finally:
        process.kill()
        process.wait()
        for group in groups:
            _remove(group)


def _only_child(process: "subprocess.Popen[bytes]") -> int:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_until(lambda: process.poll() is not None or bool(children.read_text()))
    if process.poll() is not None:
        raise Unavailable(f"no namespace for systemd: status {process.returncode}")
    return int(children.read_text())


def _remove(group: Path) -> None:
    """Remove a control group once its processes have ended."""

    def is_gone() -> bool:
        for path, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):  # busy
                os.rmdir(path)
        return not group.exists()

    wait_until(is_gone)


def analyzes() -> str:
    """Return the path of systemd-analyze; may raise Unavailable."""
    found = shutil.which("systemd-analyze")
    if found is None:
        raise Unavailable("no systemd-analyze on the PATH")
    return found
