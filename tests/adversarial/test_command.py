"""Interpreters that an earlier station has left among the results."""

import sys
from pathlib import Path

import pytest

from tests import reference
from tests.station import assert_explained, finish, new_train, settle, snapshot, start

LEAVES_PYTHON = """
import os, pathlib
program = pathlib.Path(os.environ["PHT_RESULTS_DIR"]) / "python"
program.write_text("#!/bin/sh\\necho unsigned >&2\\n")
program.chmod(0o755)
"""
SIGNED = "/opt/pht_train/train.py"


@pytest.mark.parametrize("search", ["", ":", ".", ":/usr/bin", "{results}", "../pht_results"])
def test_no_path_leads_to_a_python_among_the_results(tmp_path: Path, search: str) -> None:
    opt = new_train(tmp_path, LEAVES_PYTHON)
    results = opt / "pht_results"
    settle(tmp_path, "station_1")
    first = finish(start("run", "--", sys.executable, SIGNED, root=tmp_path))
    assert first.status == 0
    assert reference.result_files(results).keys() == {"python"}
    settle(tmp_path, "station_2")
    before = snapshot(tmp_path)
    path = search.format(results=results)
    done = finish(
        start("run", "--", "python", SIGNED, root=tmp_path, env={"PATH": path}, cwd=results)
    )
    assert_explained(done, 77, "command-not-signed")
    assert snapshot(tmp_path) == before
