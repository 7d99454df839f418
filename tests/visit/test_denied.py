"""Owners, modes and times that the runner may not set: no visit is stuck because of them.

Root need not have root's rights: engines can take them away one by one, and in a user namespace
most users have no number.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import reference
from tests.station import (
    Done,
    Snapshot,
    assert_explained,
    check,
    journal,
    new_train,
    opened,
    pht,
    settle,
    snapshot,
    visit,
)
from tests.unable_to_kill import UNABLE_TO_KILL
from tests.unprotected import UNPROTECTED

FIRST_KEY = reference.vector_key("station_1", private=True)
SOMEBODY, GROUP = 1000, 1001
LARGE = b"x" * (2**20 + 1)
FILES = {"large": LARGE, "small": b"x", "shared/small": b"x", "shared/linked": b"x"}
SCRIPT = """
import os, pathlib, sys
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
"""


def without(*rights: str) -> list[str]:
    """Return a command that starts a program without some of root's rights, or skip the test."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and the setpriv command")
    dropped = ",".join(f"-{right}" for right in rights)
    return ["setpriv", "--bounding-set", dropped, "--inh-caps", dropped]


RIGHTS: dict[str, Sequence[str]] = {
    "give files away": ["chown"],
    "act as an owner": ["fowner"],
    "both": ["chown", "fowner"],
    "act as an owner or pass over permissions": ["fowner", "dac_override", "dac_read_search"],
    "any of these": ["chown", "fowner", "fsetid", "dac_override", "dac_read_search"],
}


@pytest.fixture(params=[*RIGHTS.values()], ids=[*RIGHTS])
def rights(request: pytest.FixtureRequest) -> list[str]:
    """The names of rights that the runner does not have."""
    return [*request.param]


def second_stop(root: Path, script: str) -> Path:
    """Lay out a train with results that belong to somebody else and that everybody may replace."""
    opt = new_train(root, SCRIPT + script)
    results = opt / "pht_results"
    (results / "shared").mkdir()
    for name, content in FILES.items():
        (results / name).write_bytes(content)
    os.link(results / "shared" / "linked", results / "again")
    (results / "link").symlink_to("small")
    reference.published_post_run(opt, "station_1", FIRST_KEY)
    for path in (results, *results.rglob("*"), opt / "train_config.json"):
        if not path.is_symlink():
            path.chmod(0o777 if path.is_dir() else 0o666)
        os.chown(path, SOMEBODY, GROUP, follow_symlinks=False)
    settle(root, "station_2")
    return opt


def without_owners(tree: Snapshot) -> Snapshot:
    """Return a tree without its owners."""
    return {path: node._replace(owner=(0, 0)) for path, node in tree.items()}


def test_a_failed_train_goes_back_without_root_rights_to(rights: list[str], tmp_path: Path) -> None:
    under = without(*rights)
    second_stop(tmp_path, "(results / 'new').touch(); sys.exit(3)")
    before = snapshot(tmp_path)

    done = visit(tmp_path, under=under)

    assert (done.status, done.facts["state"]) == (3, "unchanged"), done.stderr
    after = snapshot(tmp_path)
    assert without_owners(after) == without_owners(before)
    assert (after == before) == ("chown" not in rights)
    warned = [line for line in done.lines if line.startswith("pht: warning: ")]
    expected = (
        f"{tmp_path}/opt/train_config.json belongs to 1000:1001, but uid 0 may not give files"
    )
    assert [expected in line for line in warned] == [True] * ("chown" in rights)
    assert check(tmp_path).status == 0


def test_results_are_sealed_without_root_rights_to(rights: list[str], tmp_path: Path) -> None:
    under = without(*rights)
    opt = second_stop(tmp_path, "(results / 'new').touch()")

    done = visit(tmp_path, under=under)

    assert done.status == 0, done.stderr
    assert opened(opt) == {**FILES, "again": b"x", "new": b""}


GIVE = """
def give(name, mode):
    (results / name).chmod(mode)
    os.chown(results / name, 1, 1)
"""
GIFTS = {
    "folders": "(results / 'd' / 'e').mkdir(parents=True); give('d/e', 0o700); give('d', 0o700)",
    "a folder as /tmp": "(results / 'd').mkdir(); (results / 'd' / 'f').touch();"
    " give('d/f', 0o600); give('d', 0o1777)",
    "the folder of the results": "give('.', 0o700)",
}


