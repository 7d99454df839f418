"""The commands of a desk on consoles of any encoding, with names that the console cannot show."""

import sys
from pathlib import Path

import pytest

from tests.desk import plant
from tests.station import PATIENCE_S, start

NAME = "Zürich-東京"
CONSOLES = {
    "utf-8": {"PYTHONIOENCODING": "utf-8"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "C locale": {"LANG": "", "LC_ALL": "C"},
}


@pytest.fixture(params=CONSOLES.values(), ids=list(CONSOLES))
def console(request: pytest.FixtureRequest) -> dict[str, str]:
    variables: dict[str, str] = request.param
    return variables


def shown(folder: Path, console: dict[str, str], *arguments: str | Path) -> bytes:
    """Return what a command shows; it must succeed."""
    process = start(*arguments, cwd=folder, env=console)
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, stderr
    return stdout


@pytest.mark.parametrize("command", ["keygen", "create", "simulate", "decrypt-results"])
def test_the_help_is_shown(console: dict[str, str], command: str, tmp_path: Path) -> None:
    assert shown(tmp_path, console, command, "--help").startswith(b"usage: pht ")


def test_names_of_any_language_pass_through_every_command(
    console: dict[str, str], tmp_path: Path
) -> None:
    script = "import os, pathlib\npathlib.Path(os.environ['PHT_RESULTS_DIR'], 'ü').touch()\n"
    plant(tmp_path, {"train/count.py": script, f"train/{NAME}": "", f"data/{NAME}/rows": "1"})

    shown(tmp_path, console, "keygen", NAME, "--no-password")
    keys = ("--user-key", f"{NAME}.private.pem", "--station", f"{NAME}={NAME}.public.pem")
    ids = ("--user", NAME, "--train-id", NAME, "--generation", "flat", "--output", "built")
    assert b"rich-" in shown(tmp_path, console, "create", "train", *keys, *ids)

    kept = ("--data", "data", "--keep", "kept")
    command = ("--", sys.executable, "/opt/pht_train/count.py")
    assert b"rich-" in shown(tmp_path, console, "simulate", "train", *kept, *command)

    source, key = f"kept/01-{NAME}", "kept/user.private.pem"
    words = ("decrypt-results", source, "--key", key, "--output", "results")
    assert b"rich-" in shown(tmp_path, console, *words)
    assert (tmp_path / "results" / "ü").exists()
