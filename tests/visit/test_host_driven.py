"""Trains that the host has opened and will seal: only the command runs here."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import reference
from tests.station import (
    RUNS_TRAIN,
    Done,
    assert_explained,
    edit,
    finish,
    is_read,
    new_train,
    pht,
    settle,
    snapshot,
    start,
    visit,
    wait_until,
)
from tests.unprotected import UNPROTECTED

SAID_SO = {"PHT_HOST_PROTOCOL": "1"}
SCRIPT = """
import os, pathlib, sys, time
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
old = results / "old"
(results / "new").write_text((old.read_text() if old.exists() else "no old") + " and new")
print("ran", flush=True)
"""
ENDS = {"fails": "sys.exit(3)", "waits": "time.sleep(60)"}


def first_stop(root: Path, end: str = "") -> Path:
    return new_train(root, SCRIPT + end)


def after_first_stop(root: Path, end: str = "", *, results: bool = True) -> Path:
    """Build a train as it comes from its first stop."""
    opt = first_stop(root, end)
    if results:
        (opt / "pht_results" / "old").write_text("old")
    key = reference.vector_key("station_1", private=True)
    reference.published_post_run(opt, "station_1", key)
    return opt


def opened_by_host(root: Path, end: str = "") -> Path:
    """Like `after_first_stop`, after a host has decrypted the results."""
    opt = after_first_stop(root, end)
    (opt / "pht_results" / "old").write_text("old")
    return opt


def opened_by_1_0_0(root: Path) -> Path:
    """Like `opened_by_host`, by release 1.0.0: with the configuration before the first stop."""
    opt = first_stop(root)
    (opt / "pht_results" / "old").write_text("old")
    return opt


def assert_hosted(done: Done) -> None:
    assert (done.status, done.stdout) == (0, b"ran\n"), done.stderr
    assert (done.facts["result"], done.facts["state"]) == ("hosted", "unsealed")
    warnings = [line for line in done.lines if line.startswith("pht: warning: ")]
    assert "nothing is sealed" in warnings[0]
    assert "the host has to seal" in warnings[-1]


# --- what runs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lay_out", "env", "new"),
    [
        (first_stop, SAID_SO, "no old and new"),
        (opened_by_host, SAID_SO, "old and new"),
        (opened_by_1_0_0, SAID_SO, "old and new"),
        (opened_by_host, {}, "old and new"),
        (opened_by_host, {"PHT_HOST_PROTOCOL": "auto"}, "old and new"),
    ],
    ids=["first stop", "opened", "opened by 1.0.0", "proven", "left to the proof"],
)
def test_only_the_command_runs(
    lay_out: Callable[[Path], Path], env: dict[str, str], new: str, tmp_path: Path
) -> None:
    opt = lay_out(tmp_path)
    before = snapshot(opt)

    assert_hosted(visit(tmp_path, env=env))

    after = snapshot(opt)
    assert after.pop("pht_results/new").content == new.encode()
    assert after == before


def test_a_planted_cache_is_gone_before_the_command_runs(tmp_path: Path) -> None:
    opt = new_train(tmp_path, "import os; print(os.listdir(os.environ['PHT_TRAIN_DIR']))")
    cache = opt / "pht_train" / "__pycache__" / "helper.cpython-311.pyc"
    cache.parent.mkdir()
    cache.write_bytes(b"planted")

    done = visit(tmp_path, env=SAID_SO)

    assert done.stdout == b"['train.py']\n"
    assert not cache.exists()


def test_what_the_train_leaves_beside_its_files_does_not_travel(tmp_path: Path) -> None:
    opt = first_stop(tmp_path, "(pathlib.Path(os.environ['PHT_TRAIN_DIR']) / 'left').touch()")

    assert_hosted(visit(tmp_path, env=SAID_SO))

    assert list((opt / "pht_train").iterdir()) == [opt / "pht_train" / "train.py"]


def test_a_train_that_changes_its_own_signed_files_has_failed(tmp_path: Path) -> None:
    first_stop(tmp_path, "open(__file__, 'a').write('# changed')")

    done = visit(tmp_path, env=SAID_SO)

    assert_explained(done, 65, "train-changed-itself")
    assert done.facts["state"] == "unsealed"


@pytest.mark.parametrize(
    "change",
    [
        "config.write_text(config.read_text().replace('station_2', 'station_3'))",
        "config.unlink()",
        "config.rename(results / 'moved'); config.symlink_to(results / 'moved')",
    ],
)
def test_a_train_that_changes_its_configuration_has_failed(change: str, tmp_path: Path) -> None:
    first_stop(tmp_path, f"config = results.parent / 'train_config.json'; {change}")

    done = visit(tmp_path, env=SAID_SO, under=UNPROTECTED)

    assert_explained(done, 65, "train-changed-itself")
    assert done.facts["state"] == "unsealed"


# --- how it ends ---------------------------------------------------------------------------------


def test_a_train_that_fails(tmp_path: Path) -> None:
    first_stop(tmp_path, ENDS["fails"])

    done = visit(tmp_path, env=SAID_SO)

    assert done.status == 3
    assert (done.facts["result"], done.facts["state"]) == ("train-failed", "unsealed")


def test_a_train_that_runs_too_long(tmp_path: Path) -> None:
    first_stop(tmp_path, ENDS["waits"])

    done = visit(tmp_path, env={**SAID_SO, "PHT_TIMEOUT": "1"})

    assert (done.status, done.facts["reason"]) == (124, "timed-out")


def test_a_train_that_is_stopped(tmp_path: Path) -> None:
    first_stop(tmp_path, ENDS["waits"])
    process = start("run", "--", *RUNS_TRAIN, root=tmp_path, env=SAID_SO)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ran\n"

    process.send_signal(signal.SIGTERM)
    done = finish(process)

    assert (done.status, done.facts["result"], done.facts["state"]) == (143, "stopped", "unsealed")


@pytest.mark.parametrize("env", [SAID_SO, {}], ids=["said so", "left to the proof"])
def test_a_stop_while_the_train_is_verified(env: dict[str, str], tmp_path: Path) -> None:
    large = new_train(tmp_path, "", {"large": bytes(100_000_000)}) / "pht_train" / "large"
    process = start("run", "--", *RUNS_TRAIN, root=tmp_path, env=env)
    wait_until(lambda: is_read(large, process.pid))

    process.send_signal(signal.SIGTERM)
    done = finish(process)

    assert (done.status, done.facts["result"], done.facts["stage"]) == (143, "stopped", "verify")
    assert done.facts["state"] == "unchanged"


# --- what is refused -----------------------------------------------------------------------------


def change_train(opt: Path) -> None:
    with (opt / "pht_train" / "train.py").open("a") as file:
        file.write("# changed")


@pytest.mark.parametrize(
    "lay_out",
    [
        first_stop,
        opened_by_1_0_0,
        after_first_stop,
        lambda root: after_first_stop(root, results=False),
        lambda root: change_train(opened_by_host(root)),
        lambda root: edit(
            opened_by_host(root), lambda config: config.update(e_h_sig=config["e_d_sig"])
        ),
    ],
    ids=["first stop", "1.0.0", "sealed", "no results", "another train", "forged"],
)
def test_without_proof_and_variable_a_visit_of_our_own_is_meant(
    lay_out: Callable[[Path], object], tmp_path: Path
) -> None:
    lay_out(tmp_path)
    before = snapshot(tmp_path)

    done = visit(tmp_path)

    assert_explained(done, 78, "station-id-missing")
    assert "PHT_HOST_PROTOCOL=1" in done.stderr
    assert snapshot(tmp_path) == before


def test_a_station_can_rule_it_out(tmp_path: Path) -> None:
    opened_by_host(tmp_path)

    done = visit(tmp_path, env={"PHT_HOST_PROTOCOL": "0"})

    assert_explained(done, 78, "station-id-missing")


@pytest.mark.parametrize("name", ["key.pem", "private_key.password"])
def test_a_station_folder_with_more_than_settings_means_a_visit_of_our_own(
    name: str, tmp_path: Path
) -> None:
    opened_by_host(tmp_path)
    (tmp_path / "run/pht").mkdir(parents=True)
    (tmp_path / "run/pht" / name).write_text("of this station")

    assert_explained(visit(tmp_path), 78, "station-id-missing")
    done = visit(tmp_path, env=SAID_SO)
    assert_explained(done, 78, "host-driven-contradicted")
    assert name in done.stderr


@pytest.mark.parametrize("env", [SAID_SO, {}], ids=["said so", "proven"])
def test_a_run_without_protocol_cannot_export(env: dict[str, str], tmp_path: Path) -> None:
    opened_by_host(tmp_path)

    done = visit(tmp_path, env={**env, "PHT_EXPORT": str(tmp_path / "train.tar")})

    assert_explained(done, 78, "host-driven-contradicted")
    assert "PHT_EXPORT" in done.stderr


def test_an_id_or_a_key_in_sight_contradicts_the_variable(tmp_path: Path) -> None:
    opt = opened_by_host(tmp_path)
    pem = tmp_path / "elsewhere.pem"
    pem.write_bytes(reference.vector_key("station_2", private=True))
    usual = tmp_path / "run" / "secrets" / "rsa_station_private_key"
    before = snapshot(opt)

    def assert_contradicted(source: str, **variables: str) -> None:
        done = visit(tmp_path, env={**SAID_SO, **variables})
        assert_explained(done, 78, "host-driven-contradicted")
        assert source in done.stderr
        assert snapshot(opt) == before

    assert_contradicted("STATION_ID", STATION_ID="station_2")
    assert_contradicted("RSA_STATON_PRIVATE_KEY", RSA_STATON_PRIVATE_KEY=pem.read_bytes().hex())
    assert_contradicted("PRIVATE_KEY_PATH", PRIVATE_KEY_PATH=str(pem))
    usual.parent.mkdir(parents=True)
    pem.rename(usual)
    assert_contradicted(str(usual))
    usual.unlink()
    settle(tmp_path, "station_2", PHT_HOST_PROTOCOL="1")
    assert_contradicted("private_key.pem")


@pytest.mark.parametrize(
    ("lay_out", "status", "code"),
    [
        (after_first_stop, 77, "results-not-opened"),
        (lambda root: change_train(first_stop(root)), 77, "definition-changed"),
        (lambda root: (first_stop(root) / "train_config.json").unlink(), 66, "no-train"),
    ],
    ids=["results still sealed", "another train", "no train"],
)
def test_what_nobody_should_run_is_refused(
    lay_out: Callable[[Path], object], status: int, code: str, tmp_path: Path
) -> None:
    lay_out(tmp_path)
    before = snapshot(tmp_path)

    assert_explained(visit(tmp_path, env=SAID_SO), status, code)

    assert snapshot(tmp_path) == before


def test_a_command_that_runs_no_signed_file_is_refused(tmp_path: Path) -> None:
    first_stop(tmp_path)

    assert_explained(visit(tmp_path, ["sh", "-c", "true"], env=SAID_SO), 77, "command-not-signed")


def test_a_train_in_the_middle_of_a_visit_of_our_own_is_refused(tmp_path: Path) -> None:
    after_first_stop(tmp_path)
    settle(tmp_path, "station_2")
    assert pht("pre-run", root=tmp_path).status == 0
    (tmp_path / "run" / "pht").rename(tmp_path / "away")

    assert_explained(visit(tmp_path, env=SAID_SO), 65, "config-unfinished")
    assert_explained(visit(tmp_path), 78, "station-id-missing")


# --- data that the train cannot read -------------------------------------------------------------


@pytest.mark.parametrize("host", [True, False], ids=["host-driven", "a visit of our own"])
def test_data_that_are_not_there_are_refused_before_anything_is_opened(
    host: bool, tmp_path: Path
) -> None:
    opt = opened_by_host(tmp_path) if host else after_first_stop(tmp_path)
    if not host:
        settle(tmp_path, "station_2")
    before = snapshot(opt)

    for named in (str(tmp_path / "data.csv"), ""):
        done = visit(tmp_path, env={"TRAIN_DATA_PATH": named})

        assert_explained(done, 66, "data-missing")
        assert done.facts["state"] == "unchanged"
        assert snapshot(opt) == before


@pytest.mark.parametrize("held", [[], ["rows.csv"]], ids=["empty", "filled"])
def test_an_empty_folder_of_data_is_told_and_not_refused(held: list[str], tmp_path: Path) -> None:
    after_first_stop(tmp_path)
    settle(tmp_path, "station_2")
    data = tmp_path / "data"
    data.mkdir()
    for name in held:
        (data / name).touch()

    done = visit(tmp_path, env={"TRAIN_DATA_PATH": str(data)})

    assert done.status == 0
    warning = f"pht: warning: TRAIN_DATA_PATH leads to an empty folder, {data}: "
    assert (warning in done.stderr) is not bool(held)
