"""The seccomp filter in real processes: what it refuses, and that honest work goes on."""

import errno
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrypoint.process import seccomp
from tests import system_calls
from tests.station import REPOSITORY

if not seccomp.is_available():
    pytest.skip("needs a kernel with seccomp on x86-64 or arm64", allow_module_level=True)

COLUMN = ["x86_64", "aarch64"].index(os.uname().machine)
CAP_SYS_ADMIN = 21

ATTEMPT = """
import ctypes, json, sys

libc = ctypes.CDLL(None, use_errno=True)
for name, number, arguments in json.loads(sys.argv[1]):
    ctypes.set_errno(0)
    failed = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)) == -1
    print(json.dumps([name, ctypes.get_errno() if failed else 0]))
"""


@pytest.fixture
def runner() -> Iterator[int]:
    """The id of a process that stands for the runner."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process.pid
        process.kill()


def run_python(
    *arguments: str, runner: int, is_filtered: bool = True
) -> "subprocess.CompletedProcess[str]":
    """Run this Python, under the filter unless told otherwise."""
    command = [sys.executable, *arguments]
    if is_filtered:
        command = [sys.executable, "-m", "tests.filtered", str(runner), *command]
    return subprocess.run(
        command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def attempts(runner: int) -> list[tuple[str, tuple[int, ...], int]]:
    """Return system calls that would succeed, or fail for their arguments, and their errno here.

    No address, descriptor or process is -1, so calls with it change nothing.
    """
    nothing = (-1,) * 6
    of_runner: list[tuple[str, tuple[int, ...]]] = [
        ("fcntl", (0, 8, runner)),  # F_SETOWN
        ("fcntl", (0, 15, -1)),  # F_SETOWN_EX
        ("get_robust_list", (runner, -1, -1)),
        ("ioprio_set", (1, runner, 0)),
        ("kill", (runner, 0)),
        ("migrate_pages", (runner, 0, 0, 0)),
        ("move_pages", (runner, 0, 0, 0, 0, 0)),
        ("pidfd_open", (runner, 0)),
        ("prlimit64", (runner, 7, 0, 0)),
        ("rt_sigqueueinfo", (runner, 10, -1)),
        ("rt_tgsigqueueinfo", (runner, runner, 10, -1)),
        ("sched_setaffinity", (runner, 8, -1)),
        ("sched_setattr", (runner, -1, 0)),
        ("sched_setparam", (runner, -1)),
        ("sched_setscheduler", (runner, 0, -1)),
        ("setpriority", (0, runner, 5)),
        ("tgkill", (runner, runner, 0)),
        ("tkill", (runner, 0)),
    ]
    others: list[tuple[str, tuple[int, ...]]] = [
        ("clone", (0x00020200, 0, 0, 0, 0)),  # CLONE_NEWNS | CLONE_FS, which is EINVAL otherwise
        ("ioctl", (0, 0x5412, -1)),  # TIOCSTI
        ("ioctl", (0, 0x541C, -1)),  # TIOCLINUX
        ("ioctl", (0, 0x8901, -1)),  # FIOSETOWN
        ("ioctl", (0, 0x8902, -1)),  # SIOCSPGRP
        ("ioctl", (0, 0x40086602, -1)),  # FS_IOC_SETFLAGS
        ("ioctl", (0, 0x401C5820, -1)),  # FS_IOC_FSSETXATTR
        ("ioctl", (0, 0x800C6613, -1)),  # FS_IOC_SET_ENCRYPTION_POLICY
        ("socket", (17, 2, 0)),  # AF_PACKET
        ("socket", (40, 1, 0)),  # AF_VSOCK
        ("socket", (16, 2, 11)),  # NETLINK_CONNECTOR
    ]
    return [
        *((name, nothing, errno.EPERM) for name in system_calls.FORBIDDEN),
        *((name, nothing, errno.ENOSYS) for name in system_calls.MISSING),
        *((name, arguments, errno.EPERM) for name, arguments in [*of_runner, *others]),
    ]


def results(runner: int, *, is_filtered: bool) -> list[tuple[str, int]]:
    """Make all attempts in one process; return the name and errno of each."""
    rows = []
    for name, arguments, _ in attempts(runner):
        number = system_calls.ALL[name][COLUMN]
        if number is not None:
            rows.append((name, number, arguments))
    done = run_python("-c", ATTEMPT, json.dumps(rows), runner=runner, is_filtered=is_filtered)
    assert done.returncode == 0, done.stderr
    return [(name, number) for name, number in map(json.loads, done.stdout.splitlines())]


def expected(runner: int) -> list[tuple[str, int]]:
    return [
        (name, answer)
        for name, _, answer in attempts(runner)
        if system_calls.ALL[name][COLUMN] is not None
    ]


def test_system_calls_are_refused(runner: int) -> None:
    assert results(runner, is_filtered=True) == expected(runner)


def test_the_same_calls_are_answered_otherwise_without_the_filter(runner: int) -> None:
    effective = int(Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0], 16)
    if not effective & 1 << CAP_SYS_ADMIN:
        pytest.skip("needs CAP_SYS_ADMIN, without which the kernel itself refuses some calls")
    both = zip(results(runner, is_filtered=False), expected(runner), strict=True)
    assert [allowed for allowed, refused in both if allowed == refused] == []


SIGNAL_BY_FOLDER = """
import os, signal, sys
try:
    signal.pidfd_send_signal(os.open(f"/proc/{sys.argv[1]}", os.O_RDONLY), 0)