def run_as_root(opt: Path, script: str) -> None:
    """Run a script between the halves of a visit, with all rights: a sandbox takes them away."""
    environment = {**os.environ, "PHT_RESULTS_DIR": str(opt / "pht_results")}
    subprocess.run([sys.executable, "-c", SCRIPT + GIVE + script], env=environment, check=True)


@pytest.mark.parametrize("script", GIFTS.values(), ids=GIFTS.keys())
def test_the_old_state_is_back_although_somebody_has_given_away(
    script: str, tmp_path: Path
) -> None:
    """Root without other rights may not even look into them."""
    under = without("fowner", "dac_override", "dac_read_search")
    opt = new_train(tmp_path, "")
    (opt / "pht_results" / "old").write_bytes(b"x")
    reference.published_post_run(opt, "station_1", FIRST_KEY)
    settle(tmp_path, "station_2")
    before = snapshot(tmp_path)
    assert pht("pre-run", root=tmp_path, under=under).status == 0

    run_as_root(opt, script)
    done = pht("undo", root=tmp_path, under=under)

    assert (done.status, done.facts["state"]) == (0, "unchanged"), done.stderr
    assert snapshot(tmp_path) == before


def test_small_results_that_were_given_away_are_refused(tmp_path: Path) -> None:
    """The new ciphertext could not take the place of their contents, and no way would lead back."""
    under = without("fowner", "dac_override", "dac_read_search")
    opt = new_train(tmp_path, "")
    settle(tmp_path, "station_1")
    before = snapshot(tmp_path)
    assert pht("pre-run", root=tmp_path, under=under).status == 0

    run_as_root(opt, "(results / 'f').touch(); give('f', 0o644)")
    done = pht("post-run", root=tmp_path, under=under)

    assert_explained(done, 65, "results-unsafe")
    assert str(opt / "pht_results" / "f") in done.stderr
    assert pht("undo", root=tmp_path, under=under).status == 0
    assert snapshot(tmp_path) == before


def test_what_was_given_away_beside_the_signed_files(tmp_path: Path) -> None:
    """The results come back; that the rest cannot be tidied up is said."""
    under = without("fowner", "dac_override", "dac_read_search")
    script = """
folder = results.parent / "pht_train" / "folder"
folder.mkdir()
(folder / "file").touch()
give(folder, 0o700)
"""
    opt = new_train(tmp_path, "")
    (opt / "pht_results" / "old").write_bytes(b"x")
    reference.published_post_run(opt, "station_1", FIRST_KEY)
    settle(tmp_path, "station_2")
    before = snapshot(opt / "pht_results")
    assert pht("pre-run", root=tmp_path, under=under).status == 0

    run_as_root(opt, script)
    done = pht("undo", root=tmp_path, under=under)

    assert done.facts["state"] == "spent", done.stderr
    assert "pht: warning: the signed files are changed: start from the image again" in done.lines
    assert snapshot(opt / "pht_results") == before
    assert_explained(check(tmp_path), 65, "train-files-differ")


SURVIVES = """
import time
pid = os.fork()
if pid == 0:
    os.closerange(0, 3)
    time.sleep(600)
print(pid)
"""


def end_survivor(done: Done) -> None:
    os.kill(int(done.stdout), signal.SIGKILL)


def test_nothing_is_put_back_while_a_process_of_the_train_survives(tmp_path: Path) -> None:
    """It could change what is back, or write plaintext beside a configuration that looks sealed."""
    opt = second_stop(tmp_path, SURVIVES)

    done = visit(tmp_path, under=UNABLE_TO_KILL)
    end_survivor(done)

    assert_explained(done, 71, "train-still-running")
    assert "when they are gone, start this same container again" in done.stderr
    assert (done.facts["retry"], done.facts["state"]) == ("yes", "unfinished")
    assert journal(tmp_path)["phase"] == "open"
    again = visit(tmp_path)
    assert again.status == 0, again.stderr
    assert opened(opt) == {**FILES, "again": b"x"}


