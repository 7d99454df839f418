"""Landlock: real processes, restricted by rules of every version of the kernel's interface."""

import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from entrypoint.process import landlock
from entrypoint.process.landlock import Access, Rule
from tests.landlocked import in_child, need_landlock, outcomes
from tests.other_user import NOBODY

VERSIONS = range(1, 8)

RNDGETENTCNT = 0x80045200
"""Asks the device /dev/urandom for a number, random(4)."""

Attempts = dict[str, Callable[[], object]]


@pytest.fixture(params=VERSIONS, ids=lambda version: f"ABI {version}")
def version(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """A version of the interface, as if the kernel had no newer one."""
    older: int = request.param
    need_landlock(older)
    monkeypatch.setattr(landlock, "abi", lambda: older)
    return older


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Folders for each kind of access, with the same in each of them."""
    need_landlock()
    for name in ("hidden", "read", "list", "write", "device"):
        folder = tmp_path / name
        (folder / "full").mkdir(parents=True)
        (folder / "empty").mkdir()
        for file in ("file", "file to unlink", "file to rename", "full/file"):
            (folder / file).write_bytes(b"content")
        program = folder / "program"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    return tmp_path


def rules(place: Path) -> list[Rule]:
    """Return rules for the folders, and for what running a program needs."""
    system = [Path(name) for name in ("/usr", "/bin", "/lib", "/lib64", "/etc", sys.prefix)]
    return [
        *(Rule(path=path.resolve(), access=Access.READ) for path in system),
        Rule(path=place / "read", access=Access.READ),
        Rule(path=place / "list", access=Access.LIST),
        Rule(path=place / "write", access=Access.WRITE),
        Rule(path=place / "device", access=Access.DEVICE),
    ]


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))  # the name of a socket has to be short


def attempts_in(folder: Path) -> Attempts:
    return {
        "list": lambda: os.listdir(folder),
        "read": (folder / "file").read_bytes,
        "execute": lambda: subprocess.run([folder / "program"], check=True),
        "write": lambda: os.close(os.open(folder / "file", os.O_WRONLY)),
        "truncate": lambda: os.truncate(folder / "file", 1),
        "make a file": (folder / "new file").touch,
        "make a folder": (folder / "new folder").mkdir,
        "make a FIFO": lambda: os.mkfifo(folder / "new FIFO"),
        "make a socket": lambda: bind(folder / "new socket"),
        "make a link": lambda: (folder / "new link").symlink_to("file"),
        "unlink": (folder / "file to unlink").unlink,
        "remove a folder": (folder / "empty").rmdir,
        "rename": lambda: (folder / "file to rename").rename(folder / "renamed"),
        "rename to a folder": lambda: (folder / "full/file").rename(folder / "moved"),
        "link to a folder": lambda: (folder / "full/again").hardlink_to(folder / "file"),
    }


READS = {"list", "read", "execute"}
ALLOWED = {
    "hidden": set(),
    "read": READS,
    "list": {"list"},
    "device": {*READS, "write"},
    "write": {*attempts_in(Path())},
}


@pytest.mark.parametrize("kind", ALLOWED)
def test_access_to_a_folder(
    kind: str, version: int, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    expected = {name: "done" if name in ALLOWED[kind] else "EACCES" for name in attempts_in(place)}
    if version == 1 and kind == "write":
        expected |= {"rename to a folder": "EXDEV", "link to a folder": "EXDEV"}
    if version < 3:
        expected["truncate"] = "done"
    assert outcomes(attempts_in(place / kind), rules(place)) == expected


def test_everything_is_allowed_without_rules(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    assert set(outcomes(attempts_in(place / "hidden"), None).values()) == {"done"}


def test_no_device_nodes(version: int, place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to make a device node")
    node, null = place / "write" / "new", os.makedev(1, 3)
    attempts: Attempts = {
        "character": lambda: os.mknod(node, stat.S_IFCHR, null),
        "block": lambda: os.mknod(node, stat.S_IFBLK, null),
    }
    assert outcomes(attempts, rules(place)) == {"character": "EACCES", "block": "EACCES"}


def test_only_a_rule_for_devices_allows_ioctl(version: int) -> None:
    def control() -> None:
        with open("/dev/urandom", "rb") as device:
            fcntl.ioctl(device, RNDGETENTCNT, bytes(4))

    device = Path("/dev/urandom")
    attempts: Attempts = {"read": lambda: device.open("rb"), "control": control}
    expected = {"read": "done", "control": "done"}
    assert outcomes(attempts, [Rule(path=device, access=Access.DEVICE)]) == expected
    if version >= 5:
        expected["control"] = "EACCES"
    assert outcomes(attempts, [Rule(path=device, access=Access.WRITE)]) == expected


def test_a_file_may_have_each_rule(version: int, place: Path) -> None:
    files = [place / "hidden" / f"file {access.name}" for access in Access]
    for file in files:
        file.write_bytes(b"content")
    given = [Rule(path=file, access=access) for file, access in zip(files, Access, strict=True)]

    def attempts(file: Path) -> Attempts:
        return {"read": file.read_bytes, "write": lambda: os.close(os.open(file, os.O_RDWR))}

    found = {file.name.split()[1]: outcomes(attempts(file), given) for file in files}
    assert found == {
        "READ": {"read": "done", "write": "EACCES"},
        "READ_FIXED": {"read": "done", "write": "EACCES"},
        "LIST": {"read": "EACCES", "write": "EACCES"},
        "WRITE": {"read": "done", "write": "done"},
        "DEVICE": {"read": "done", "write": "done"},
    }


def test_hidden_files_get_no_second_name(version: int, place: Path) -> None:
    attempts: Attempts = {
        kind: partial((place / "write" / kind).hardlink_to, place / kind / "file")
        for kind in ("hidden", "list", "read")
    }
    assert set(outcomes(attempts, rules(place)).values()) <= {"EXDEV", "EACCES"}
    assert set(outcomes(attempts, None).values()) == {"done"}


def test_a_link_to_a_hidden_file_shows_nothing(place: Path) -> None:
    link = place / "write" / "link"
    link.symlink_to(place / "hidden" / "file")
    more = Rule(path=link, access=Access.WRITE)
    assert outcomes({"read": link.read_bytes}, [*rules(place), more]) == {"read": "EACCES"}


def test_grandchildren_are_restricted_too(place: Path) -> None:
    def read(folder: str) -> int:
        command = ["sh", "-c", f"cat '{place / folder / 'file'}'"]
        return subprocess.run(command, capture_output=True).returncode

    def both() -> list[int]:
        return [read("hidden"), read("read")]

    assert in_child(both, rules(place)) == [1, 0]
    assert in_child(both, None) == [0, 0]


# Processes outside


@pytest.fixture
def listener() -> Iterator[str]:
    """The name of an abstract socket on which this process listens."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("\0pht-test-" + os.urandom(8).hex())
        listening.listen()
        yield listening.getsockname().decode()


def attempts_outside(listener: str) -> Attempts:
    def connect() -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(listener)

    parent = os.getpid()
    return {"signal": lambda: os.kill(parent, signal.SIGCONT), "connect": connect}


def test_signals_and_abstract_sockets_stay_inside(version: int, listener: str) -> None:
    denied = outcomes(attempts_outside(listener), [])
    assert set(denied.values()) == {"EPERM" if version >= 6 else "done"}


def test_signals_and_abstract_sockets_within_the_train() -> None:
    need_landlock()

    def both() -> list[int]:
        with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as client:
            listening.bind("\0pht-test-" + os.urandom(8).hex())
            listening.listen()
            client.connect(listening.getsockname())
        pid = os.fork()
        if pid == 0:
            signal.pause()
        os.kill(pid, signal.SIGKILL)
        return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]

    assert in_child(both, []) == [-signal.SIGKILL]


