"""Work with what the system offers: devices, users, limits, locales, randomness."""

import getpass
import locale
import os
import pwd
import resource
import secrets
import subprocess
import sys
import uuid
from pathlib import Path


def streams_by_name() -> None:
    for name in ("stdout", "stderr"):
        for path in (f"/dev/{name}", f"/proc/self/fd/{('stdout', 'stderr').index(name) + 1}"):
            with open(path, "w") as stream:
                stream.write(f"by {path}\n")
    subprocess.run("echo text | tee /dev/stderr >/dev/stdout", shell=True, check=True)


def devices() -> None:
    with open("/dev/null", "r+b", buffering=0) as null:
        null.write(b"x")
        assert null.read() == b""
    for name in ("zero", "urandom", "random"):
        with open(f"/dev/{name}", "rb", buffering=0) as device:
            assert len(device.read(16)) == 16
    subprocess.run("echo x >/dev/null 2>&1 </dev/null", shell=True, check=True)


def randomness() -> None:
    assert secrets.token_bytes(32) != os.urandom(32)
    assert uuid.uuid1() != uuid.uuid4()


def limits() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, hard, 512), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    child = subprocess.Popen(["sleep", "600"])
    resource.prlimit(child.pid, resource.RLIMIT_NOFILE, (64, 64))
    child.kill()
    child.wait()


def name_of_the_user() -> None:
    assert getpass.getuser()


def home_of_the_user() -> None:
    assert Path.home() == Path(os.environ["HOME"])


def users_by_number() -> None:
    assert pwd.getpwuid(0).pw_name == "root"
    assert pwd.getpwnam("root").pw_uid == 0


def locales_and_encodings() -> None:
    locale.setlocale(locale.LC_ALL, "C.UTF-8" if sys.platform == "linux" else "")
    Path(os.environ["PHT_RESULTS_DIR"], "größe").write_text("größe", encoding="utf-8")
    assert "größe" in os.listdir(os.environ["PHT_RESULTS_DIR"])


def facts_of_the_machine() -> None:
    assert os.cpu_count()
    assert os.getloadavg()
    assert os.sysconf("SC_PAGE_SIZE")
    for name in ("cpuinfo", "meminfo", "self/status", "self/maps", "self/mountinfo", "stat"):
        assert Path("/proc", name).read_bytes()
    assert Path("/sys/devices/system/cpu/online").read_text()