def test_nothing_is_promised_to_come_back_in_a_host_driven_visit(tmp_path: Path) -> None:
    new_train(tmp_path, SCRIPT + SURVIVES)

    done = visit(tmp_path, env={"PHT_HOST_PROTOCOL": "1"}, under=UNABLE_TO_KILL)
    end_survivor(done)

    assert_explained(done, 71, "train-still-running")
    assert "look with ps for what blocks them" in done.stderr
    assert "start this same container again" not in done.stderr
    assert (done.facts["retry"], done.facts["state"]) == ("no", "unsealed")


# --- a user namespace ----------------------------------------------------------------------------


@pytest.fixture
def namespace() -> list[str]:
    """A command that starts a program as root of a user namespace that maps no other user."""
    under = ["unshare", "--user", "--map-root-user"]
    if os.geteuid() != 0 or subprocess.run([*under, "true"], capture_output=True).returncode != 0:
        pytest.skip("needs root, to give files away, and user namespaces")
    return under


def test_an_owner_without_a_number_does_not_keep_a_visit_from_going_back(
    namespace: list[str], tmp_path: Path
) -> None:
    second_stop(tmp_path, "(results / 'new').touch(); sys.exit(3)")
    before = snapshot(tmp_path)

    done = visit(tmp_path, under=namespace)

    assert (done.status, done.facts["state"]) == (3, "unchanged"), done.stderr
    assert f"{tmp_path}/opt/train_config.json belongs to " in done.stderr
    assert without_owners(snapshot(tmp_path)) == without_owners(before)


def test_an_owner_without_a_number_does_not_keep_results_from_being_sealed(
    namespace: list[str], tmp_path: Path
) -> None:
    opt = second_stop(tmp_path, "(results / 'new').touch()")

    done = visit(tmp_path, under=namespace)

    assert done.status == 0, done.stderr
    assert opened(opt) == {**FILES, "again": b"x", "new": b""}


@pytest.mark.parametrize(("name", "mode"), [("small", 0o644), ("large", 0o600), ("shared", 0o755)])
def test_what_root_of_a_namespace_may_not_replace_is_named_before_anything_is_opened(
    name: str, mode: int, namespace: list[str], tmp_path: Path
) -> None:
    opt = second_stop(tmp_path, "")
    (opt / "pht_results" / name).chmod(mode)
    before = snapshot(tmp_path)

    done = visit(tmp_path, under=namespace)

    assert_explained(done, 78, "place-unsuitable")
    assert str(opt / "pht_results" / name) in done.stderr
    assert snapshot(tmp_path) == before


# --- train_config.json ---------------------------------------------------------------------------


NAMES = ("train_config.json", "user_sym_key.key")
OPENS_TO_EVERYBODY = f"[(results.parent / name).chmod(0o4777) for name in {NAMES}]\n"


def with_modes_of_its_own(root: Path, script: str) -> Path:
    opt = new_train(root, SCRIPT + script)
    reference.published_post_run(opt, "station_1", FIRST_KEY)
    for name in NAMES:
        (opt / name).chmod(0o640)
    settle(root, "station_2")
    return opt


def assert_modes_and_owners(opt: Path, before: Snapshot) -> None:
    after = snapshot(opt)
    for name in NAMES:
        assert (after[name].mode, after[name].owner) == (before[name].mode, before[name].owner)


@pytest.mark.parametrize("status", [0, 3], ids=["succeeds", "fails"])
def test_the_configuration_has_the_mode_that_it_came_with_when_a_train(
    status: int, tmp_path: Path
) -> None:
    opt = with_modes_of_its_own(tmp_path, f"{OPENS_TO_EVERYBODY}sys.exit({status})")
    before = snapshot(opt)

    assert visit(tmp_path, under=UNPROTECTED).status == status

    assert_modes_and_owners(opt, before)


@pytest.mark.parametrize("command", ["post-run", "undo"])
def test_the_configuration_has_the_mode_and_owner_that_it_came_with_after(
    command: str, tmp_path: Path
) -> None:
    opt = with_modes_of_its_own(tmp_path, "")
    before = snapshot(opt)
    assert pht("pre-run", root=tmp_path).status == 0
    for name in NAMES:
        if os.geteuid() == 0:
            os.chown(opt / name, 1234, 1234)
        (opt / name).chmod(0o4777)

    assert pht(command, root=tmp_path).status == 0

    assert_modes_and_owners(opt, before)
