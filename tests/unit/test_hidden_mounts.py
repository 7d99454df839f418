"""Mounts that hide what the image has are named; real ones, in a namespace of the test's own."""

import ast
from pathlib import Path

from tests.mount_namespace import run_python

REFUSES = """
import subprocess, sys
from pathlib import Path
from entrypoint.errors import MalformedTrain
from entrypoint.visit.hidden_mounts import explain_mounts
from entrypoint.model import Paths
paths, mounted, files_differ = Paths(Path(sys.argv[1])), {mounted}, {files_differ}
paths.opt.mkdir()
if mounted:
    subprocess.run(["mount", "-t", "tmpfs", "none", paths.opt], check=True)
try:
    with explain_mounts(paths):
        raise MalformedTrain(
            "code", "wrong", hint="as before", problems=["one"], files_differ=files_differ
        )
except MalformedTrain as error:
    print([error.code, error.message, error.problems, error.by, error.hint])
"""


def refusal(folder: Path, *, mounted: bool = True, files_differ: bool = True) -> list[object]:
    """Return the parts of a refusal of a train, whether something is mounted over it or not."""
    script = REFUSES.format(mounted=mounted, files_differ=files_differ)
    said: list[object] = ast.literal_eval(run_python(script, folder))
    return said


def test_the_mount_is_named(tmp_path: Path) -> None:
    *same, by, hint = refusal(tmp_path)
    assert same == ["code", "wrong", ("one",)]
    assert by == "station"
    assert str(hint).startswith(f"{tmp_path / 'opt'} is a mount")
    assert str(hint).endswith(": as before")


def test_without_a_mount_nothing_is_said(tmp_path: Path) -> None:
    said = refusal(tmp_path, mounted=False)
    assert said == ["code", "wrong", ("one",), "author", "as before"]


def test_nor_of_a_refusal_that_no_mount_explains(tmp_path: Path) -> None:
    said = refusal(tmp_path, files_differ=False)
    assert said == ["code", "wrong", ("one",), "author", "as before"]
