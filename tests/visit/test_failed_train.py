"""A train that fails, however badly it behaves: nothing is committed, and the disk is as before."""

import os
from pathlib import Path

import pytest

from tests import reference
from tests.station import (
    RUNS_TRAIN,
    assert_explained,
    leaked,
    new_train,
    opened,
    settle,
    snapshot,
    visit,
)
from tests.visit.damaged_train import IMPORTS, assert_as_before, second_stop

# --- ways to end ---------------------------------------------------------------------------------

ENDS: dict[str, tuple[str, int, str]] = {
    "with 1": ("sys.exit(1)", 1, "exited"),
    "with 255": ("sys.exit(255)", 255, "exited"),
    "with the status of a refusal": ("sys.exit(77)", 77, "exited"),
    "with an exception": ("raise RuntimeError", 1, "exited"),
    "by SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", 137, "signalled"),
    "by SIGTERM of its own": ("os.kill(os.getpid(), signal.SIGTERM)", 143, "signalled"),
}


@pytest.mark.parametrize(("script", "status", "reason"), ENDS.values(), ids=ENDS.keys())
def test_a_train_that_ends(script: str, status: int, reason: str, tmp_path: Path) -> None:
    second_stop(tmp_path, f"(results / 'new').write_bytes(b'x'); {script}")
    before = snapshot(tmp_path)

    done = visit(tmp_path)

    assert done.status == status
    facts = {
        name: done.facts[name] for name in ("result", "stage", "reason", "by", "retry", "state")
    }
    how = f"was killed by signal {status - 128} (" if reason == "signalled" else "ended with status"
    assert how in next(line for line in done.lines if line.startswith("pht: error: "))
    assert facts == {
        "result": "train-failed",
        "stage": "command",
        "reason": reason,
        "by": "author",
        "retry": "no",
        "state": "unchanged",
    }
    assert_as_before(tmp_path, before)


def test_the_author_of_a_train_that_writes_elsewhere_is_told_where_it_may(tmp_path: Path) -> None:
    second_stop(tmp_path, "(results.parent / 'elsewhere').touch()")

    done = visit(tmp_path)

    assert (done.status, done.facts["by"]) == (1, "author")
    assert "PermissionError" in done.stderr
    assert 'docs/author.md, "Where a train may write"' in done.stderr


def test_a_train_that_runs_out_of_time(tmp_path: Path) -> None:
    second_stop(tmp_path, "(results / 'new').write_bytes(b'x'); time.sleep(60)")
    settle(tmp_path, "station_2", PHT_TIMEOUT="1")
    before = snapshot(tmp_path)

    done = visit(tmp_path)

    assert (done.status, done.facts["reason"], done.facts["state"]) == (
        124,
        "timed-out",
        "unchanged",
    )
    assert "ran longer than PHT_TIMEOUT=1 seconds" in done.stderr
    assert "pht: hint: set a larger PHT_TIMEOUT" in done.stderr
    assert_as_before(tmp_path, before)


@pytest.mark.parametrize(
    ("command", "status", "reason", "said"),
    [
        (["python3.999", RUNS_TRAIN[1]], 127, "not-found", "was not found"),
        (["/nowhere/python3", RUNS_TRAIN[1]], 127, "not-found", "was not found"),
        (["/opt/pht_train/train.py"], 126, "not-executable", "is not executable"),
    ],
    ids=["interpreter not found", "path not found", "not executable"],
)
def test_a_train_that_cannot_start(
    command: list[str], status: int, reason: str, said: str, tmp_path: Path
) -> None:
    second_stop(tmp_path, "")
    before = snapshot(tmp_path)

    done = visit(tmp_path, command)

    assert (done.status, done.facts["reason"]) == (status, reason)
    *_, error, hint, _ = done.stderr.splitlines()
    assert error.startswith("pht: error: the train's command, ")
    assert error.endswith(f"{Path(command[0]).name}, {said} [train-failed]")
    assert hint.startswith("pht: hint: ")
    assert_as_before(tmp_path, before)


def test_the_status_of_a_failed_train_is_told_to_machines(tmp_path: Path) -> None:
    second_stop(tmp_path, "print('noise', file=sys.stderr); sys.exit(3)")

    done = visit(tmp_path, env={"PHT_LOG": "json"})

    assert done.status == 3
    assert done.stderr.splitlines()[-1].startswith('{"level": "status", "result": "train-failed"')


# --- damage before it fails ----------------------------------------------------------------------

