"""Tells files in memory from others where the mount does not: in an overlay.

An overlay names its upper layer by a path of the host, and its statfs(2) is its own. But the kernel
counts the mapped pages of files in memory apart from those of all others (proc(5), `Pss_Shmem` in
`smaps_rollup`, Linux 5.4), whatever file system shows them.
"""

import mmap
import re
import tempfile
from pathlib import Path

_COUNTS = Path("/proc/self/smaps_rollup")
_PROBE_BYTES = 2**18


def keeps_files_in_memory(folder: Path) -> bool:
    """Return whether a new file in a folder lies in memory; False if that cannot be found out."""
    try:
        before = _shared_bytes()
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            # Written, since mapping a hole would end this process (SIGBUS) where memory is full.
            size = file.write(bytes(_PROBE_BYTES))
            with mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ) as mapped:
                for page in range(0, size, mmap.PAGESIZE):
                    mapped[page]
                return _shared_bytes() - before > size // 2
    except OSError:
        return False


def _shared_bytes() -> int:
    """Return the size of the mapped pages of files in memory; 0 on a kernel that does not tell."""
    found = re.search(r"^Pss_Shmem: *([0-9]+) kB$", _COUNTS.read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
