"""Memory for a secret, behind a descriptor that execve(2) hands on."""

import ctypes
import fcntl
import mmap
import os

from entrypoint.linux.libc import libc

_MEMFD_SECRET = 447
"""The number of the system call, the same on x86-64 and arm64."""

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def store(secret: bytes) -> int:
    """Return a new descriptor of memory that holds a secret; it is not closed at execve.

    With memfd_secret(2) no other process can read this memory, not even root. Where the kernel
    lacks that, or RLIMIT_MEMLOCK leaves no room, it is a sealed memfd, which is as safe as the
    descriptors of this process are, and closed to other users.

    Raises:
        OSError: there is no such memory.
    """
    descriptor = _store_hidden(secret)
    if descriptor is None:
        descriptor = _store_sealed(secret)
    try:
        # Numbers below 3 are those of standard streams; one that is closed would be taken.
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD, 3)
    finally:
        os.close(descriptor)


def load(descriptor: int) -> bytes:
    """Return the secret behind a descriptor; raises OSError."""
    size = os.fstat(descriptor).st_size
    try:
        return os.pread(descriptor, size, 0)
    except OSError:  # memory of memfd_secret can only be mapped
        with mmap.mmap(descriptor, size, prot=mmap.PROT_READ) as memory:
            return memory[:]


def _store_hidden(secret: bytes) -> int | None:
    """Return a descriptor of memfd_secret(2), or None."""
    descriptor: int = libc.syscall(ctypes.c_long(_MEMFD_SECRET), ctypes.c_ulong(0))
    if descriptor < 0:
        return None
    try:
        os.ftruncate(descriptor, len(secret))
        with mmap.mmap(descriptor, len(secret)) as memory:
            memory[:] = secret
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _store_sealed(secret: bytes) -> int:
    descriptor = os.memfd_create("secret", os.MFD_ALLOW_SEALING)
    os.fchmod(descriptor, 0o400)  # in gVisor nothing else keeps other users from opening it
    os.write(descriptor, secret)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    return descriptor
