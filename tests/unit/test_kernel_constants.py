"""The numbers of the kernel's interface, compared with its headers, and with libseccomp's."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from entrypoint.linux import capabilities, namespaces, prctl, secret_memory
from entrypoint.linux.capabilities import Capability
from entrypoint.process import landlock, seccomp
from entrypoint.process.seccomp import Machine
from tests import system_calls

INCLUDE = Path("/usr/include")
RESOLVER = "scmp_sys_resolver"
COLUMNS = {Machine.X86_64: 0, Machine.AARCH64: 1}

NAMESPACES = ("NEWNS", "NEWCGROUP", "NEWUTS", "NEWIPC", "NEWUSER", "NEWPID", "NEWNET")

SAME_ON_BOTH = [
    ("asm-generic/fcntl.h", "F_SETOWN", seccomp._F_SETOWN),
    ("asm-generic/fcntl.h", "F_SETOWN_EX", seccomp._F_SETOWN_EX),
    ("asm-generic/ioctls.h", "TIOCSTI", seccomp._TIOCSTI),
    ("asm-generic/ioctls.h", "TIOCLINUX", seccomp._TIOCLINUX),
    ("asm-generic/sockios.h", "FIOSETOWN", seccomp._FIOSETOWN),
    ("asm-generic/sockios.h", "SIOCSPGRP", seccomp._SIOCSPGRP),
    ("asm-generic/unistd.h", "__NR_landlock_create_ruleset", landlock._CREATE_RULESET),
    ("asm-generic/unistd.h", "__NR_landlock_add_rule", landlock._ADD_RULE),
    ("asm-generic/unistd.h", "__NR_landlock_restrict_self", landlock._RESTRICT_SELF),
    ("asm-generic/unistd.h", "__NR_mount_setattr", namespaces._SYS_MOUNT_SETATTR),
    ("asm-generic/unistd.h", "__NR_memfd_secret", secret_memory._MEMFD_SECRET),
    ("linux/capability.h", "_LINUX_CAPABILITY_VERSION_3", capabilities._VERSION_3),
    *(("linux/capability.h", f"CAP_{one.name}", one.value) for one in Capability),
    *(
        ("linux/landlock.h", f"LANDLOCK_ACCESS_FS_{right.name}", 1 << right.bit)
        for right in landlock._RIGHTS
    ),
    ("linux/netlink.h", "NETLINK_CONNECTOR", seccomp._NETLINK_CONNECTOR),
    ("linux/prctl.h", "PR_SET_PDEATHSIG", prctl.PR_SET_PDEATHSIG),
    ("linux/prctl.h", "PR_SET_DUMPABLE", prctl.PR_SET_DUMPABLE),
    ("linux/prctl.h", "PR_SET_CHILD_SUBREAPER", prctl.PR_SET_CHILD_SUBREAPER),
    ("linux/prctl.h", "PR_SET_NO_NEW_PRIVS", prctl.PR_SET_NO_NEW_PRIVS),
    ("linux/prctl.h", "PR_SET_SECCOMP", seccomp._PR_SET_SECCOMP),
    ("linux/seccomp.h", "SECCOMP_MODE_FILTER", seccomp._SECCOMP_MODE_FILTER),
    ("linux/sockios.h", "SIOCSIFFLAGS", namespaces._SIOCSIFFLAGS),
]
"""Headers that x86-64 and arm64 share, names in them, and the numbers in the program."""


DEFINE = re.compile(
    r"^#\s*define\s+(\w+)\s+\(?(0[xX][0-9a-fA-F]+|\d+)U?L?L?(?:\s*<<\s*(\d+))?\)?\s*(?:/\*|$)",
    re.MULTILINE,
)
"""A name for a number, perhaps shifted, with a comment or nothing behind it."""


@cache
def numbers(header: str) -> dict[str, int]:
    """Return the names that a header defines as a number or as one bit."""
    if not (INCLUDE / header).exists():
        pytest.skip(f"needs {INCLUDE / header}")
    found = DEFINE.findall((INCLUDE / header).read_text())
    return {name: c_integer(digits) << int(shift or 0) for name, digits, shift in found}


def c_integer(digits: str) -> int:
    """Read a number as C does: octal if it begins with 0."""
    if digits.startswith(("0x", "0X")):
        return int(digits, 16)
    return int(digits, 8 if digits.startswith("0") else 10)


@pytest.mark.parametrize(("header", "name", "number"), SAME_ON_BOTH)
def test_the_program_has_the_numbers_of_the_headers(header: str, name: str, number: int) -> None:
    known = numbers(header)
    assert known
    if name.startswith("LANDLOCK_ACCESS_FS_") and name not in known:
        assert max(known.values()) < number  # it came after these headers
        return
    assert known[name] == number


@pytest.mark.parametrize(
    ("header", "definition", "size", "number"),
    [
        ("linux/fs.h", "FS_IOC_SETFLAGS _IOW('f', 2, long)", 8, seccomp._FS_IOC_SETFLAGS),
        (
            "linux/fs.h",
            "FS_IOC_FSSETXATTR _IOW('X', 32, struct fsxattr)",
            28,
            seccomp._FS_IOC_FSSETXATTR,
        ),
        (
            "linux/fscrypt.h",
            "FS_IOC_SET_ENCRYPTION_POLICY _IOR('f', 19, struct fscrypt_policy_v1)",
            12,
            seccomp._FS_IOC_SET_ENCRYPTION_POLICY,
        ),
    ],
)
def test_the_program_has_the_numbers_of_ioctls(
    header: str, definition: str, size: int, number: int
) -> None:
    assert numbers(header)
    assert f"#define {definition}" in " ".join((INCLUDE / header).read_text().split())
    found = re.search(r"_IO([WR])\('(.)', (\d+)", definition)
    assert found
    direction = {"W": 1, "R": 2}[found[1]]
    assert number == direction << 30 | size << 16 | ord(found[2]) << 8 | int(found[3])


def test_no_new_namespace_is_forgotten() -> None:
    known = numbers("linux/sched.h")
    forbidden = sum(known[f"CLONE_{name}"] for name in NAMESPACES)
    assert forbidden == seccomp._CLONE_NEW_NAMESPACE


@pytest.mark.parametrize("machine", Machine, ids=lambda machine: machine.name)
def test_a_machine_is_called_as_by_the_kernel(machine: Machine) -> None:
    of_elf, audit = numbers("linux/elf-em.h"), numbers("linux/audit.h")
    flags = audit["__AUDIT_ARCH_64BIT"] | audit["__AUDIT_ARCH_LE"]
    assert machine.value == of_elf[f"EM_{machine.name}"] | flags


@pytest.mark.parametrize("machine", Machine, ids=lambda machine: machine.name)
def test_libseccomp_knows_the_system_calls_by_the_same_numbers(machine: Machine) -> None:
    if shutil.which(RESOLVER) is None:
        pytest.skip(f"needs {RESOLVER}")
    resolved = {name: resolve(name, machine) for name in system_calls.ALL}
    newest = max(resolved.values())
    assert newest > 400
    for name, row in system_calls.ALL.items():
        number = row[COLUMNS[machine]]
        if number is None:
            assert resolved[name] < 0, name
        elif number <= newest:
            assert resolved[name] == number, name


def resolve(name: str, machine: Machine) -> int:
    """Return the number of a system call; a negative one if libseccomp knows none."""
    command = [RESOLVER, "-a", machine.name.lower(), name]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
