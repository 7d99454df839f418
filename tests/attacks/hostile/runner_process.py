"""Changes how the runner's process runs: signals, limits, priorities."""

import errno
import fcntl
import os
import resource
from collections.abc import Callable

from .attempts import Absent, Gain, attempt
from .kernel_calls import call, runner


@attempt(Gain.RUNNER, "uid", "landlock", "seccomp")
def signal_to_runner() -> str:
    os.kill(runner(), 0)
    return "it can be signalled"


@attempt(Gain.RUNNER, "uid", "landlock", "seccomp")
def signal_by_descriptor() -> str:
    handle = call("pidfd_open", runner(), 0)
    call("pidfd_send_signal", handle, 0, None, 0)
    return "it can be signalled"


@attempt(Gain.RUNNER, "uid", "landlock", "seccomp")
def signal_by_events() -> str:
    """Has the kernel signal the runner when its stream can be written to."""
    fcntl.fcntl(2, fcntl.F_SETOWN, runner())
    fcntl.fcntl(2, fcntl.F_SETOWN, 0)
    return signal_to_runner()


@attempt(Gain.RUNNER, "uid", "seccomp")
def limits() -> str:
    resource.prlimit(runner(), resource.RLIMIT_CORE, _limits())
    return "its limits, that of file sizes too"


def _limits() -> tuple[int, int]:
    return resource.prlimit(runner(), resource.RLIMIT_CORE)


@attempt(Gain.RUNNER, "uid", "seccomp")
def priority() -> str:
    value = os.getpriority(os.PRIO_PROCESS, runner())
    os.setpriority(os.PRIO_PROCESS, runner(), value)
    return f"its priority, {value}"


@attempt(Gain.RUNNER, "uid", "seccomp")
def priority_of_user() -> str:
    """Changes the priority of all processes of the train's user, who may be the runner's, too."""
    if _user_of_runner() != os.getuid():
        raise PermissionError(errno.EPERM, "the runner has another user")
    value = os.getpriority(os.PRIO_USER, os.getuid())
    os.setpriority(os.PRIO_USER, os.getuid(), value)
    return "that of all processes of its user"


def _user_of_runner() -> int:
    with open(f"/proc/{runner()}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Uid:"))


@attempt(Gain.RUNNER, "uid", "seccomp")
def input_output_priority() -> str:
    call("ioprio_set", 1, runner(), 4 | 2 << 13)  # IOPRIO_WHO_PROCESS, the default
    return "its share of the disk"


@attempt(Gain.RUNNER, "uid", "seccomp")
def scheduler() -> str:
    os.sched_setscheduler(runner(), os.SCHED_OTHER, os.sched_param(0))
    return "its scheduling policy"


@attempt(Gain.RUNNER, "uid", "seccomp")
def processors() -> str:
    os.sched_setaffinity(runner(), os.sched_getaffinity(runner()))
    return "its processors"


@attempt(Gain.RUNNER, "uid", "landlock")
def memory_killer() -> str:
    return _rewritten("oom_score_adj", str)


@attempt(Gain.RUNNER, "uid", "landlock")
def core_dump() -> str:
    return _rewritten("coredump_filter", lambda value: f"0x{value}")


@attempt(Gain.RUNNER, "uid", "landlock")
def timer_slack() -> str:
    return _rewritten("timerslack_ns", str)


def _rewritten(name: str, form: Callable[[str], str]) -> str:
    """Write the value of a file of the runner's process again."""
    with open(f"/proc/{runner()}/{name}", "r+") as file:
        value = file.read().strip()
        file.seek(0)
        file.write(form(value))
    return f"{name} can be written"


@attempt(Gain.RUNNER, "uid", "seccomp")
def priority_of_group() -> str:
    """Changes the priority of the process group, which the runner may belong to."""
    if os.getpgid(runner()) != os.getpgrp():
        raise Absent("the runner is in another group")
    value = os.getpriority(os.PRIO_PGRP, 0)
    os.setpriority(os.PRIO_PGRP, 0, value)
    return f"its priority, {value}"
