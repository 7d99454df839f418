"""Which layers protect the key from a train, as the log and the status line list them."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.landlocked import need_landlock
from tests.other_user import needs_root
from tests.station import Done, new_train, settle, visit
from tests.unprotected import UNPROTECTED

SCRIPT = """
import os, pathlib
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
(results / "result").write_text("x")
root = results.parents[1]
status = pathlib.Path("/proc/self/status").read_text()
print(os.getuid(), status.split("CapEff:")[1].split()[0])
try:
    print((root / "run/pht/private_key.pem").stat().st_size)
    print(len((root / "run/pht/private_key.pem").read_bytes()))
except PermissionError:
    print("no access")
"""
NO_CAPABILITIES = "0000000000000000"
DAC_OVERRIDE = "0000000000000002"


@pytest.fixture
def root() -> Iterator[Path]:
    """A train at its first stop, in a folder that every user may enter."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        new_train(Path(folder), SCRIPT)
        settle(Path(folder), "station_1")
        yield Path(folder)


def assert_layers(done: Done, *layers: str) -> None:
    assert done.status == 0, done.stderr
    assert done.facts["layers"] == ",".join(layers)
    assert f"pht: layers of protection: {', '.join(layers)}" in done.lines


@needs_root
def test_a_runner_with_the_rights_of_root_has_every_layer(root: Path) -> None:
    need_landlock(2)

    done = visit(root)

    assert_layers(done, "uid", "caps", "landlock", "seccomp", "key-absent")
    size = (root / "run/pht/private_key.pem").stat().st_size
    assert done.stdout.decode() == f"10001 {NO_CAPABILITIES}\n{size}\nno access\n"
    assert "warning" not in done.stderr


@needs_root
def test_a_train_that_only_root_can_read_keeps_one_capability(root: Path) -> None:
    need_landlock()
    root.chmod(0o700)

    done = visit(root)

    assert_layers(done, "uid", "landlock", "seccomp", "key-absent")
    assert done.stdout.decode().split()[:2] == ["10001", DAC_OVERRIDE]
    assert done.stdout.endswith(b"no access\n")
    warnings = [line for line in done.lines if line.startswith("pht: warning: ")]
    assert len(warnings) == 1
    assert "the train keeps the capability DAC_OVERRIDE" in warnings[0]


@needs_root
def test_nobody_is_warned_of_that_who_allows_an_unprotected_key(root: Path) -> None:
    """So it is in every simulation of root, whose folder nobody else may enter."""
    need_landlock()
    root.chmod(0o700)

    done = visit(root, env={"PHT_ALLOW_UNPROTECTED_KEY": "1"})

    assert "pht: the train keeps the capability DAC_OVERRIDE" in done.stderr
    assert "warning" not in done.stderr


@needs_root
@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_train_gets_no_capability_by_closing_its_own_results(mode: int, root: Path) -> None:
    need_landlock(2)
    closes = "import os, pathlib\nfound = pathlib.Path(os.environ['PHT_RESULTS_DIR']) / 'closed'\n"
    closes += f"found.write_text('1')\nfound.chmod({mode})\n"
    new_train(root / "closing", closes + SCRIPT)
    for station in ("station_1", "station_2"):
        settle(root / "closing", station)
        done = visit(root / "closing")
        assert_layers(done, "uid", "caps", "landlock", "seccomp", "key-absent")


def test_without_landlock_and_another_user_the_key_is_not_absent(root: Path) -> None:
    key, uid = root / "run/pht/private_key.pem", os.getuid()

    done = visit(root, under=UNPROTECTED)

    assert_layers(done, "caps", "seccomp")
    size = key.stat().st_size
    assert done.stdout.decode() == f"{uid} {NO_CAPABILITIES}\n{size}\n{size}\n"
    warning = f"pht: warning: PHT_ALLOW_UNPROTECTED_KEY=1: the train could read {key} as uid {uid}"
    assert any(line.startswith(warning) for line in done.lines)
