"""The trains of a simulation have no network but the loopback, as at a station."""

import errno
import json
import os
from pathlib import Path

import pytest

from entrypoint.linux.namespaces import Namespaces
from entrypoint.linux.network import network
from entrypoint.linux.prctl import PR_SET_DUMPABLE, prctl
from tests.desk import pht_on_terminal
from tests.other_user import NOBODY, USER_NAMESPACES, as_user
from tests.unit.simulating import COMMAND

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("temporary")]

TALKS = """
import os, socket, sys
from pathlib import Path

with socket.create_server(("127.0.0.1", 0)) as server:
    with socket.create_connection(server.getsockname(), timeout=5):
        talked = True
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
    try:
        other.connect(("192.0.2.1", 53))
        sys.exit("there is a route to another machine")
    except OSError:
        pass
(Path(os.environ["PHT_RESULTS_DIR"]) / "seen.json").write_text("[]")
"""


def facts_of(log: Path) -> dict[str, object]:
    """Return the facts of the status line, the last one."""
    facts: dict[str, object] = json.loads(log.read_text().splitlines()[-1])
    return facts


def test_a_train_reaches_itself_only(train: Path, data: Path, keep: Path) -> None:
    (train / "train.py").write_text(TALKS)
    words: list[str | Path] = ["simulate", train, "--data", data, "--route", "s-1", "--keep", keep]
    status, said = pht_on_terminal([*words, "--", *COMMAND])
    assert status == 0, said
    facts = facts_of(keep / "01-s-1.log")
    assert facts["network"] == "none"
    layers = str(facts["layers"])
    assert {"landlock", "seccomp", "key-absent"} <= {*layers.split(",")}
    missing = [layer for layer in ("uid", "caps") if layer not in layers]
    more = f"; a station may also have: {','.join(missing)}" if missing else ""
    assert f"pht: layers of protection: {layers}{more}\r\n" in said


def test_a_user_other_than_root_needs_no_rights_for_that(tmp_path: Path) -> None:
    before = os.stat("/proc/self/ns/net").st_ino

    def leave() -> None:
        prctl(PR_SET_DUMPABLE, 1)  # as after exec: else /proc/self belongs to root
        Namespaces(network=True, opt=False).enter(tmp_path, tmp_path)
        assert os.stat("/proc/self/ns/net").st_ino != before
        assert (network(), os.getuid()) == ("none", NOBODY)

    assert as_user(NOBODY, leave) == (0 if USER_NAMESPACES else errno.EPERM)
