"""The supervised child, with real processes, signals and terminals."""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import termios
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import pytest

from tests.faults.strace import Call, Strace, Unavailable
from tests.supervised import Order, Report, processes_of
from tests.terminal import Terminal
from tests.unruly import CHAIN, COUNTING, LEAVING

REPOSITORY = Path(__file__).parents[2]
PATIENCE_S = 30
"""Seconds after which something that should happen at once counts as not happening."""

JOB_SHELL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
if os.WIFSTOPPED(os.waitpid(job, os.WUNTRACED)[1]):
    print("suspended", flush=True)
os.killpg(job, signal.SIGCONT)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(job, 0)[1]))
"""
"""As much of a shell as gives a job the terminal and continues it when it was suspended."""


class Supervised:
    """A runner that is under way."""

    def __init__(self, process: "subprocess.Popen[bytes]", order: Order) -> None:
        self.process = process
        self.mark = order.mark
        self._report = order.report

    def wait_for(self, line: str) -> None:
        """Wait until the train has printed a line."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline().decode().strip() == line

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def report(self) -> Report:
        """Wait for the end."""
        assert self.process.wait(PATIENCE_S) == 0
        assert self._report is not None
        return Report(**json.loads(Path(self._report).read_text()))

    def output(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.read().decode().strip()


class Starter:
    """Starts runners, and ends what they leave."""

    def __init__(self, folder: Path, before: tuple[str, ...] = ()) -> None:
        self._folder = folder
        self._before = before
        self._started: list[Supervised] = []

    def order(self, *command: str, **settings: Any) -> Order:
        mark = uuid.uuid4().hex
        return Order(list(command), mark, str(self._folder / mark), **settings)

    def __call__(self, *command: str, **settings: Any) -> Supervised:
        """Start a runner for a command."""
        return self.start(self.order(*command, **settings))

    def python(self, code: str, *arguments: str, **settings: Any) -> Supervised:
        """Start a runner for a train that is written here."""
        return self(sys.executable, "-c", code, *arguments, **settings)

    def start(
        self,
        order: Order,
        before: tuple[str, ...] = (),
        stdin: int | IO[Any] = subprocess.DEVNULL,
        **settings: Any,
    ) -> Supervised:
        process = subprocess.Popen(
            [*self._before, *before, *runner(order)],
            cwd=REPOSITORY,
            stdin=stdin,
            stdout=settings.pop("stdout", subprocess.PIPE),
            **settings,
        )
        self._started.append(Supervised(process, order))
        return self._started[-1]

    def end_all(self) -> None:
        for started in self._started:
            with started.process:
                started.process.kill()
            for pid in processes_of(started.mark):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def runner(order: Order) -> list[str]:
    return [sys.executable, "-m", "tests.supervised", json.dumps(asdict(order))]


def counting(start: Starter, folder: Path, name: str) -> Order:
    return start.order(sys.executable, "-c", COUNTING, str(folder / "counts"), name)


def counted(folder: Path) -> dict[int, int]:
    counts = ast.literal_eval((folder / "counts").read_text())
    assert isinstance(counts, dict)
    return counts


def without_right_to_kill() -> tuple[str, ...]:
    """Return what to put before a runner that may not kill another user's process."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv for a runner without the capability to kill")
    return ("setpriv", "--bounding-set=-kill")


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    starter = Starter(tmp_path)
    yield starter
    starter.end_all()


def as_pid_1() -> tuple[str, ...]:
    """Return what to put before a runner that is to be PID 1."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    command += [] if os.geteuid() == 0 else ["--map-root-user"]
    if not shutil.which("unshare") or subprocess.run([*command, "true"], check=False).returncode:
        pytest.skip("needs unshare, and root or user namespaces, to become PID 1")
    return tuple(command)


@pytest.fixture(params=["pid 1", "another"])
def anywhere(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Starter]:
    """Starts runners for which a train is made in one of both ways."""
    starter = Starter(tmp_path, as_pid_1() if request.param == "pid 1" else ())
    yield starter
    starter.end_all()


# How the command ends


@pytest.mark.parametrize("status", [0, 1, 77, 124, 255])
def test_the_status_of_the_train_is_passed_through(anywhere: Starter, status: int) -> None:
    report = anywhere("sh", "-c", f"exit {status}").report()
    assert report == Report(status, "EXITED", None, None, [], True)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, 40])
