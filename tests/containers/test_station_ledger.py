"""`examples/station/visit.sh`: the station remembers which trains it has seen."""

import os
from pathlib import Path

import pytest

from tests.containers.site import SCRIPT, Arrive, Site
from tests.containers.visitor import FIRST, SECOND
from tests.ledger import entries, give_ledger
from tests.mount_namespace import run_python
from tests.station import settle

pytestmark = pytest.mark.parametrize("runner_image", ["musl"], indirect=True)

WITH_A_DEFAULT = """
import os, subprocess
subprocess.run(["mount", "-t", "tmpfs", "none", "/var/lib"], check=True)
os.mkdir("/var/lib/pht")
print(subprocess.run({command}, stderr=subprocess.PIPE, text=True).stderr)
"""


def tagged(site: Site, image: str) -> Site:
    """Make an image the one that has arrived."""
    site.engine.must("tag", image, f"{site.repository}:latest")
    return site


def test_a_train_that_comes_back_in_another_state_is_refused(
    arrive: Arrive, tmp_path: Path
) -> None:
    ledger = give_ledger(tmp_path)
    site = arrive()
    [_, arrived] = site.ids()
    assert site.visit().status == 0
    [_, first] = site.ids()
    assert tagged(site, arrived).visit().status == 0
    [_, fork] = site.ids()
    visited = tagged(site, first).visit("-l", ledger, at=SECOND)
    assert (visited.status, "replay=checked" in visited.stderr) == (0, True), visited.stderr
    [before] = entries(ledger)

    done = tagged(site, fork).visit("-l", ledger, at=SECOND)

    assert (done.status, done.stdout) == (76, b""), done.stderr
    assert "[forked-state]" in done.stderr
    assert site.ids()[1] == fork
    assert site.containers() == []
    assert entries(ledger) == [before]


def test_a_ledger_at_its_usual_place_need_not_be_named(arrive: Arrive) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, for a folder of that name")
    site = arrive()
    settle(site.folder, FIRST)
    command = ["sh", str(SCRIPT), "-s", f"{site.folder}/run/pht", site.repository]

    said = run_python(WITH_A_DEFAULT.format(command=command), site.folder)

    assert "bind source path does not exist: /var/lib/pht" in said, "the engine has none"
    assert site.containers() == []