except OSError as error:
    print(error.errno)
"""


def test_a_folder_of_proc_cannot_be_signalled(runner: int) -> None:
    control = run_python("-c", SIGNAL_BY_FOLDER, str(runner), runner=runner, is_filtered=False)
    assert (control.stdout, control.stderr) == ("", "")
    done = run_python("-c", SIGNAL_BY_FOLDER, str(runner), runner=runner)
    assert (done.stdout, done.stderr) == (f"{errno.ENOSYS}\n", "")


I386_GETPID = """
import ctypes, mmap, sys

code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20; int 0x80; ret
print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))())
"""


def test_a_32_bit_system_call_is_refused_and_the_program_goes_on(runner: int) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("needs x86-64")
    control = run_python("-c", I386_GETPID, runner=runner, is_filtered=False)
    if control.returncode != 0:
        pytest.skip("needs a kernel that executes 32-bit programs")
    assert int(control.stdout) > 0
    done = run_python("-c", I386_GETPID, runner=runner)
    assert (done.stdout, done.returncode) == (f"{-errno.ENOSYS}\n", 0)


# --- honest work ---------------------------------------------------------------------------------

WORK = {
    "threads": """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    assert sum(pool.map(abs, range(-100, 0))) == 5050
""",
    "affinity": """
import os, threading
os.sched_setaffinity(0, os.sched_getaffinity(0))
os.sched_setaffinity(os.getpid(), os.sched_getaffinity(0))
done = threading.Event()
thread = threading.Thread(target=done.wait)
thread.start()
os.sched_setaffinity(thread.native_id, os.sched_getaffinity(0))
os.sched_setscheduler(thread.native_id, os.SCHED_BATCH, os.sched_param(0))
os.setpriority(os.PRIO_PROCESS, thread.native_id, 3)
done.set()
""",
    "subprocesses": """
import os, signal, subprocess
assert subprocess.check_output("echo a | tr a b", shell=True) == b"b\\n"
for settings in ({"start_new_session": True}, {"process_group": 0}, {"preexec_fn": os.getpid}):
    with subprocess.Popen(["sleep", "60"], **settings) as process:
        os.kill(process.pid, signal.SIGSTOP)
        os.kill(process.pid, signal.SIGCONT)
        process.terminate()
        assert process.wait() == -signal.SIGTERM