def test_a_train_that_dies_of_a_signal_has_128_more_as_status(
    anywhere: Starter, number: int
) -> None:
    report = anywhere.python(f"import os; os.kill(os.getpid(), {int(number)})").report()
    assert report == Report(128 + number, "SIGNALLED", number, None, [], True)


def test_a_command_that_does_not_exist(anywhere: Starter, tmp_path: Path) -> None:
    assert anywhere(str(tmp_path / "absent")).report().reason == "NOT_FOUND"
    report = anywhere("pht-no-such-command").report()
    assert report == Report(127, "NOT_FOUND", None, None, [], True)


@pytest.mark.parametrize("kind", ["without x bit", "unknown format", "folder", "below a file"])
def test_a_command_that_cannot_be_executed(anywhere: Starter, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "train"
    if kind == "folder":
        path.mkdir()
    else:
        path.write_text("no shebang\n")
        path.chmod(0o644 if kind == "without x bit" else 0o755)
    report = anywhere(str(path / "x" if kind == "below a file" else path)).report()
    assert report == Report(126, "NOT_EXECUTABLE", None, None, [], True)


def test_the_command_is_looked_up_in_its_own_path(anywhere: Starter, tmp_path: Path) -> None:
    for name, mode in (("unusable", 0o644), ("good", 0o755), ("later", 0o755)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pht-train").write_text(f"#!/bin/sh\necho {name}\n")
        (tmp_path / name / "pht-train").chmod(mode)
    (tmp_path / "folder" / "pht-train").mkdir(parents=True)
    folders = ["absent", "unusable/pht-train", "folder", "unusable", "good", "later"]
    train = anywhere("pht-train", path=":".join(str(tmp_path / folder) for folder in folders))
    assert train.report().status == 0
    assert train.output() == "good"


@pytest.mark.parametrize("last", ["absent", "file"])
def test_a_command_that_is_found_but_cannot_be_executed_is_not_absent(
    anywhere: Starter, tmp_path: Path, last: str
) -> None:
    (tmp_path / "pht-train").write_text("no x bit\n")
    (tmp_path / "file").touch()
    report = anywhere("pht-train", path=f"{tmp_path}:{tmp_path / last}").report()
    assert report == Report(126, "NOT_EXECUTABLE", None, None, [], True)


# What the command inherits


def test_stdin_and_stdout_belong_to_the_train(anywhere: Starter) -> None:
    train = anywhere.start(anywhere.order("tr", "a-z", "A-Z"), stdin=subprocess.PIPE)
    assert train.process.communicate(b"lung\n", PATIENCE_S)[0] == b"LUNG\n"


def test_no_other_file_is_open_in_the_train(anywhere: Starter, tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as secret:
        code = "import os; print(*[fd for fd in range(3, 256) if os.path.exists(f'/dev/fd/{fd}')])"
        order = anywhere.order(sys.executable, "-c", code)
        train = anywhere.start(order, pass_fds=[secret.fileno()])
        assert train.report().status == 0
        assert train.output() == ""


def test_the_train_blocks_and_ignores_no_signal(anywhere: Starter) -> None:
    train = anywhere("cat", "/proc/self/status")
    assert train.report().status == 0
    facts = dict(line.split(":\t") for line in train.output().splitlines())
    # Two signals belong to the C library: whoever started the tests may have ignored them, and so
    # does its posix_spawn.
    blocked, ignored = (int(facts[name], 16) & ~(0b11 << 31) for name in ("SigBlk", "SigIgn"))
    assert (blocked, ignored) == (0, 0)


def test_the_train_stays_in_the_process_group_of_the_runner(start: Starter) -> None:
    train = start.python("import os; print(os.getpgrp())")
    group = os.getpgid(train.process.pid)
    assert train.report().status == 0
    assert int(train.output()) == group


# Signals


@pytest.mark.parametrize("name", ["SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGALRM", "SIGRTMAX"])
def test_a_signal_is_passed_on_once(start: Starter, tmp_path: Path, name: str) -> None:
    number = getattr(signal, name)
    train = start.start(counting(start, tmp_path, name))
    train.wait_for("ready")
    train.send(number)
    assert train.report() == Report(0, "EXITED", None, None, [], True)
    assert counted(tmp_path) == {number: 1}


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"])
def test_a_stop_request_is_passed_on_and_noted(start: Starter, name: str) -> None:
    number = getattr(signal, name)
    train = start("sh", "-c", "echo ready; exec sleep 600")
    train.wait_for("ready")
    train.send(number)
    assert train.report() == Report(128 + number, "STOPPED", number, number, [], True)


@pytest.mark.parametrize(("own", "reported"), [(3, 3), (0, 128 + signal.SIGTERM)])
def test_a_train_that_is_stopped_never_counts_as_successful(
    start: Starter, own: int, reported: int
) -> None:
    train = start("sh", "-c", f"trap 'exit {own}' TERM; echo ready; while :; do sleep 0.05; done")
    train.wait_for("ready")
    train.send(signal.SIGTERM)
    report = train.report()
    assert (report.status, report.reason) == (reported, "STOPPED")


def test_a_train_that_does_not_stop_is_killed_after_its_grace(start: Starter) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True);"
    train = start.python(f"{code} time.sleep(600)", grace=0.5)
    train.wait_for("ready")
    begin = time.monotonic()
    train.send(signal.SIGTERM)
    report = train.report()
    assert report == Report(137, "STOPPED", signal.SIGTERM, signal.SIGTERM, [], True)
    assert time.monotonic() - begin >= 0.5


def test_repeated_requests_do_not_prolong_the_grace(start: Starter) -> None:
    code = "trap '' TERM; while :; do kill -TERM $PPID; sleep 0.05; done"
    report = start("sh", "-c", code, grace=0.5).report()
    assert report == Report(137, "STOPPED", signal.SIGTERM, signal.SIGTERM, [], True)


def test_a_train_that_became_another_user_need_not_take_signals(start: Starter) -> None:
    code = "import os, time; os.setuid(1000); print('ready', flush=True); time.sleep(0.5)"
    order = start.order(sys.executable, "-c", code)
    train = start.start(order, before=without_right_to_kill())
    train.wait_for("ready")
    train.send(signal.SIGUSR1)
    assert train.report() == Report(0, "EXITED", None, None, [], True)


def test_the_status_is_known_although_ends_of_children_were_ignored(start: Starter) -> None:
    report = start("sh", "-c", "exit 7", ignored=(signal.SIGCHLD,)).report()
    assert report == Report(7, "EXITED", None, None, [], True)


def test_a_signal_that_was_ignored_from_the_start_stays_ignored(start: Starter) -> None:
    code = "import signal, sys; print('ready', flush=True); sys.stdin.read(); print("
    code += "signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    order = start.order(sys.executable, "-c", code, ignored=(signal.SIGHUP,))
    train = start.start(order, stdin=subprocess.PIPE)
    train.wait_for("ready")
    train.send(signal.SIGHUP)
    assert train.process.stdin is not None
    train.process.stdin.close()
    assert train.report() == Report(0, "EXITED", None, None, [], True)
    assert train.output() == "True"


def test_a_stop_just_before_the_start_is_not_lost(tmp_path: Path) -> None:
    code = f"""
import os, signal
from entrypoint.process import child
from entrypoint.process.stop import StopRequest, Stopped
signal.signal(signal.SIGTERM, signal.SIG_DFL)
with StopRequest() as stop:
    os.kill(os.getpid(), signal.SIGTERM)
    try:
        child.run(["touch", {str(tmp_path / "ran")!r}], env={{}}, timeout=None, stop=stop)
    except Stopped as stopped:
        print(stopped.signal.name)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE)
    assert done.stdout == b"SIGTERM\n"
    assert not (tmp_path / "ran").exists()


def test_what_fails_before_the_command_is_not_its_fault(tmp_path: Path) -> None:
    code = f"""
from entrypoint.errors import SystemFailure
from entrypoint.process import child
from entrypoint.process import start
from entrypoint.process.stop import StopRequest

def refuse(option, value):
    assert option == start.PR_SET_PDEATHSIG
    raise PermissionError(1, "as a profile of seccomp does")

start.prctl = refuse
with StopRequest() as stop:
    try:
        child.run(["touch", {str(tmp_path / "ran")!r}], env={{}}, timeout=None, stop=stop)
    except SystemFailure as failure:
        print(failure.code, failure.status)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE)
    assert done.stdout == b"train-not-prepared 71\n"
    assert not (tmp_path / "ran").exists()


def test_a_wait_that_was_interrupted_and_is_over_brings_no_signal(start: Starter) -> None:
    try:
        strace = Strace.find()
    except Unavailable as reason:
        pytest.skip(str(reason))
    wait = Call("rt_sigtimedwait", 1, "", succeeded=False)
    over = strace.injecting(wait, f"error=EINTR:delay_exit={1_500_000}")
    report = start.start(start.order("sleep", "2"), before=(*over,)).report()
    assert report == Report(0, "EXITED", None, None, [], True)


# Time


def test_a_train_that_ends_in_time_is_not_disturbed(start: Starter) -> None:
    assert start("sleep", "0.2", timeout=20).report().status == 0


def test_a_train_that_runs_too_long_is_told_to_end(start: Starter) -> None:
    report = start("sleep", "600", timeout=0.2).report()
    assert report == Report(124, "TIMED_OUT", signal.SIGTERM, None, [], True)


def test_a_train_that_runs_too_long_and_does_not_end_is_killed(start: Starter) -> None:
    order = {"timeout": 0.5, "grace": 0.2}
    report = start("sh", "-c", "trap '' TERM; while :; do sleep 0.05; done", **order).report()
    assert report == Report(124, "TIMED_OUT", signal.SIGKILL, None, [], True)


def test_a_train_that_forks_without_end_does_not_hold_up_its_timeout(start: Starter) -> None:
    code = "import os\nwhile True:\n if os.fork() == 0:\n  os.fork(); os._exit(0)\n else: os.wait()"
    report = start.python(code, timeout=0.5).report()
    assert report == Report(124, "TIMED_OUT", signal.SIGTERM, None, [], True)


# What it leaves


def test_daemons_that_the_train_left_do_not_outlive_it(start: Starter) -> None:
    assert start.python(LEAVING).report() == Report(0, "EXITED", None, None, [], True)


def test_a_chain_of_forks_that_the_train_left_does_not_outlive_it(
    start: Starter, tmp_path: Path
) -> None:
    touched = tmp_path / "touched"
    touched.write_bytes(b"")
    os.utime(touched, (0, 0))
    report = start.python(CHAIN, str(touched)).report()
    last = touched.stat().st_mtime_ns
    assert (report.status, last > 0) == (0, True)
    time.sleep(0.3)
    assert touched.stat().st_mtime_ns == last


def test_orphans_are_reaped_while_the_train_runs(start: Starter) -> None:
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
    train = start.python(code)
    assert train.report().status == 0
    assert train.output() == "True"


def test_the_train_dies_with_a_runner_that_is_killed(start: Starter) -> None:
    train = start("sh", "-c", "echo ready; exec sleep 600")
    train.wait_for("ready")
    train.process.kill()
    until(lambda: not processes_of(train.mark))


def test_the_train_dies_with_a_runner_that_was_killed_before_it_could_ask_for_that() -> None:
    code = """
import os, signal
from entrypoint.process import start
gone = os.getppid()
if os.fork() == 0:
    start._prepare(gone, ())
    os._exit(0)
print(os.waitstatus_to_exitcode(os.wait()[1]) == -signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE)
    assert done.stdout == b"True\n"


def test_children_that_are_not_the_trains_are_never_touched() -> None:
    code = """
import subprocess
from entrypoint.errors import SystemFailure
from entrypoint.process import child
from entrypoint.process.stop import StopRequest
with StopRequest() as stop, subprocess.Popen(["sleep", "600"]) as other:
    try:
        child.run(["true"], env={"PATH": "/usr/bin:/bin"}, timeout=None, stop=stop)
    except SystemFailure as error:
        print(error.code, other.poll())
    other.kill()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE)
    assert done.stdout == b"foreign-children None\n"


