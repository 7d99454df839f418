"""Reads and drops the capabilities of this process (capabilities(7)).

Everything here is a system call, so that it may run between fork and exec.
"""

import ctypes
import errno
import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

from entrypoint.linux.libc import last_error, libc
from entrypoint.linux.prctl import prctl

PR_SET_KEEPCAPS = 8
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_IS_SET = 1
PR_CAP_AMBIENT_RAISE = 2

_SECBIT_NO_SETUID_FIXUP = 1 << 2

_VERSION_3 = 0x20080522
_WORDS = "=6I"  # effective, permitted, inheritable: capabilities 0 to 31, then 32 to 63
_MAX = 64  # numbers that the sets have room for
_LOW = (1 << 32) - 1


class Capability(IntEnum):
    """Capabilities that the program asks for or leaves to a train, by their numbers in Linux."""

    CHOWN = 0
    DAC_OVERRIDE = 1
    FOWNER = 3
    KILL = 5
    SETGID = 6
    SETUID = 7
    SETPCAP = 8


class Sets(NamedTuple):
    """The three sets of a process that capset(2) changes, each as a bit mask."""

    effective: int
    permitted: int
    inheritable: int


def held() -> frozenset[Capability]:
    """Return the effective capabilities of this process, of those that the program knows."""
    effective = read_sets().effective
    return frozenset(capability for capability in Capability if effective >> capability & 1)


def mask(capabilities: Iterable[Capability]) -> int:
    """Return the bit mask of some capabilities."""
    return sum(1 << capability for capability in capabilities)


def read_sets() -> Sets:
    """Return the sets of this process.

    Raises:
        OSError: a seccomp profile forbids capget(2).
    """
    words = ctypes.create_string_buffer(struct.calcsize(_WORDS))
    if libc.capget(_header(), words) != 0:
        raise last_error()
    low_high = struct.unpack(_WORDS, words.raw)
    return Sets(*(low | high << 32 for low, high in zip(low_high[:3], low_high[3:], strict=True)))


def set_all(capabilities: int) -> None:
    """Make all three sets of this process this mask, and the ambient set a part of it.

    Raises:
        OSError: a capability in the mask is not permitted to this process.
    """
    low, high = capabilities & _LOW, capabilities >> 32
    if libc.capset(_header(), struct.pack(_WORDS, low, low, low, high, high, high)) != 0:
        raise last_error()


def drop_bounding(kept: int) -> None:
    """Drop all capabilities but those of a mask from the bounding set; needs SETPCAP.

    Raises:
        OSError: one cannot be dropped.
    """
    dropped = read_bounding() & ~kept
    for number in range(_MAX):
        if dropped >> number & 1:
            prctl(PR_CAPBSET_DROP, number)


def read_bounding() -> int:
    """Return the bounding set of this process as a mask."""
    found = 0
    for number in range(_MAX):
        try:
            found |= prctl(PR_CAPBSET_READ, number) << number
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            break  # the kernel knows no higher one
    return found


def keep_at_change_of_user() -> None:
    """Keep the permitted set when this process gives up uid 0; the effective one is lost."""
    prctl(PR_SET_KEEPCAPS, 1)


def let_access_agree() -> None:
    """Make access(2) take account of the capabilities that a user other than root has.

    Needs SETPCAP. Programs that ask before they open a file would believe that they may not.
    """
    prctl(PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)


def has_ambient_set() -> bool:
    """Return whether processes have an ambient set here; those of gVisor have none."""
    try:
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, Capability.CHOWN)
    except OSError:
        return False
    return True


def raise_ambient(capability: Capability) -> None:
    """Let this process keep a permitted and inheritable capability over execve(2)."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def _header() -> bytes:
    return struct.pack("=Ii", _VERSION_3, 0)  # 0: this process