NEST = "[(os.mkdir('d' * 20), os.chdir('d' * 20)) for _ in range(1500)]"
DAMAGE: dict[str, str] = {
    "deletes everything": "[shutil.rmtree(p) if p.is_dir() and not p.is_symlink() else p.unlink()"
    " for p in results.iterdir()]",
    "renames": "(results / 'a').rename(results / 'z'); (results / 'small').rename(results / 'a')",
    "swaps files and folders": (
        "(results / 'small').unlink(); (results / 'small').mkdir(); shutil.rmtree(results / 'a');"
        " (results / 'a').write_bytes(b'x')"
    ),
    "appends": "[p.open('ab').write(b'x') for p in results.rglob('*') if p.is_file()]",
    "truncates": "os.truncate(results / 'large', 10)",
    "takes away every permission": (
        "[p.chmod(0) for p in sorted(results.rglob('*'), reverse=True) if not p.is_symlink()];"
        " results.chmod(0)"
    ),
    "adds what nobody may touch": (
        "d = results / 'd'; (d / 'e').mkdir(parents=True); (d / 'e' / 'f').write_bytes(b'x');"
        " (d / 'e' / 'f').chmod(0); (d / 'e').chmod(0); d.chmod(0)"
    ),
    "nests folders deeper than any path": f"os.chdir(results); {NEST}",
    "nests folders beside its own files": f"os.chdir(opt / 'pht_train'); {NEST}; open('x', 'w')",
    "adds a FIFO and a socket": (
        "import socket; os.mkfifo(results / 'pipe'); os.chdir(results);"
        " socket.socket(socket.AF_UNIX).bind('s')"
    ),
    "adds links to the outside": (
        "(results / 'l').symlink_to(outside); shutil.rmtree(results / 'a');"
        " (results / 'a').symlink_to(outside)"
    ),
    "adds names that cannot be decoded": "(results / os.fsdecode(b'\\xff')).mkdir()",
}


@pytest.mark.parametrize("script", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_failing_train_that(script: str, tmp_path: Path) -> None:
    second_stop(tmp_path, f"{script}\nsys.exit(3)")
    before = snapshot(tmp_path)

    done = visit(tmp_path)

    assert done.status == 3, done.stderr
    assert done.facts["state"] == "unchanged"
    assert_as_before(tmp_path, before)


def test_a_train_at_its_first_stop_that_had_no_results_folder(tmp_path: Path) -> None:
    opt = new_train(tmp_path, IMPORTS + "(results / 'a').touch(); sys.exit(3)")
    (opt / "pht_results").rmdir()
    settle(tmp_path, "station_1")
    before = snapshot(tmp_path)

    assert visit(tmp_path).status == 3
    assert snapshot(tmp_path) == before


# --- results that cannot travel ------------------------------------------------------------------

UNSAFE: dict[str, tuple[str, str]] = {
    "a FIFO": ("os.mkfifo(results / 'pipe')", "pipe"),
    "a FIFO in a folder": ("os.mkfifo(results / 'a' / 'pipe')", "a/pipe"),
    "a socket": (
        "import socket; os.chdir(results); socket.socket(socket.AF_UNIX).bind('s')",
        "s",
    ),
    "a link to the train": ("(results / 'l').symlink_to('../pht_train')", "l"),
    "an absolute link": ("(results / 'l').symlink_to('/etc/passwd')", "l"),
    "a link through a link": (
        "(results / 'd').symlink_to('a'); (results / 'l').symlink_to('d/../../x')",
        "l",
    ),
    "folders deeper than any path": (f"os.chdir(results); {NEST}", "/".join(["d" * 20] * 49)),
    "a name that fakes a line": (
        "os.mkfifo(results / 'x\\npht: result=visited status=0')",
        "x\\npht: result=visited status=0",
    ),
}


@pytest.mark.parametrize(("script", "name"), UNSAFE.values(), ids=UNSAFE.keys())
def test_a_successful_train_that_leaves(script: str, name: str, tmp_path: Path) -> None:
    second_stop(tmp_path, script)
    before = snapshot(tmp_path)

    done = visit(tmp_path)

    assert_explained(done, 65, "results-unsafe")
    assert f"pht_results holds {name}, " in done.stderr
    assert (done.facts["by"], done.facts["state"]) == ("author", "unchanged")
    assert_as_before(tmp_path, before)


def test_a_successful_train_that_takes_away_every_permission(tmp_path: Path) -> None:
    """Root can seal such results; without its rights they are refused and the old ones are back."""
    script = "[p.chmod(0) for p in sorted(results.rglob('*'), reverse=True) if not p.is_symlink()]"
    opt = second_stop(tmp_path, script)
    before = snapshot(tmp_path)

    done = visit(tmp_path)

    if os.geteuid() == 0:
        assert done.status == 0
        assert opened(opt)["a/beside"] == b"plaintext" * 4
        assert {snapshot(opt / "pht_results")[path].mode for path in ("a", "large")} == {0}
    else:
        assert_explained(done, 74, "storage-failed")
        assert_as_before(tmp_path, before)


def test_nothing_of_the_plaintext_is_said(tmp_path: Path) -> None:
    opt = new_train(tmp_path, IMPORTS + "sys.exit(1)")
    (opt / "pht_results" / "secret").write_bytes(b"secret-plaintext")
    reference.published_post_run(opt, "station_1", reference.vector_key("station_1", private=True))
    settle(tmp_path, "station_2")

    done = visit(tmp_path)

    assert done.status == 1
    assert "secret-plaintext" not in done.stderr
    assert not leaked(done.stderr)
    assert done.stdout == b""
