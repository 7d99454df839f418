"""pre-run, post-run and undo, also of a train in a state for another of them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import reference
from tests.reference import STATIONS
from tests.station import (
    RUNS_TRAIN,
    Done,
    assert_explained,
    edit,
    journal,
    leaked,
    new_train,
    opened,
    pht,
    settle,
    snapshot,
    visit,
)

COMMAND = ("sh", "/opt/pht_train/entrypoint.sh")
COMMANDS: dict[str, Callable[[Path], Done]] = {
    "run": lambda root: visit(root, COMMAND),
    "pre-run": lambda root: pht("pre-run", root=root),
    "post-run": lambda root: pht("post-run", root=root),
    "undo": lambda root: pht("undo", root=root),
    "check": lambda root: pht("check", root=root),
    "inspect": lambda root: pht("inspect", root=root),
    "export": lambda root: pht("export", "--output", "-", root=root),
}


@pytest.fixture
def waiting(root: Path) -> Path:
    """The train of `root` after pre-run."""
    assert pht("pre-run", root=root).status == 0
    return root


# --- what a pre-run leaves -----------------------------------------------------------------------


def test_the_unfinished_config_says_so_and_what_to_do(waiting: Path) -> None:
    document = json.loads((waiting / "opt" / "train_config.json").read_bytes())
    assert "start this same container again" in document["pht_unfinished"]
    assert list(document) == ["pht_unfinished", "pht_visit", "pht_mac", "user_he_key"]
    recorded = journal(waiting)
    assert recorded["phase"] == "waiting"
    assert recorded["station"] == "station_3"
    published = (reference.VECTORS / reference.STAGES[2] / "train_config.json").read_text()
    assert recorded["config"] == published


def test_no_published_reader_takes_the_unfinished_config(waiting: Path) -> None:
    with pytest.raises(KeyError):
        reference.verify_definition(reference.load_config(waiting / "opt"), waiting)


def test_plaintext_waits_where_the_work_folder_is_private(waiting: Path) -> None:
    work = waiting / "opt" / "pht_results.pht"
    assert work.stat().st_mode & 0o777 == 0o700
    assert (waiting / "opt" / "pht_results" / "counter").read_bytes() == b"2"


def test_post_run_says_what_run_says(waiting: Path) -> None:
    done = pht("post-run", root=waiting)

    facts = {name: done.facts[name] for name in ("result", "stage", "state", "files")}
    assert facts == {"result": "visited", "stage": "commit", "state": "sealed", "files": "13"}
    assert done.lines[-1] == "pht: step 12: committed stop 3"
    assert not (waiting / "opt" / "pht_results.pht").exists()


def test_undo_brings_back_what_was_changed_by_hand(root: Path) -> None:
    before = snapshot(root)
    assert pht("pre-run", root=root).status == 0
    (root / "opt" / "pht_results" / "counter").write_bytes(b"99")
    (root / "opt" / "pht_results" / "run.sh").unlink()

    done = pht("undo", root=root)

    assert (done.status, done.facts["result"], done.facts["state"]) == (0, "undone", "unchanged")
    assert snapshot(root) == before
    assert pht("pre-run", root=root).status == 0


def test_caches_removed_by_pre_run_are_all_that_undo_does_not_bring_back(root: Path) -> None:
    before = snapshot(root)
    cache = root / "opt" / "pht_train" / "__pycache__" / "x.pyc"
    cache.parent.mkdir()
    cache.touch()

    assert pht("pre-run", root=root).status == 0
    assert pht("undo", root=root).status == 0

    assert snapshot(root) == before


# --- the wrong half ------------------------------------------------------------------------------

WRONG: dict[str, tuple[int, str]] = {
    "run": (76, "wrong-half"),
    "pre-run": (76, "wrong-half"),
    "check": (76, "wrong-half"),
    "inspect": (65, "config-unfinished"),
    "export": (65, "config-unfinished"),
}


@pytest.mark.parametrize("name", WRONG)
def test_while_plaintext_waits(name: str, waiting: Path) -> None:
    before = snapshot(waiting)

    done = COMMANDS[name](waiting)

    assert_explained(done, *WRONG[name])
    assert done.stdout == b""
    assert snapshot(waiting) == before


@pytest.mark.parametrize("name", ["post-run", "undo"])
def test_before_any_pre_run(name: str, root: Path) -> None:
    before = snapshot(root)

    done = COMMANDS[name](root)

    assert_explained(done, 76, "wrong-half")
    assert done.facts["state"] == "unchanged"
    assert snapshot(root) == before


@pytest.mark.parametrize("name", ["post-run", "undo"])
def test_after_the_commit(name: str, waiting: Path) -> None:
    assert pht("post-run", root=waiting).status == 0
    before = snapshot(waiting)

    assert_explained(COMMANDS[name](waiting), 76, "wrong-half")
    assert snapshot(waiting) == before


def test_after_undo(waiting: Path) -> None:
    assert pht("undo", root=waiting).status == 0
    before = snapshot(waiting)

    assert_explained(pht("undo", root=waiting), 76, "wrong-half")
    assert snapshot(waiting) == before


# --- somebody else's visit -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["run", "pre-run", "post-run", "undo", "check"])
def test_another_station_cannot_go_on(name: str, waiting: Path) -> None:
    settle(waiting, "station_1")
    before = snapshot(waiting)

    done = COMMANDS[name](waiting)

    assert_explained(done, 77, "journal-forged")
    assert snapshot(waiting) == before


@pytest.mark.parametrize("name", ["run", "pre-run", "post-run", "undo"])
def test_the_same_key_under_another_id_cannot_go_on(name: str, waiting: Path) -> None:
    settle(waiting, "station_1", reference.vector_key("station_3", private=True))
    before = snapshot(waiting)

    done = COMMANDS[name](waiting)

    assert_explained(done, 78, "journal-of-other-station")
    assert "station_3" in done.lines[0]
    assert snapshot(waiting) == before


def test_planted_plaintext_is_not_signed(root: Path) -> None:
    """A config that is marked as unfinished by somebody else, and plaintext beside it."""
    (root / "opt" / "pht_results" / "counter").write_bytes(b"99")
    config = reference.load_config(root / "opt")
    visit_fields = {"version": 1, "phase": "sealing", "station": "station_3", "key": "00"}
    edit(root / "opt", lambda document: document.clear())
    edit(
        root / "opt",
        lambda document: document.update(
            pht_unfinished="x", pht_visit={**visit_fields, "config": config}, pht_mac="00" * 32
        ),
    )
    before = snapshot(root)

    for name in ("run", "pre-run", "post-run", "undo", "check"):
        assert_explained(COMMANDS[name](root), 77, "journal-forged")
        assert snapshot(root) == before


# --- results that cannot travel ------------------------------------------------------------------


def test_post_run_refuses_what_cannot_travel_and_waits_on(waiting: Path) -> None:
    link = waiting / "opt" / "pht_results" / "x"
    link.symlink_to("/etc/passwd")
    before = snapshot(waiting)

    done = pht("post-run", root=waiting)

    assert_explained(done, 65, "results-unsafe")
    assert done.facts["state"] == "waiting"
    assert snapshot(waiting) == before
    link.unlink()
    assert pht("post-run", root=waiting).status == 0


def test_post_run_seals_what_was_done_by_hand(tmp_path: Path) -> None:
    opt = new_train(tmp_path, "")
    for number, station in enumerate(STATIONS, start=1):
        settle(tmp_path, station)
        assert pht("pre-run", root=tmp_path).status == 0
        with (opt / "pht_results" / "log").open("a") as file:
            file.write(f"{station}\n")
        assert pht("post-run", root=tmp_path).status == 0
        assert len(opened(opt)["log"].splitlines()) == number
    assert opened(opt) == {"log": b"station_1\nstation_2\nstation_3\n"}


def test_post_run_exports_what_it_has_sealed_and_the_others_do_not(
    waiting: Path, tmp_path: Path
) -> None:
    tar = tmp_path / "x.tar"
    for name in ("check", "pre-run"):
        assert pht(name, root=waiting, env={"PHT_EXPORT": str(tar)}).status == 76
        assert not tar.exists()
    assert pht("post-run", root=waiting, env={"PHT_EXPORT": str(tar)}).status == 0
    assert tar.exists()


def test_nothing_secret_is_said_by_the_halves(root: Path) -> None:
    for name in ("check", "pre-run", "post-run", "check", "inspect"):
        done = COMMANDS[name](root)
        assert done.status == 0
        assert not leaked(done.stderr + done.stdout.decode())


@pytest.mark.parametrize("name", ["pre-run", "post-run", "undo", "check", "inspect"])
def test_the_halves_take_no_command(name: str, root: Path) -> None:
    before = snapshot(root)
    done = pht(name, "--", *RUNS_TRAIN, root=root)
    assert (done.status, done.code) == (64, "usage")
    assert snapshot(root) == before


@pytest.mark.parametrize("name", ["check", "pre-run"])
def test_a_refusal_says_what_the_disk_holds(name: str, waiting: Path) -> None:
    assert pht(name, root=waiting).facts["state"] == "waiting"


def test_undo_is_a_stage_of_its_own(waiting: Path) -> None:
    facts = pht("undo", root=waiting).facts
    assert (facts["stage"], facts["state"]) == ("undo", "unchanged")
