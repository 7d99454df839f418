"""`examples/airflow`: the call of the station's script, without the scheduler around it."""

import os
import subprocess
import sys
from pathlib import Path

from tests.containers.site import SCRIPT, Arrive, Site
from tests.containers.visitor import FIRST
from tests.station import REPOSITORY, settle

CALL = """
import logging, sys, station_visit
logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)
station_visit.visit(*sys.argv[1:])
"""


def begin(site: Site, data: Path) -> "subprocess.Popen[str]":
    """Start a process that visits the train at the first station, with its log on stdout."""
    settle(site.folder, FIRST)
    path = f"{SCRIPT.parent}{os.pathsep}{os.environ['PATH']}"
    options = ["-s", str(site.folder / "run" / "pht"), "-l", ""]
    return subprocess.Popen(
        [sys.executable, "-B", "-c", CALL, site.repository, str(data), *options],
        cwd=REPOSITORY / "examples" / "airflow",
        env={**os.environ, "PATH": path, "TMPDIR": str(site.folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_visit_that_was_killed_goes_on_when_it_is_tried_again(
    arrive: Arrive, data: Path, tmp_path: Path
) -> None:
    site = arrive()
    (data / ".hold").touch()
    killed = begin(site, data)
    assert killed.stdout is not None
    assert any(line == "aboard\n" for line in killed.stdout)
    site.visiting().kill()
    _, said = killed.communicate()
    assert said.splitlines()[-1] == f"station_visit.Unfinished: {site.repository}: status 137"
    (data / ".hold").unlink()

    log, said = begin(site, data).communicate()

    assert said == ""
    assert log.splitlines()[-1] == f"visit.sh: handed over as {site.repository}:latest"
    site.assert_handed_over(tmp_path / "after", FIRST)


def test_a_train_that_fails_is_not_tried_again(arrive: Arrive, data: Path) -> None:
    site = arrive("raise SystemExit(3)")

    log, said = begin(site, data).communicate()

    assert said.splitlines()[-1] == f"station_visit.Failed: {site.repository}: status 3"
    assert "pht: result=train-failed status=3 " in log
