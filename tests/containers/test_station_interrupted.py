"""`examples/station/visit.sh`: a station's procedure, killed wherever it changes something."""

import itertools
import shutil
import signal
from pathlib import Path

import pytest

from tests.containers.site import CLIENT, Arrive, Client, begin_and_end, begin_and_hold
from tests.containers.visitor import FIRST
from tests.station import PATIENCE_S, finish


def test_a_key_of_the_terminal_takes_the_visit_back(
    arrive: Arrive, data: Path, tmp_path: Path
) -> None:
    site = arrive()
    begin_and_end(site, data, signal.SIGINT)
    [stopped] = site.containers()
    assert "result=stopped status=130" in stopped.ended().stderr
    (data / ".hold").unlink()

    assert site.visit("-d", data).status == 0

    site.assert_handed_over(tmp_path / "after", FIRST)


def test_a_train_that_has_outlived_the_script_is_waited_for(
    arrive: Arrive, data: Path, tmp_path: Path
) -> None:
    site = arrive()
    begin_and_end(site, data, signal.SIGKILL)
    process = site.begin("-d", data)
    assert process.stderr is not None
    assert any(b"still running" in line for line in process.stderr)
    (data / ".hold").unlink()

    assert finish(process).status == 0

    site.assert_handed_over(tmp_path / "after", FIRST)


def test_two_runs_at_once_do_not_meet(arrive: Arrive, data: Path, tmp_path: Path) -> None:
    if shutil.which("flock") is None:
        pytest.skip("no flock on the PATH")
    site = arrive()
    first = begin_and_hold(site, data)

    second = site.visit("-d", data)

    assert (second.status, "another visit.sh is at it" in second.stderr) == (1, True)
    first.kill()  # the client that it has started goes on
    third = site.begin("-d", data)
    assert third.stderr is not None
    assert any(b"still running" in line for line in third.stderr)
    (data / ".hold").unlink()
    assert finish(third).status == 0
    first.communicate(timeout=PATIENCE_S)
    site.assert_handed_over(tmp_path / "after", FIRST)


def test_a_visit_killed_in_its_container_is_finished(
    arrive: Arrive, data: Path, tmp_path: Path
) -> None:
    site = arrive()
    process = begin_and_hold(site, data)
    site.visiting().kill()
    done = finish(process)
    assert (done.status, "not finished: start this again" in done.stderr) == (137, True)
    assert "perhaps for want of memory; started again, it has the same options" in done.stderr
    (data / ".hold").unlink()

    assert site.visit("-d", data).status == 0

    site.assert_handed_over(tmp_path / "after", FIRST)


def test_a_script_killed_after_whatever_it_changes_goes_on(
    arrive: Arrive, client: Client, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    for number in itertools.count(1):
        site = arrive()
        before = site.ids()
        calls.unlink(missing_ok=True)
        programs = client(CLIENT, calls=calls, number=number)

        done = site.visit(programs=programs)

        if done.status == 0:
            break
        assert done.status == -signal.SIGKILL
        left = site.ids()
        assert site.visit().status == 0
        assert left in (before, site.ids()), "handed over a second time"
        site.assert_handed_over(tmp_path / str(number), FIRST)
    assert number > 5, calls.read_text()
