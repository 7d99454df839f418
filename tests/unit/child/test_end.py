"""The end of the train by its timeout, and of every process that it leaves."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.station import wait_until
from tests.supervised import Report, processes_of
from tests.unit.child.starter import Starter, printed, without_right_to_kill
from tests.unruly import CHAIN, LEAVING

# The timeout


def test_a_train_that_ends_in_time_is_not_disturbed(starter: Starter) -> None:
    assert starter("sleep", "0.2", timeout=20).report().status == 0


def test_a_train_that_runs_too_long_is_told_to_end(starter: Starter) -> None:
    report = starter("sleep", "600", timeout=0.2).report()
    assert report == Report(124, "TIMED_OUT", signal.SIGTERM, None, [], True)


def test_a_train_that_runs_too_long_and_does_not_end_is_killed(starter: Starter) -> None:
    order = {"timeout": 0.5, "grace": 0.2}
    report = starter("sh", "-c", "trap '' TERM; while :; do sleep 0.05; done", **order).report()
    assert report == Report(124, "TIMED_OUT", signal.SIGKILL, None, [], True)


def test_a_train_that_forks_without_end_does_not_hold_up_its_timeout(starter: Starter) -> None:
    code = "import os\nwhile True:\n if os.fork() == 0:\n  os.fork(); os._exit(0)\n else: os.wait()"
    report = starter.python(code, timeout=0.5).report()
    assert report == Report(124, "TIMED_OUT", signal.SIGTERM, None, [], True)


# Processes that the train leaves


def test_daemons_that_the_train_left_do_not_outlive_it(starter: Starter) -> None:
    assert starter.python(LEAVING).report() == Report(0, "EXITED", None, None, [], True)


def test_a_chain_of_forks_that_the_train_left_does_not_outlive_it(
    starter: Starter, tmp_path: Path
) -> None:
    touched = tmp_path / "touched"
    touched.write_bytes(b"")
    os.utime(touched, (0, 0))
    report = starter.python(CHAIN, str(touched)).report()
    last = touched.stat().st_mtime_ns
    assert (report.status, last > 0) == (0, True)
    time.sleep(0.3)
    assert touched.stat().st_mtime_ns == last


def test_orphans_are_reaped_while_the_train_runs(starter: Starter) -> None:
    code = """
import os, time
runner = os.getppid()
for _ in range(50):
    if os.fork() == 0:
        os.fork()
        os._exit(0)
    os.wait()
def children():
    return open(f"/proc/{runner}/task/{runner}/children").read().split()
end = time.monotonic() + 10
while len(children()) > 1 and time.monotonic() < end:
    time.sleep(0.01)
print(children() == [str(os.getpid())])
"""
    train = starter.python(code)
    assert train.report().status == 0
    assert train.output() == "True"


def test_the_train_dies_with_a_runner_that_is_killed(starter: Starter) -> None:
    train = starter("sh", "-c", "echo ready; exec sleep 600")
    train.wait_for("ready")
    train.process.kill()
    wait_until(lambda: not processes_of(train.mark))
    assert train.process.wait() == -signal.SIGKILL
    assert not processes_of(train.mark)


def test_the_train_dies_with_a_runner_that_was_killed_before_it_could_ask_for_that() -> None:
    code = """
import os, signal
from entrypoint.process import start
from tests.supervised import unrestricted
gone = os.getppid()
if os.fork() == 0:
    start._prepare(gone, (), unrestricted())
    os._exit(0)
print(os.waitstatus_to_exitcode(os.wait()[1]) == -signal.SIGKILL)
"""
    assert printed(code) == b"True\n"


def test_children_that_are_not_the_trains_are_never_touched() -> None:
    code = """
import subprocess
from entrypoint.errors import SystemFailure
from entrypoint.process import child
from entrypoint.process.stop import StopRequest
from tests.supervised import unrestricted
with StopRequest() as stop, subprocess.Popen(["sleep", "600"]) as other:
    try:
        env = {"PATH": "/usr/bin:/bin"}
        child.run(["true"], env=env, timeout=None, stop=stop, sandbox=unrestricted())
    except SystemFailure as error:
        print(error.code, other.poll())
    other.kill()
"""
    assert printed(code) == b"foreign-children None\n"


def test_a_kernel_that_lists_no_children_is_refused_before_the_train_starts() -> None:
    code = """
from pathlib import Path
from entrypoint.errors import SystemFailure
from entrypoint.process import child
from entrypoint.process.stop import StopRequest
from tests.supervised import unrestricted
child._CHILDREN = Path("/proc/no-such-file")
with StopRequest() as stop:
    try:
        env = {"PATH": "/usr/bin:/bin"}
        child.run(["echo", "started"], env=env, timeout=None, stop=stop, sandbox=unrestricted())
    except SystemFailure as error:
        print(error.code, "without --init" in error.hint)
"""
    assert printed(code) == b"no-process-list True\n"


def test_a_process_that_cannot_be_killed_is_reported(starter: Starter) -> None:
    code = "import os, time\nif os.fork() == 0:\n os.setuid(1000)\n print(flush=True)\n"
    code += " time.sleep(600)\nelse:\n time.sleep(0.5)"
    order = starter.order(sys.executable, "-c", code, reap_limit=0.3)
    report = starter.start(order, before=without_right_to_kill()).report()
    assert (report.status, report.reason, len(report.left)) == (None, "train-still-running", 1)


def test_process_numbers_of_another_namespace_are_never_used(starter: Starter) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root for a namespace of process numbers whose /proc is not mounted")
    order = starter.order("sh", "-c", "sleep 600 & exit 0", reap_limit=0.3)
    before = ("unshare", "--pid", "--fork", "sh", "-c", '"$@"; exit $?', "sh")
    assert starter.start(order, before=before).report().reason == "train-still-running"
