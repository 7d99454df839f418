"""Landlock: restricts the files that a process and all its children can reach (landlock(7)).

A process may do with a file what a rule for it, or for a folder above it, allows. Chmod, chown,
utime and xattrs are not covered. Connections of the network are left alone: only TCP could be
restricted, and a container without network interfaces restricts all of them.
"""

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Flag, auto
from functools import cache
from pathlib import Path
from typing import NamedTuple

from entrypoint.linux.libc import last_error, libc

# The same numbers on every machine but Alpha and MIPS.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446

_GET_VERSION = 1
_RULE_PATH_BENEATH = 1
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11

# Here, because the dynamic loader must not be used between fork and exec.
_syscall = libc.syscall

_NO_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}


class Access(Flag):
    """Kinds of access that a rule allows to a file, or to everything in a folder.

    Attributes:
        READ: read and execute files, list folders.
        READ_FIXED: READ, on file systems that take no writes. The kernel asks at every open whether
            the file may be truncated too, and looks for that up to the root unless a rule says so.
        LIST: list folders.
        WRITE: READ, and write, make, rename and remove everything but device nodes.
        DEVICE: READ, and write files and control devices.
    """

    READ = auto()
    READ_FIXED = auto()
    LIST = auto()
    WRITE = auto()
    DEVICE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Allows `access` to the file or folder `path`; if that is a link, to nothing else."""

    path: Path
    access: Access


class _Right(NamedTuple):
    """A right of the kernel.

    Attributes:
        bit: its number.
        since: the first ABI that has it.
        of_files: whether it can be granted for a file; all can for a folder.
        granted: the kinds of access that include it.
    """

    name: str
    bit: int
    since: int
    of_files: bool
    granted: Access


_NEVER = Access(0)
_READ = Access.READ | Access.READ_FIXED | Access.WRITE | Access.DEVICE

_RIGHTS = (
    _Right("EXECUTE", 0, 1, True, _READ),
    _Right("WRITE_FILE", 1, 1, True, Access.WRITE | Access.DEVICE),
    _Right("READ_FILE", 2, 1, True, _READ),
    _Right("READ_DIR", 3, 1, False, _READ | Access.LIST),
    _Right("REMOVE_DIR", 4, 1, False, Access.WRITE),
    _Right("REMOVE_FILE", 5, 1, False, Access.WRITE),
    _Right("MAKE_CHAR", 6, 1, False, _NEVER),
    _Right("MAKE_DIR", 7, 1, False, Access.WRITE),
    _Right("MAKE_REG", 8, 1, False, Access.WRITE),
    _Right("MAKE_SOCK", 9, 1, False, Access.WRITE),
    _Right("MAKE_FIFO", 10, 1, False, Access.WRITE),
    _Right("MAKE_BLOCK", 11, 1, False, _NEVER),
    _Right("MAKE_SYM", 12, 1, False, Access.WRITE),
    _Right("REFER", 13, 2, False, Access.WRITE),  # without it nothing moves to another folder
    _Right("TRUNCATE", 14, 3, True, Access.WRITE | Access.READ_FIXED),
    _Right("IOCTL_DEV", 15, 5, True, Access.DEVICE),
)


def abi() -> int:
    """Return the version of the kernel's interface; 0 if there is no Landlock here.

    The kernel may be older or have it switched off, or a seccomp profile may forbid it. Version 1
    lets nobody move or link a file to another folder, whatever the rules.
    """
    version: int = _syscall(ctypes.c_long(_CREATE_RULESET), None, ctypes.c_size_t(0), _GET_VERSION)
    return max(version, 0)


def make_ruleset(rules: Iterable[Rule]) -> int:
    """Return a descriptor of a ruleset, which is closed on exec.

    Each right that the kernel has is denied unless a rule allows it. From version 6 on signals to
    other processes and their abstract sockets are denied too. A rule whose path this user cannot
    open, or that is gone, is left out.

    Raises:
        OSError: there is no Landlock, or no memory or descriptor left.
    """
    version = abi()
    handled = sum(1 << right.bit for right in _RIGHTS if right.since <= version)
    scoped = _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS if version >= 6 else 0
    attributes = struct.pack("=QQQ", handled, 0, scoped)  # old kernels take fields that are 0
    size = ctypes.c_size_t(len(attributes))
    ruleset: int = _syscall(ctypes.c_long(_CREATE_RULESET), attributes, size, 0)
    if ruleset < 0:
        raise last_error()
    try:
        for rule in rules:
            _add(ruleset, rule, handled)
    except OSError:
        os.close(ruleset)
        raise
    return ruleset


def restrict_self(ruleset: int) -> None:
    """Apply a ruleset to this thread and its later children, for good.

    Raises:
        OSError: this process can still gain privileges (`PR_SET_NO_NEW_PRIVS`), or has 16 rulesets.
    """
    if _syscall(ctypes.c_long(_RESTRICT_SELF), ruleset, 0) != 0:
        raise last_error()


def _add(ruleset: int, rule: Rule, handled: int) -> None:
    try:
        handle = os.open(rule.path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _NO_RESOURCES:
            raise
        return
    try:
        of_file = not stat.S_ISDIR(os.fstat(handle).st_mode)
        rights = handled & _bits(rule.access, of_file=of_file)
        if rights:
            attributes = struct.pack("=Qi", rights, handle)
            number = ctypes.c_long(_ADD_RULE)
            if _syscall(number, ruleset, _RULE_PATH_BENEATH, attributes, 0) != 0:
                raise last_error(rule.path)
    finally:
        os.close(handle)


@cache
def _bits(access: Access, *, of_file: bool) -> int:
    """Return the rights that an access means, as the kernel takes them for a file or a folder."""
    granted = (right for right in _RIGHTS if right.granted & access)
    return sum(1 << right.bit for right in granted if right.of_files or not of_file)
