"""The seccomp filter of both machines, executed by an interpreter."""

import errno
import os
import re
from pathlib import Path

import pytest

from entrypoint.process import seccomp
from entrypoint.process.seccomp import Machine
from tests import system_calls
from tests.bpf import ALLOW, ERRNO, verdict

RUNNER = 4711
OTHER = 4712
EPERM = ERRNO | errno.EPERM
ENOSYS = ERRNO | errno.ENOSYS
COLUMNS = {Machine.X86_64: 0, Machine.AARCH64: 1}
HEADERS = {
    Machine.X86_64: Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    Machine.AARCH64: Path("/usr/include/asm-generic/unistd.h"),
}

on_each_machine = pytest.mark.parametrize("machine", Machine, ids=lambda machine: machine.name)


def numbers(calls: system_calls.Numbers, machine: Machine) -> set[int]:
    found = {row[COLUMNS[machine]] for row in calls.values()}
    return {number for number in found if number is not None}


@on_each_machine
def test_the_tests_know_the_numbers_of_the_kernel(machine: Machine) -> None:
    if not HEADERS[machine].exists():
        pytest.skip(f"needs {HEADERS[machine]}")
    define = re.compile(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)\s*$", re.MULTILINE)
    known = {name: int(number) for name, number in define.findall(HEADERS[machine].read_text())}
    newest = max(known.values())
    for name, row in system_calls.ALL.items():
        number = row[COLUMNS[machine]]
        if number is None or number <= newest:
            assert known.get(name) == number, name


@on_each_machine
def test_every_system_call_is_answered_without_its_arguments_unless_they_matter(
    machine: Machine,
) -> None:
    program = seccomp.program_for(machine, RUNNER)
    forbidden = numbers(system_calls.FORBIDDEN, machine)
    missing = numbers(system_calls.MISSING, machine)
    for number in set(range(1000)) - numbers(system_calls.CONDITIONAL, machine):
        expected = EPERM if number in forbidden else ALLOW
        if number in missing or number > 469:
            expected = ENOSYS
        assert verdict(program, machine.value, number) == expected, number


ARGUMENTS = [
    ("clone", [0x003D0F00], ALLOW),  # of a thread
    ("clone", [0x01200011], ALLOW),  # of fork
    *[("clone", [0x11 | 1 << bit], EPERM) for bit in (17, 25, 26, 27, 28, 29, 30)],
    ("fcntl", [3, 8, RUNNER], EPERM),
    ("fcntl", [3, 8, OTHER], ALLOW),
    ("fcntl", [3, 8, 0], ALLOW),
    ("fcntl", [3, 4, RUNNER], ALLOW),  # F_SETFL
    ("fcntl", [3, 15, 0], EPERM),
    ("ioctl", [0, 0x5401], ALLOW),  # TCGETS
    ("ioctl", [0, 0x5412], EPERM),
    ("ioctl", [0, 0x541C], EPERM),
    ("ioctl", [0, 0x8901], EPERM),
    ("ioctl", [0, 0x8902], EPERM),
    ("ioctl", [0, 0x40086602], EPERM),
    ("ioctl", [0, 0x401C5820], EPERM),
    ("ioctl", [0, 0x800C6613], EPERM),
    ("ioctl", [0, 0x40049409], ALLOW),  # FICLONE
    ("ioctl", [0x5412, 0x5413], ALLOW),  # TIOCGWINSZ
    ("ioprio_set", [1, RUNNER], EPERM),
    ("ioprio_set", [1, 0], ALLOW),
    ("ioprio_set", [2, RUNNER], ALLOW),
    ("kill", [0], ALLOW),
    ("kill", [-1], ALLOW),
    ("kill", [-RUNNER], ALLOW),
    ("setpriority", [0, RUNNER], EPERM),
    ("setpriority", [0, 0], ALLOW),
    ("setpriority", [1, RUNNER], ALLOW),
    *[("socket", [family], ALLOW) for family in (1, 2, 10, 16)],
    ("socket", [17], EPERM),
    ("socket", [40], EPERM),
    ("socket", [16, 2, 11], EPERM),  # NETLINK_CONNECTOR
    ("socket", [16, 3, 0], ALLOW),  # NETLINK_ROUTE
    ("rt_tgsigqueueinfo", [OTHER, RUNNER], EPERM),
    ("rt_tgsigqueueinfo", [OTHER, OTHER], ALLOW),
    ("tgkill", [OTHER, RUNNER], EPERM),
    ("tgkill", [OTHER, OTHER], ALLOW),
]
RUNNER_COMES_FIRST = [
    "get_robust_list",
    "kill",
    "migrate_pages",
    "move_pages",
    "pidfd_open",
    "prlimit64",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "sched_setaffinity",
    "sched_setattr",
    "sched_setparam",
    "sched_setscheduler",
    "tgkill",
    "tkill",
]
for call in RUNNER_COMES_FIRST:
    ARGUMENTS += [
        (call, [RUNNER], EPERM),
        (call, [OTHER, OTHER], ALLOW),
        (call, [0, 0], ALLOW),
    ]


@on_each_machine
@pytest.mark.parametrize(("name", "arguments", "expected"), ARGUMENTS)
def test_arguments_decide(name: str, arguments: list[int], expected: int, machine: Machine) -> None:
    program = seccomp.program_for(machine, RUNNER)
    number = system_calls.ALL[name][COLUMNS[machine]]
    assert number is not None
    assert verdict(program, machine.value, number, arguments) == expected
    # The kernel takes these arguments as int.
    wide = [argument % 2**32 + 2**32 for argument in arguments]
    assert verdict(program, machine.value, number, wide) == expected


def test_every_conditional_call_has_a_row() -> None:
    assert {name for name, *_ in ARGUMENTS} == set(system_calls.CONDITIONAL)


@on_each_machine
@pytest.mark.parametrize("arch", [0x40000003, 0x40000028, 0xC0000016], ids=["i386", "arm", "s390x"])
def test_programs_of_another_architecture_find_no_system_call(arch: int, machine: Machine) -> None:
    program = seccomp.program_for(machine, RUNNER)
    (other,) = set(Machine) - {machine}
    for foreign in (arch, other.value):
        for number in (0, 1, 20, 39, 57, 60):
            assert verdict(program, foreign, number) == ENOSYS


@pytest.mark.parametrize("number", [0, 39, 101, 521, 0x3FFFFFFF])
def test_x32_is_no_way_around_the_filter(number: int) -> None:
    program = seccomp.program_for(Machine.X86_64, RUNNER)
    x32 = number | 0x40000000
    assert verdict(program, Machine.X86_64.value, x32, [RUNNER]) == ENOSYS


@pytest.mark.parametrize(
    ("name", "machine"), [("x86_64", Machine.X86_64), ("aarch64", Machine.AARCH64)]
)
def test_the_program_is_that_of_this_machine(
    name: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.uname", lambda: os.uname_result(("Linux", "", "", "", name)))
    assert seccomp.program(RUNNER) == seccomp.program_for(machine, RUNNER)


@pytest.mark.parametrize("name", ["riscv64", "aarch64_be", "i686"])
def test_other_machines_have_no_program(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.uname", lambda: os.uname_result(("Linux", "", "", "", name)))
    assert not seccomp.is_available()
    with pytest.raises(ValueError, match="no filter"):
        seccomp.program(RUNNER)


def test_a_32_bit_program_has_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("struct.calcsize", lambda form: 4)
    assert not seccomp.is_available()
    with pytest.raises(ValueError, match="no filter"):
        seccomp.program(RUNNER)
