"""The user of this process on the host, and its label in SELinux."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from entrypoint.linux.selinux import selinux_hint, selinux_type
from entrypoint.linux.user import this_user
from tests.station import REPOSITORY

MAPPED = """
import ctypes, os, sys
from pathlib import Path
from entrypoint.settings.load import load
from entrypoint.errors import PhtError
from entrypoint.report import Report
from entrypoint.visit.data import check_data
from entrypoint.visit.session import Session
from entrypoint.visit.train_user import train_credentials

root, outside = Path(sys.argv[1]), sys.argv[2]
told, tell = os.pipe()
mapped, go = os.pipe()
child = os.fork()
if child:
    os.read(told, 1)
    Path(f"/proc/{child}/setgroups").write_text("deny")
    for kind in ("uid", "gid"):
        Path(f"/proc/{child}/{kind}_map").write_text(f"5 {outside} 1")
    os.write(go, b"x")
    os.waitpid(child, 0)
    sys.exit()
if ctypes.CDLL(None).unshare(0x10000000):
    os._exit(0)
os.write(tell, b"x")
os.read(mapped, 1)
os.setresgid(5, 5, 5)
os.setresuid(5, 5, 5)

def look_at_data():
    settings = load(Path("/nowhere"), {"TRAIN_DATA_PATH": str(root / "data")})
    session = Session(settings, Report())
    check_data(session, train_credentials(settings, session.report), may_override=True)

said = []
for look in (lambda: load(root, {}), look_at_data):
    try:
        look()
    except PhtError as error:
        said.append((error.code, error.message, error.hint))
print(said, flush=True)
"""


def test_without_a_user_namespace_there_is_one_number() -> None:
    assert this_user() == f"uid {os.getuid()}"


def test_in_a_user_namespace_the_hosts_number_is_named(tmp_path: Path) -> None:
    for folder in (tmp_path / "run" / "pht", tmp_path / "data"):
        folder.mkdir(parents=True)
        folder.chmod(0)
    # Any user may map itself; permissions do not bind root.
    outside = os.getuid() or 100_000
    done = subprocess.run(
        [sys.executable, "-c", MAPPED, str(tmp_path), str(outside)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    if not done.stdout:
        pytest.skip("needs to be allowed user namespaces")

    said = ast.literal_eval(done.stdout)

    assert [code for code, _, _ in said] == ["setting-unreadable", "data-unreadable"]
    for _, message, hint in said:
        assert f"uid 5 (uid {outside} on the host), gid 5" in message
        assert f"on the host give uid {outside} access" in hint
        assert f"-m u:{outside}:rX" in hint
        assert "SELinux" not in hint


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("system_u:system_r:container_t:s0:c123,c456\0", "container_t"),
        ("unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023\n", "unconfined_t"),
        ("user_u:user_r:user_t", "user_t"),
        ("docker-default (enforce)\n", ""),
        ("unconfined\n", ""),
        ("lxd-x_</var/lib/lxd>//&:lxd-x_<var-lib-lxd>:unconfined (enforce)\n", ""),
        ("", ""),
    ],
)
def test_selinux_is_told_from_other_modules_by_its_label(label: str, kind: str) -> None:
    assert selinux_type(label) == kind


def test_a_process_with_a_label_is_told_how_to_satisfy_selinux(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test can enable SELinux, so a file stands for the label that the kernel reports."""
    label = tmp_path / "current"
    label.write_text("system_u:system_r:container_t:s0:c1,c2\0")
    monkeypatch.setattr("entrypoint.linux.selinux._LABEL", label)
    assert "; SELinux, by which this process is container_t, may forbid it too" in selinux_hint()
    assert "chcon -R -t container_file_t; for data that others use, " in selinux_hint()
    assert "--security-opt label=disable" in selinux_hint()