assert os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)[1] == 0
""",
    "groups": """
import os, signal, subprocess
done = subprocess.run(["sh", "-c", "sleep 60 & kill 0"], start_new_session=True)
assert done.returncode == -signal.SIGTERM
with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
    os.killpg(process.pid, signal.SIGKILL)
""",
    "asyncio": """
import asyncio
async def main():
    process = await asyncio.create_subprocess_exec("echo", "a", stdout=asyncio.subprocess.PIPE)
    assert (await process.communicate())[0] == b"a\\n"
    process = await asyncio.create_subprocess_exec("sleep", "60")
    process.kill()
    assert await process.wait() == -9
asyncio.run(main())
""",
    "limits": """
import os, resource, subprocess
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
os.nice(1)
with subprocess.Popen(["sleep", "60"]) as process:
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (128, 128))
    os.setpriority(os.PRIO_PROCESS, process.pid, 5)
    process.kill()
""",
    "sockets": """
import fcntl, os, socket
with socket.create_server(("127.0.0.1", 0)) as server:
    with socket.create_connection(server.getsockname()) as client:
        fcntl.fcntl(client, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(client, fcntl.F_SETFL, os.O_NONBLOCK)
for end in socket.socketpair():
    end.close()
assert socket.if_nameindex()
assert socket.getaddrinfo("localhost", 80)
""",
    "sqlite": """
import sqlite3, sys
database = sqlite3.connect(sys.argv[0] + ".db")
assert database.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
database.execute("CREATE TABLE numbers (n)")
database.executemany("INSERT INTO numbers VALUES (?)", ((n,) for n in range(1000)))
database.commit()
assert database.execute("SELECT sum(n) FROM numbers").fetchone() == (499500,)
""",
    "shared memory": """
import mmap, os
from multiprocessing.shared_memory import SharedMemory
memory = SharedMemory(create=True, size=1000)
memory.close()
memory.unlink()
memory = os.memfd_create("name")
os.truncate(memory, 4096)
mmap.mmap(memory, 4096)
""",
}
POOL = """
import multiprocessing
if __name__ == "__main__":
    context = multiprocessing.get_context("METHOD")
    with context.Pool(2) as pool:
        assert pool.map(abs, range(-10, 0)) == list(range(10, 0, -1))
    process = context.Process(target=input)
    process.start()
    process.kill()
    process.join()
"""
WORK |= {way: POOL.replace("METHOD", way) for way in ("fork", "spawn", "forkserver")}


@pytest.mark.parametrize("name", WORK)
def test_honest_work_goes_on(name: str, runner: int, tmp_path: Path) -> None:
    script = tmp_path / "work.py"
    script.write_text(WORK[name])
    done = run_python("-W", "error", str(script), runner=runner)
    assert (done.returncode, done.stderr) == (0, "")


# --- installing ----------------------------------------------------------------------------------

REFUSES_SECCOMP = struct.pack(
    "<" + "HBBI" * 5,
    *(0x20, 0, 0, 16),  # load the first argument
    *(0x15, 0, 1, 22),  # is it PR_SET_SECCOMP
    *(0x06, 0, 0, 0x00050000 | errno.EPERM),
    *(0x06, 0, 0, 0x7FFF0000),
    *(0x06, 0, 0, 0x7FFF0000),
)


def test_a_refused_filter_is_an_error() -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        seccomp.install(b"")


def test_seccomp_is_not_available_where_a_profile_forbids_it() -> None:
    code = f"""
from entrypoint.process import seccomp
from entrypoint.linux.prctl import prctl
prctl(38, 1)
seccomp.install({REFUSES_SECCOMP!r})
print(seccomp.is_available())
"""
    done = run_python("-c", code, runner=1, is_filtered=False)
    assert (done.stdout, done.stderr) == ("False\n", "")