def test_a_kernel_that_lists_no_children_is_refused_before_the_train_starts() -> None:
    code = """
from pathlib import Path
from entrypoint.errors import SystemFailure
from entrypoint.process import child
from entrypoint.process.stop import StopRequest
child._CHILDREN = Path("/proc/no-such-file")
with StopRequest() as stop:
    try:
        child.run(["echo", "started"], env={"PATH": "/usr/bin:/bin"}, timeout=None, stop=stop)
    except SystemFailure as error:
        print(error.code, "without --init" in error.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE)
    assert done.stdout == b"no-process-list True\n"


def test_a_process_that_cannot_be_killed_is_reported(start: Starter) -> None:
    code = "import os, time\nif os.fork() == 0:\n os.setuid(1000)\n print(flush=True)\n"
    code += " time.sleep(600)\nelse:\n time.sleep(0.5)"
    order = start.order(sys.executable, "-c", code, reap_limit=0.3)
    report = start.start(order, before=without_right_to_kill()).report()
    assert (report.status, report.reason, len(report.left)) == (None, "train-still-running", 1)


def test_process_numbers_of_another_namespace_are_never_used(start: Starter) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root for a namespace of process numbers whose /proc is not mounted")
    order = start.order("sh", "-c", "sleep 600 & exit 0", reap_limit=0.3)
    before = ("unshare", "--pid", "--fork", "sh", "-c", '"$@"; exit $?', "sh")
    assert start.start(order, before=before).report().reason == "train-still-running"


# On a terminal


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


def test_the_train_reads_from_the_terminal(start: Starter, terminal: Terminal) -> None:
    train = start.start(start.order("sh", "-c", "read line; echo got $line"), **terminal.streams())
    terminal.type(b"lung\n")
    terminal.wait_for(b"got lung")
    assert train.report().status == 0


@pytest.mark.parametrize(("key", "name"), [(b"\x03", "SIGINT"), (b"\x1c", "SIGQUIT")])
def test_a_key_that_sends_a_signal_reaches_the_train_once(
    start: Starter, terminal: Terminal, tmp_path: Path, key: bytes, name: str
) -> None:
    number = getattr(signal, name)
    train = start.start(counting(start, tmp_path, name), **terminal.streams())
    terminal.wait_for(b"ready")
    terminal.type(key)
    assert train.report() == Report(128 + number, "STOPPED", number, number, [], True)
    assert counted(tmp_path) == {number: 1}


def test_a_changed_window_size_reaches_the_train_once(
    start: Starter, terminal: Terminal, tmp_path: Path
) -> None:
    train = start.start(counting(start, tmp_path, "SIGWINCH"), **terminal.streams())
    terminal.wait_for(b"ready")
    termios.tcsetwinsize(terminal.master, (10, 20))
    assert train.report() == Report(0, "EXITED", None, None, [], True)
    assert counted(tmp_path) == {signal.SIGWINCH: 1}


def test_a_hang_up_of_the_terminal_reaches_the_train_once(
    start: Starter, terminal: Terminal, tmp_path: Path
) -> None:
    train = start.start(counting(start, tmp_path, "SIGHUP"), **terminal.streams())
    terminal.wait_for(b"ready")
    terminal.close()
    assert train.report() == Report(129, "STOPPED", signal.SIGHUP, signal.SIGHUP, [], True)
    assert counted(tmp_path) == {signal.SIGHUP: 1}


def test_job_control_stops_and_continues_runner_and_train(
    start: Starter, terminal: Terminal
) -> None:
    order = start.order("sh", "-c", "echo ready; read line; echo got $line")
    shell = start.start(order, before=(sys.executable, "-c", JOB_SHELL), **terminal.streams())
    terminal.wait_for(b"ready")
    terminal.type(b"\x1a")
    terminal.wait_for(b"suspended")
    terminal.type(b"lung\n")
    terminal.wait_for(b"got lung")
    assert shell.report() == Report(0, "EXITED", None, None, [], True)


PREPARES = """
import os, signal
from entrypoint.process import child
from entrypoint.process import start

number = signal.SIGUSR1
signal.signal(number, lambda *_: None)
signal.pthread_sigmask(signal.SIG_BLOCK, {number})
os.kill(os.getpid(), number)
start._prepare(os.getppid(), child._handled({number}))
"""


def test_a_signal_that_comes_before_the_exec_ends_the_train_as_any_program() -> None:
    done = subprocess.run([sys.executable, "-c", PREPARES], cwd=REPOSITORY, check=False)
    assert done.returncode == -signal.SIGUSR1