# The ruleset


def test_a_kernel_or_profile_without_landlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "_CREATE_RULESET", 9999)
    assert landlock.abi() == 0
    with pytest.raises(OSError, match="not implemented"):
        landlock.make_ruleset([])


def test_a_path_that_is_gone_is_left_out(place: Path) -> None:
    gone = Rule(path=place / "absent" / "file", access=Access.WRITE)
    below_a_file = Rule(path=place / "read" / "file" / "x", access=Access.READ)
    read = {"read": (place / "read" / "file").read_bytes}
    assert outcomes(read, [gone, below_a_file, *rules(place)]) == {"read": "done"}


def test_the_descriptor_is_closed_on_exec_and_after_an_error(place: Path) -> None:
    before = os.listdir("/proc/self/fd")
    ruleset = landlock.make_ruleset(rules(place))
    assert not os.get_inheritable(ruleset)
    os.close(ruleset)

    def failing() -> Iterator[Rule]:
        yield from rules(place)
        raise OSError("no rules")

    with pytest.raises(OSError, match="no rules"):
        landlock.make_ruleset(failing())
    assert os.listdir("/proc/self/fd") == before


def test_a_process_that_may_gain_privileges_is_not_restricted() -> None:
    need_landlock()
    ruleset = landlock.make_ruleset([])

    def restrict() -> None:
        if os.geteuid() == 0:
            os.setresuid(NOBODY, NOBODY, NOBODY)
        landlock.restrict_self(ruleset)

    assert outcomes({"restrict": restrict}, None) == {"restrict": "EPERM"}
    os.close(ruleset)
