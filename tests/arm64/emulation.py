"""Executes programs for arm64 on this kernel, with QEMU's emulator of processes."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.containers.engine import Unavailable

QEMU = "qemu-aarch64-static"
MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
"""An executable for arm64; the byte that is masked names the system, the last bit is position-
independent code."""

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
"""For programs in the root folder, and for chroot(8), which not everybody has on the PATH."""


@contextmanager
def emulation(root: Path) -> Iterator[None]:
    """Let this kernel execute programs for arm64 meanwhile, unless it does so anyway.

    Args:
        root: a Debian for arm64, to try it with.

    Raises:
        Unavailable: it cannot be set up.
    """
    if os.geteuid() != 0:
        raise Unavailable("needs root, to change the root folder")
    tried = subprocess.run(["chroot", root, "true"], env=ENVIRONMENT, capture_output=True)
    if tried.returncode == 0:
        yield
        return
    qemu = shutil.which(QEMU)
    if qemu is None:
        raise Unavailable(f"no {QEMU}")
    with tempfile.TemporaryDirectory() as folder:
        if subprocess.run(["mount", "-t", "binfmt_misc", "none", folder]).returncode != 0:
            raise Unavailable("no right to set up binfmt_misc")
        try:
            name = f"pht-test-{os.getpid()}"
            # F: the emulator is opened now, so that it is found in any root folder.
            Path(folder, "register").write_text(f":{name}:M::{MAGIC}:{MASK}:{qemu}:FP")
            try:
                yield
            finally:
                Path(folder, name).write_text("-1")
        finally:
            subprocess.run(["umount", folder], check=True)
