"""The layers that `pht doctor` tries: one that holds nothing, or is not there, is not counted."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.landlocked import need_landlock
from tests.other_user import needs_root
from tests.station import PATIENCE_S, REPOSITORY, finish, pht, wait_until
from tests.unit.examined import LAYERS, open_station, table_of
from tests.unprotected import UNPROTECTED

pytestmark = pytest.mark.slow


@pytest.fixture
def root() -> Iterator[Path]:
    """A station with a key."""
    with open_station() as root:
        yield root


BROKEN = {
    "uid": "patch('os.setresuid'), patch.object(Credentials, '_check')",
    "caps": "patch.object(capabilities, 'set_all'), patch.object(capabilities, 'drop_bounding'), "
    "patch.object(Credentials, '_check')",
    "landlock": "patch('entrypoint.visit.protection.access_rules', return_value="
    "[Rule(path=Path('/'), access=Access.WRITE)])",
    "seccomp": "patch.object(seccomp, 'program', return_value=seccomp._ALLOW)",
}
"""Patches by which a layer denies nothing, although it is installed without an error."""

DRIVER = """
import sys
from pathlib import Path
from unittest.mock import patch
from entrypoint.cli.main import main
from entrypoint.linux import capabilities
from entrypoint.process import landlock, seccomp
from entrypoint.process.credentials import Credentials
from entrypoint.process.landlock import Access, Rule
from entrypoint.station.trial import Attempt
WRONG = Attempt(words="a mistake", call=("read",))
with {patches}:
    sys.exit(main(["doctor", "--json", "--root", {root!r}]))
"""


def start_with(patches: str, root: Path) -> "subprocess.Popen[bytes]":
    """Start the doctor as a process of its own in which something is replaced."""
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER.format(patches=patches, root=str(root))],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@needs_root
@pytest.mark.parametrize("layer", BROKEN)
def test_a_layer_that_holds_nothing_is_not_counted(layer: str, root: Path) -> None:
    need_landlock(2)
    done = finish(start_with(BROKEN[layer], root))
    found = table_of(done)
    assert found[layer]["verdict"] == "warning", found["sandbox"]
    assert "does not stop" in found[layer]["found"]
    others = {name: found[name]["verdict"] for name in LAYERS if name != layer}
    assert set(others.values()) == {"ok"}
    assert layer not in done.facts["layers"].split(",")


@needs_root
def test_layers_that_are_not_there_are_warned_of(root: Path) -> None:
    absent = "patch.object(seccomp, 'is_available', return_value=False), "
    done = finish(start_with(absent + "patch.object(landlock, 'abi', return_value=1)", root))
    found = table_of(done)
    assert "only the first version" in found["landlock"]["found"]
    assert "no filter can be installed here" in found["seccomp"]["found"]
    assert {found[layer]["verdict"] for layer in ("landlock", "seccomp")} == {"warning"}
    assert done.facts["layers"] == "uid,caps,key-absent"


@needs_root
def test_a_processor_without_a_filter_is_told(root: Path) -> None:
    done = finish(start_with("patch.object(seccomp, '_machine', return_value=None)", root))
    row = table_of(done)["seccomp"]
    assert row["verdict"] == "warning"
    assert row["found"] == "there is a filter for 64-bit programs on x86-64 and arm64 only"
    assert "seccomp" not in done.facts["layers"].split(",")


def replaced(program: str) -> str:
    """Return a patch that lets another program make the attempts."""
    return f"patch('entrypoint.station.trial._source', return_value={program!r})"


@pytest.mark.parametrize(
    ("patches", "said"),
    [
        (replaced("raise SystemExit(3)"), "has ended with 3, exited"),
        (
            "patch('entrypoint.station.trial._reading', return_value=WRONG)",
            "ended with 255, exited",
        ),
    ],
    ids=["none of them", "one of them"],
)
def test_attempts_that_cannot_be_made_are_a_failed_row(patches: str, said: str, root: Path) -> None:
    done = finish(start_with(patches, root))
    found = table_of(done)
    assert (done.status, found["sandbox"]["code"]) == (78, "layers-not-tried")
    assert said in found["sandbox"]["found"]
    assert {found[layer]["verdict"] for layer in LAYERS} == {"not set"}
    assert done.facts["layers"] == "none"


def test_a_request_to_stop_ends_the_attempts_and_the_command(root: Path) -> None:
    mark = root / "mark"
    waits = f"import time; open({str(mark)!r}, 'w').close(); time.sleep(600)"
    root.chmod(0o777)
    process = start_with(replaced(waits), root)
    wait_until(mark.exists)
    process.terminate()
    assert (process.wait(PATIENCE_S), finish(process).stdout) == (130, b"")


def test_without_landlock_and_another_user_the_key_is_reachable(root: Path) -> None:
    done = pht("doctor", "--json", root=root, under=UNPROTECTED)
    found = table_of(done)
    assert {layer: found[layer]["verdict"] for layer in LAYERS} == {
        "uid": "warning",
        "caps": "ok",
        "landlock": "warning",
        "seccomp": "ok",
        "key-absent": "warning",
    }
    assert "reading private_key.pem" in found["key-absent"]["found"]
    assert "PHT_ALLOW_UNPROTECTED_KEY" in found["key-absent"]["advice"]
    assert done.facts["layers"] == "caps,seccomp"
