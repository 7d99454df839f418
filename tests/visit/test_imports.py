"""The runner loads no module after the train has run, which may have changed any.

It would load it into the process that holds the station's key.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.station import (
    PATIENCE_S,
    REPOSITORY,
    RUNS_TRAIN,
    new_route_train,
    new_train,
    settle,
    visit,
)

WATCHES_IMPORTS = """
import os, sys

folder, output, *sys.argv[1:] = sys.argv[1:]
# Processes that are forked from this one append to it too.
late = os.open(output, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
began = False


def watch(event, arguments):
    global began
    if event == "os.fork":  # for the train, or before for another process of the runner
        if not began:
            os.write(late, b"began\\n")
        began = True
    elif event == "import" and began:
        os.write(late, f"{arguments[0]}\\n".encode())


sys.addaudithook(watch)
sys.path.insert(0, folder)
from entrypoint.cli.main import main

status = main()
os.write(late, f"{len(sys.meta_path) + len(sys.path)} ways left\\n".encode())
sys.exit(status)
"""

LEAVES = """
import os, pathlib, sys
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
if not list(results.iterdir()):
    (results / "small").write_text("1")
    (results / "large").write_bytes(os.urandom(2_500_000))
    sys.exit()
(results / "new\\nline \\udcff").write_text("1")
(results / "a link\\n").symlink_to("elsewhere")
(pathlib.Path(os.environ["PHT_TRAIN_DIR"]) / "left\\n").touch()
"""
ENDS = {
    "succeeds": "",
    "fails": "sys.exit(1)",
    "is killed": "os.kill(os.getpid(), 9)",
    "leaves what cannot travel": "os.mkfifo(results / 'fifo')",
}


@pytest.mark.parametrize("new", [new_train, new_route_train])
@pytest.mark.parametrize("more", [True, False], ids=["export and JSON", "plain"])
@pytest.mark.parametrize("end", ENDS)
def test_nothing_is_imported_once_the_train_has_run(
    end: str, more: bool, new: Callable[..., Path], tmp_path: Path
) -> None:
    root, output = tmp_path / "root", tmp_path / "imports"
    new(root, LEAVES + ENDS[end])
    settle(root, "station_1")
    assert visit(root).status == 0
    if more:
        settle(root, "station_2", PHT_LOG="json", PHT_EXPORT=str(tmp_path / "train.tar"))
    else:
        settle(root, "station_2")

    arguments = [REPOSITORY, output, "run", "--root", root, "--", *RUNS_TRAIN]
    subprocess.run(
        [sys.executable, "-I", "-B", "-c", WATCHES_IMPORTS, *map(str, arguments)],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        timeout=PATIENCE_S,
    )

    assert output.read_text() == "began\n0 ways left\n"
