"""Credentials that a child takes between fork and exec, shown by what it executes then."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from entrypoint.linux.capabilities import Capability, mask
from tests.other_user import needs_root
from tests.station import REPOSITORY

pytestmark = needs_root

# Drops capabilities from all sets of the runner, then becomes the credentials and executes.
CHILD = """
import json, os, sys
from entrypoint.linux import capabilities
from entrypoint.linux.capabilities import Capability
from entrypoint.process.credentials import Credentials
from entrypoint.linux.prctl import prctl

request = json.loads(sys.argv[1])
sets = capabilities.read_sets().permitted & ~request["lacks"]
capabilities.drop_bounding(sets)
os.setgroups(request["runner_groups"])
capabilities.set_all(sets)
if request["no_new_privs"]:
    prctl(38, 1)
for name in request["without_effect"]:
    setattr(os, name, lambda *_: None)
keeps = frozenset(map(Capability, request["keeps"]))
uid, gid, groups = request["uid"], request["gid"], tuple(request["groups"])
try:
    Credentials(uid=uid, gid=gid, groups=groups, keeps=keeps).become()
except OSError as error:
    sys.exit(f"refused: {error.strerror}")
os.execv(request["command"][0], request["command"])
"""


def run_as(
    command: list[str],
    *,
    uid: int = 10001,
    gid: int = 10001,
    groups: Iterable[int] = (),
    keeps: Iterable[Capability] = (),
    lacks: Iterable[Capability] = (),
    runner_groups: Iterable[int] = (0,),
    no_new_privs: bool = True,
    without_effect: Iterable[str] = (),
) -> "subprocess.CompletedProcess[str]":
    """Execute a command as these credentials, from a runner that is root but lacks some rights."""
    request = {
        "uid": uid,
        "gid": gid,
        "groups": [*groups],
        "keeps": [*keeps],
        "lacks": mask(lacks),
        "runner_groups": [*runner_groups],
        "no_new_privs": no_new_privs,
        "without_effect": [*without_effect],
        "command": command,
    }
    return subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(request)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )


def status_as(**credentials: Any) -> dict[str, list[str]]:
    """Return the lines of /proc/self/status of `cat`, executed as these credentials."""
    done = run_as(["/bin/cat", "/proc/self/status"], **credentials)
    assert done.stderr == ""
    return {
        name: rest.split()
        for name, rest in (line.split(":", 1) for line in done.stdout.splitlines())
    }


def assert_has(status: dict[str, list[str]], capabilities: int, *names: str) -> None:
    shown = {name: int(status[name][0], 16) for name in names}
    assert shown == dict.fromkeys(names, capabilities)


@pytest.fixture
def passable() -> Iterator[Path]:
    """A folder that every user may enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


SETS = ("CapInh", "CapPrm", "CapEff", "CapAmb")


@pytest.mark.parametrize("lacks", [[], [Capability.SETPCAP]], ids=["all", "without SETPCAP"])
def test_another_user_has_no_capability(lacks: list[Capability]) -> None:
    status = status_as(groups=(7, 2000), lacks=lacks)
    assert status["Uid"] == ["10001"] * 4
    assert status["Gid"] == ["10001"] * 4
    assert status["Groups"] == ["7", "2000"]
    assert_has(status, 0, *SETS)
    assert (int(status["CapBnd"][0], 16) == 0) is not bool(lacks)


@pytest.mark.parametrize("no_new_privs", [True, False])
def test_root_without_capabilities_regains_none(no_new_privs: bool) -> None:
    status = status_as(uid=0, gid=0, groups=(0,), no_new_privs=no_new_privs)
    assert status["Uid"] == ["0"] * 4
    assert_has(status, 0, *SETS, "CapBnd")


def test_root_without_the_right_to_limit_regains_none_by_no_new_privs() -> None:
    status = status_as(uid=0, gid=0, groups=(0,), lacks=[Capability.SETPCAP])
    assert_has(status, 0, *SETS)


def test_a_runner_without_capabilities_keeps_its_user_and_groups() -> None:
    status = status_as(uid=0, gid=0, groups=(0, 5), runner_groups=(0, 5), lacks=Capability)
    assert status["Groups"] == ["0", "5"]
    assert_has(status, 0, *SETS)


@pytest.mark.parametrize("lacks", [[], [Capability.SETPCAP]], ids=["all", "without SETPCAP"])
def test_another_user_keeps_one_capability(lacks: list[Capability]) -> None:
    status = status_as(keeps=[Capability.DAC_OVERRIDE], lacks=lacks)
    assert status["Uid"] == ["10001"] * 4
    assert_has(status, mask([Capability.DAC_OVERRIDE]), *SETS)


def test_root_keeps_what_it_is_left() -> None:
    files = [Capability.CHOWN, Capability.DAC_OVERRIDE, Capability.FOWNER]
    status = status_as(uid=0, gid=0, groups=(0,), keeps=files)
    assert_has(status, mask(files), "CapPrm", "CapEff", "CapBnd")


def test_access_and_open_agree(passable: Path) -> None:
    file = passable / "only root"
    file.write_text("data")
    file.chmod(0o600)
    # The shell's own test(1) asks with other rights than access(2).
    ask = "import os, sys; print(os.access(sys.argv[1], os.R_OK)); open(sys.argv[1]).read()"
    command = [os.path.realpath(sys.executable), "-I", "-S", "-c", ask, str(file)]

    both = run_as(command, keeps=[Capability.DAC_OVERRIDE])
    neither = run_as(command)

    assert (both.stdout, both.stderr) == ("True\n", "")
    assert neither.stdout == "False\n"
    assert "PermissionError" in neither.stderr


def test_a_set_uid_program_gains_nothing(passable: Path) -> None:
    program = passable / "cat"
    program.write_bytes(Path("/bin/cat").read_bytes())
    program.chmod(0o4755)
    command = [str(program), "/proc/self/status"]

    def effective(no_new_privs: bool) -> str:
        shown = run_as(command, no_new_privs=no_new_privs).stdout
        return next(line for line in shown.splitlines() if line.startswith("Uid"))

    assert effective(no_new_privs=False).split()[2] == "0", "the control"
    assert effective(no_new_privs=True).split()[1:] == ["10001"] * 4


@pytest.mark.parametrize(
    ("lacks", "changed"),
    [
        (Capability.SETUID, {}),
        (Capability.SETGID, {}),
        (Capability.DAC_OVERRIDE, {"keeps": [Capability.DAC_OVERRIDE]}),
        (Capability.SETGID, {"uid": 0, "gid": 0, "groups": (7,)}),
    ],
)
def test_other_credentials_than_asked_for_are_an_error(
    lacks: Capability, changed: dict[str, Any]
) -> None:
    done = run_as(["/bin/echo", "executed"], lacks=[lacks], **changed)
    assert done.stdout == ""
    assert done.stderr.startswith("refused: ")


@pytest.mark.parametrize("call", ["setresuid", "setresgid", "setgroups"])
def test_a_call_that_has_had_no_effect_is_an_error(call: str) -> None:
    done = run_as(["/bin/echo", "executed"], groups=(7,), without_effect=[call])
    assert done.stdout == ""
    assert done.stderr.startswith("refused: ")
