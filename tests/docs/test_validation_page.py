"""The page on validating images has all codes, and its commands work as written."""

import os
import subprocess
from pathlib import Path

from entrypoint.images.differences import RULES
from tests.containers.engine import Engine
from tests.containers.visitor import build_train
from tests.docs.pages import ROOT, blocks, rows
from tests.station import new_train

PAGE = ROOT / "docs" / "validation.md"


def test_the_table_of_codes_is_complete() -> None:
    expected = [
        [f"`{code}`", "refused" if rule.refused else "named", rule.why]
        for code, rule in RULES.items()
    ]
    assert rows(PAGE, "## Codes") == expected


def test_the_commands_work_as_written(engine: Engine, runner_image: str, desk: Path) -> None:
    """Names of the page stand for the image, the folder and the id of this test."""
    image = build_train(engine, "validation", runner_image, new_train(desk, "print(1)"))
    named = engine.must("image", "inspect", "--format", "{{.Id}}", image).decode().strip()
    (desk / "pht").mkdir()
    shown = blocks("validation", pages=(PAGE,))
    assert len(shown) == 3

    for commands in shown:
        script = commands.replace("sha256:IMAGE_ID", named).replace("/etc/pht", str(desk / "pht"))
        done = subprocess.run(
            ["sh", "-euc", script.replace("pht-master:buster", runner_image)],
            env=os.environ | {"PATH": f"{desk / 'bin'}:{os.environ['PATH']}"},
            cwd=desk / "desk",
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("verdict: accepted\n")
