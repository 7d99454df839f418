"""Wrong settings of a station are named before anything is read or done."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests import reference
from tests.station import (
    REPOSITORY,
    RUNS_TRAIN,
    Done,
    assert_explained,
    finish,
    leaked,
    new_train,
    pht,
    settle,
    snapshot,
    start,
    visit,
)

PEM = reference.vector_key("station_1", private=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A train before its first stop, and a station without any settings."""
    new_train(tmp_path, "import sys; sys.stdout.write('by the train')")
    return tmp_path


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "no id": ({"RSA_STATION_PRIVATE_KEY": PEM.hex()}, "station-id-missing"),
    "no key": ({"STATION_ID": "station_1"}, "private-key-missing"),
    "a broken key": (
        {"STATION_ID": "station_1", "RSA_STATION_PRIVATE_KEY": PEM.hex()[:-200]},
        "private-key-unusable",
    ),
    "the key of another station": (
        {
            "STATION_ID": "station_1",
            "RSA_STATION_PRIVATE_KEY": reference.vector_key("user", private=True).hex(),
        },
        "own-key-mismatch",
    ),
    "two keys": (
        {
            "STATION_ID": "station_1",
            "RSA_STATION_PRIVATE_KEY": PEM.hex(),
            "RSA_STATON_PRIVATE_KEY": PEM.hex(),
        },
        "setting-twice",
    ),
    "a misspelt setting": ({"PHT_TIME_OUT": "5"}, "setting-unknown"),
    "a setting of another version": ({"PHT_NETWORK": "allow"}, "setting-not-built"),
    "a malformed setting": ({"PHT_TIMEOUT": "5s"}, "setting-malformed"),
}


@pytest.mark.parametrize(("variables", "code"), WRONG.values(), ids=WRONG.keys())
def test_every_command_of_a_visit_refuses(variables: dict[str, str], code: str, root: Path) -> None:
    before = snapshot(root)

    for done in (visit(root, env=variables), pht("check", root=root, env=variables)):
        assert_explained(done, 78, code)
        assert done.facts["state"] == "unchanged"
        assert done.stdout == b""
        assert snapshot(root) == before


def test_the_environment_alone_is_enough(root: Path) -> None:
    environment = {"STATION_ID": "station_1", "RSA_STATON_PRIVATE_KEY": PEM.hex()}

    done = visit(root, env=environment)

    assert (done.status, done.stdout) == (0, b"by the train")


def test_an_encrypted_key_with_its_password_beside_it(root: Path) -> None:
    key = serialization.load_pem_private_key(PEM, None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password-of-the-station"),
    )
    settle(root, "station_1", encrypted)
    done = visit(root)
    assert_explained(done, 78, "private-key-unusable")
    (root / "run" / "pht" / "private_key.password").write_text("password-of-the-station\n")

    done = visit(root)

    assert done.status == 0
    assert "password-of-the-station" not in done.stderr


def test_any_command_may_be_allowed_by_the_operators_environment(root: Path) -> None:
    settle(root, "station_1")
    command = ["sh", "-c", "echo from the shell"]

    assert_explained(visit(root, command), 77, "command-not-signed")
    done = visit(root, command, env={"PHT_COMMAND": "any"})

    assert (done.status, done.stdout) == (0, b"from the shell\n")


# --- lines for machines --------------------------------------------------------------------------


def lines(done: Done) -> list[dict[str, object]]:
    """Return all lines but the warning about folders of a test that only root may enter."""
    said = [json.loads(line) for line in done.stderr.splitlines() if line]
    return [line for line in said if "DAC_OVERRIDE" not in line.get("message", "")]


@pytest.mark.parametrize("where", ["environment", "station.env"])
def test_every_line_is_a_json_object(where: str, root: Path) -> None:
    settle(root, "station_1", None, **({"PHT_LOG": "json"} if where == "station.env" else {}))

    done = visit(root, env={"PHT_LOG": "json"} if where == "environment" else {})

    said = lines(done)
    levels = ["info"] * 8 + ["warning", "info", "status"]  # of a train without results
    assert [line["level"] for line in said] == levels
    status = said[-1]
    assert (status["result"], status["status"], status["files"]) == ("visited", 0, 0)
    assert done.stdout == b"by the train"


def test_a_refusal_is_one_json_object(root: Path) -> None:
    settle(root, "station_1", PHT_LOG="json")
    config = root / "opt" / "train_config.json"
    config.write_text("{}")

    done = visit(root)

    error, status = lines(done)
    assert (error["level"], error["code"]) == ("error", "config-malformed")
    assert isinstance(error["problems"], list)
    assert "user_id is missing" in error["problems"]
    assert error["hint"]
    assert (status["level"], status["status"], status["code"]) == ("status", 65, "config-malformed")


def test_a_refusal_before_the_settings_are_read_is_json_too(root: Path) -> None:
    for arguments in (["nonsense", "--x"], ["check", "--nonsense"], ["--nonsense"]):
        done = pht(*arguments, env={"PHT_LOG": "json", "PHT_UNKNOWN": "1"}, root=root)
        assert [line["level"] for line in lines(done)][-1] == "status"


def test_a_warning_is_a_json_object_and_says_what_the_train_has_chosen(tmp_path: Path) -> None:
    script = "import os; os.chdir(os.environ['PHT_RESULTS_DIR']); os.symlink('a', 'x\\n{\\udcff}')"
    new_train(tmp_path, script)
    settle(tmp_path, "station_1", PHT_LOG="json")

    done = visit(tmp_path)

    assert done.status == 0
    warnings = [line["message"] for line in lines(done) if line["level"] == "warning"]
    assert "the link x\n{\udcff} is not covered by any signature" in warnings


# --- where the log cannot go ---------------------------------------------------------------------


def test_a_reader_of_the_log_that_has_gone_does_not_fail_a_visit(root: Path) -> None:
    settle(root, "station_1")
    process = start("run", "--", *RUNS_TRAIN, root=root)
    assert process.stderr is not None
    process.stderr.close()

    assert finish(process).status == 0
    assert reference.verify_chain(reference.load_config(root / "opt")) == ["station_1"]


def test_a_closed_stderr_does_not_fail_a_visit(root: Path) -> None:
    settle(root, "station_1")
    runner = f"{sys.executable} -m entrypoint run --root {root} -- {' '.join(RUNS_TRAIN)} 2>&-"

    done = subprocess.run(
        ["sh", "-c", runner],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, b"by the train")
    assert reference.verify_chain(reference.load_config(root / "opt")) == ["station_1"]


def test_nothing_of_the_key_is_said(root: Path) -> None:
    environment = {"STATION_ID": "station_1", "RSA_STATION_PRIVATE_KEY": PEM.hex()}
    for command in (["check"], ["pre-run"], ["post-run"], ["inspect"]):
        done = pht(*command, root=root, env=environment)
        assert done.status == 0
        assert not leaked(done.stderr + done.stdout.decode())
