"""`pht doctor` without a container: what its rows say."""

import hashlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from cryptography.hazmat.primitives import serialization

from entrypoint.errors import PhtError
from entrypoint.images.masters import Master, write_masters
from entrypoint.report import Report
from entrypoint.settings.load import load
from entrypoint.station import doctor, machine_rows
from entrypoint.station.row import Row, Verdict
from entrypoint.station.station_rows import ledger_row
from tests import reference
from tests.docs.pages import STATION, rows
from tests.landlocked import need_landlock
from tests.ledger import give_ledger
from tests.other_user import needs_root
from tests.reference import STATIONS
from tests.station import leaked, pht
from tests.unit.examined import LAYERS, open_station, table_of

PEM = reference.vector_key(STATIONS[0], private=True)


@pytest.fixture
def root() -> Iterator[Path]:
    """A station with a key."""
    with open_station() as root:
        yield root


def ask(root: Path, **variables: str) -> dict[str, Row]:
    """Return the rows by their checks, without those for which processes have to be started."""
    with patch.object(doctor, "layer_rows", lambda _: []):
        rows = doctor.examine(root, variables, Report())
    assert not leaked(doctor.text_of(rows) + doctor.json_of(rows))
    return {row.check: row for row in rows}


def encrypted(password: bytes) -> bytes:
    """Return the station's key with a password."""
    key = serialization.load_pem_private_key(PEM, None)
    form = serialization.PrivateFormat.PKCS8
    encryption = serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, form, encryption)


# --- the form ------------------------------------------------------------------------------------


def test_the_page_names_every_check_and_field(root: Path) -> None:
    done = pht("doctor", "--json", root=root)
    found = json.loads(done.stdout)
    heading = "## Is this machine ready?"
    section = STATION.read_text().split(f"{heading}\n", 1)[1].split("\n## ", 1)[0]
    named = ", ".join(row[0] for row in rows(STATION, heading))
    assert ", ".join(f"`{row['check']}`" for row in found["checks"]) == named
    assert list(found) == ["result", "checks"]
    for row in found["checks"]:
        assert list(row) == ["check", "verdict", "found", "advice", "code"]
    for word in ("result", "checks", *found["checks"][0], *Verdict):
        assert f"`{word}`" in section
    assert f"`result={found['result']}`" in section


@needs_root
def test_a_station_with_a_key_is_ready(root: Path) -> None:
    need_landlock(2)
    done = pht("doctor", root=root)
    assert (done.status, done.facts["result"]) == (0, "ready"), done.stdout
    assert done.facts["layers"] == ",".join(LAYERS)
    assert done.lines == []
    lines = done.stdout.decode().splitlines()
    assert lines[0].split() == ["verdict", "check", "found"]
    assert max(map(len, lines)) <= 104
    checks = {line[9:25].strip(): line[:7].strip() for line in lines[2:] if line[:7].strip()}
    assert checks.keys() == table_of(pht("doctor", "--json", root=root)).keys()
    assert {checks[layer] for layer in LAYERS} == {"ok"}


def test_a_failed_row_decides_the_status_and_shows_its_code_and_hint(root: Path) -> None:
    (root / "run/pht/private_key.pem").unlink()
    done = pht("doctor", root=root)
    assert (done.status, done.code) == (78, "private-key-missing")
    text = " ".join(done.stdout.decode().split())
    assert "failed private key no private key of the station is set [private-key-missing]" in text
    assert f"-> put it at {root}/run/pht/private_key.pem" in text


def test_the_log_has_the_form_that_the_station_has_set(root: Path) -> None:
    with (root / "run/pht/station.env").open("a") as file:
        file.write("PHT_LOG=json")
    [line] = pht("doctor", root=root).stderr.splitlines()
    assert json.loads(line)["level"] == "status"


@pytest.mark.parametrize("error", [ValueError("secret"), OSError(5, "Input/output error", "/opt")])
def test_a_check_that_breaks_is_a_row_of_its_own(
    error: Exception, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: str) -> Row:
        raise error

    monkeypatch.setattr(doctor, "network_row", broken)

    found = ask(root)

    code = "bug" if isinstance(error, ValueError) else "storage-failed"
    assert (found["network"].verdict, found["network"].code) == (Verdict.FAILED, code)
    assert "secret" not in doctor.text_of([*found.values()])
    assert found["private key"].verdict is Verdict.OK
    assert found["system"].verdict is Verdict.OK


# --- the key -------------------------------------------------------------------------------------


def fingerprint() -> str:
    """Return the SHA-256 of the public key in DER, without our code."""
    public = reference.vector_key(STATIONS[0])
    convert = ["openssl", "pkey", "-pubin", "-outform", "der"]
    der = subprocess.run(convert, input=public, capture_output=True, check=True).stdout
    return hashlib.sha256(der).hexdigest()


@pytest.mark.parametrize("form", ["PEM", "hex of PEM"])
def test_the_key_is_described(form: str, root: Path) -> None:
    path = root / "run/pht/private_key.pem"
    if form != "PEM":
        path.write_text(PEM.hex())
    row = ask(root)["private key"]
    assert row.verdict == "ok"
    assert row.found == (
        f"{path}: {form}, 2048 bits, without a password, SHA256:{fingerprint()}, "
        f"mode 0600, of uid {os.getuid()}"
    )


@pytest.mark.parametrize(("password", "code"), [("right", None), ("wrong", "private-key-unusable")])
def test_the_password_of_the_key(password: str, code: str | None, root: Path) -> None:
    folder = root / "run/pht"
    (folder / "private_key.pem").write_bytes(encrypted(b"right"))
    (folder / "private_key.password").write_text(password)
    (folder / "private_key.password").chmod(0o600)
    row = ask(root)["private key"]
    assert row.code == code
    assert ("with a password" in row.found) == (code is None)
    assert "right" not in row.found


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (0o640, "its group 4711 may read it too"),
        (0o604, "everybody may read it too"),
        (0o644, "its group 4711 and everybody may read it too"),
    ],
)
@needs_root
def test_who_else_may_read_the_key(mode: int, said: str, root: Path) -> None:
    path = root / "run/pht/private_key.pem"
    path.chmod(mode)
    os.chown(path, 0, 4711)
    row = ask(root)["private key"]
    assert row.verdict == "warning"
    assert row.found.endswith(f"mode {mode:04o}, of uid 0; {said}")
    assert "chmod 600" in row.advice


def test_a_key_in_a_variable_is_warned_of(root: Path) -> None:
    (root / "run/pht/private_key.pem").unlink()
    row = ask(root, RSA_STATION_PRIVATE_KEY=PEM.hex())["private key"]
    assert (row.verdict, row.code) == ("warning", None)
    assert row.found.startswith("RSA_STATION_PRIVATE_KEY: hex of PEM, 2048 bits, ")


def test_a_process_with_the_key_that_is_killed_is_a_row(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr("entrypoint.station.station_rows.load_station_key", killed)
    found = ask(root)
    assert found["private key"].code == "part-killed"
    assert found["system"].verdict is Verdict.OK


# --- settings ------------------------------------------------------------------------------------

SETTINGS = {
    "right ones": ("PHT_TIMEOUT=60\nPHT_LOG=json", {}),
    "an unknown one": ("PHT_NONSENSE=1", {}),
    "a malformed one": ("PHT_TIMEOUT=an hour", {}),
    "quotes": ("PHT_LOG='json'", {}),
    "the key in station.env": (f"RSA_STATION_PRIVATE_KEY={PEM.hex()}", {}),
    "another value outside": ("PHT_TIMEOUT=60", {"PHT_TIMEOUT": "61"}),
    "the same value outside": ("PHT_TIMEOUT=60", {"PHT_TIMEOUT": "60"}),
    "an address": ("", {"PHT_EXPORT": "ftp://user:password@host/x"}),
    "a malformed file": ("export A=1", {}),
    "a name twice": ("A=1\nA=2", {}),
    "an empty one": ("PHT_TIMEOUT=", {}),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_are_judged_as_a_visit_judges_them(name: str, root: Path) -> None:
    text, environment = SETTINGS[name]
    with (root / "run/pht/station.env").open("a") as file:
        file.write(text)
    code = None
    try:
        load(root, environment)
    except PhtError as error:
        code = error.code
    found = ask(root, **environment)
    assert found["settings"].code == code
    assert found["station folder"].verdict == "ok"
    assert found["private key"].verdict == "ok"


def test_everything_that_is_wrong_with_settings_is_told_and_the_rest_counts(root: Path) -> None:
    lines = "\nPHT_NONSENSE=1\nPHT_TIMEOUT=an hour\nTRAIN_DATA_PATH=/nowhere"
    with (root / "run/pht/station.env").open("a") as file:
        file.write(lines)
    found = ask(root)
    assert "PHT_NONSENSE is not a setting" in found["settings"].found
    assert "PHT_TIMEOUT is not a whole number" in found["settings"].found
    assert "PHT_TIMEOUT=3600" in found["settings"].advice
    assert found["data"].code == "data-missing"


def test_without_an_id_the_settings_have_failed(root: Path) -> None:
    (root / "run/pht/station.env").write_text("")
    assert ask(root)["settings"].code == "station-id-missing"


# --- trust ---------------------------------------------------------------------------------------

PIN = f"SHA256:{'0' * 64}"
PINS = f"user a {PIN}\nuser b {PIN}\nuser b SHA256:{'1' * 64}\nbuilder {PIN}\n"


@pytest.mark.parametrize(
    ("text", "setting", "verdict", "said"),
    [
        ("", "report", "not set", "no key is pinned"),
        ("", "require", "warning", "so PHT_TRUST=require refuses every train"),
        (PINS, "report", "ok", "3 user keys, 1 builder key; other keys are accepted and named"),
        (PINS, "require", "ok", "3 user keys, 1 builder key; other keys are refused"),
        ("user a\n?", "report", "failed", "line 1 is none of"),
    ],
)
def test_the_pinned_keys(text: str, setting: str, verdict: str, said: str, root: Path) -> None:
    (root / "run/pht/trust").write_text(text)
    row = ask(root, PHT_TRUST=setting)["trust"]
    assert row.verdict == verdict
    assert said in row.found


# --- master images and ledger ---------------------------------------------------------------------


def test_the_master_images_are_named(root: Path) -> None:
    assert ask(root)["master images"].verdict == "not set"
    masters = [
        Master(name=name, id="sha256:0", layers=("sha256:1",), platform={}, config={})
        for name in ("slim:1", "buster:2")
    ]
    (root / "run/pht/masters.json").write_text(write_masters(masters))
    row = ask(root)["master images"]
    assert (row.verdict, row.found) == ("ok", "2 master images: slim:1, buster:2")


def test_the_ledger_is_described(root: Path) -> None:
    settings = load(root, {})
    assert ledger_row("ledger", settings).verdict is Verdict.NOT_SET
    folder = give_ledger(root)
    row = ledger_row("ledger", settings)
    assert row.verdict is Verdict.OK
    assert row.found.startswith(f"{folder}: 0 trains, mode 0700, of uid {os.getuid()}, ")
    assert [path.name for path in folder.iterdir()] == ["lock"]


# --- data ----------------------------------------------------------------------------------------


def test_data_in_the_fixed_folder_are_found_without_a_setting(root: Path) -> None:
    assert ask(root)["data"].verdict == "not set"
    (root / "opt/train_data").mkdir(parents=True)
    row = ask(root)["data"]
    assert row.verdict == "warning"
    assert f"an empty folder, {root}/opt/train_data" in row.found
    (root / "opt/train_data/rows.csv").touch()
    assert ask(root)["data"].verdict == "ok"


# --- the machine ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "verdict", "said"),
    [
        ("none", "ok", "only the loopback"),
        ("open", "warning", "a train can reach a network"),
        ("unknown", "warning", "does not tell"),
    ],
)
def test_the_network(
    network: str, verdict: str, said: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_rows, "network", lambda: network)
    row = ask(root)["network"]
    assert row.verdict == verdict
    assert said in row.found


@pytest.mark.parametrize(
    ("free", "verdict"), [(2**30, "ok"), (2**30 - 1, "warning"), (0, "warning")]
)
def test_the_disk(free: int, verdict: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_rows, "free_bytes", lambda _: free)
    monkeypatch.setattr(machine_rows, "total_bytes", lambda _: 3 * 2**40)
    row = ask(root)["disk"]
    assert row.verdict == verdict
    assert re.search(rf"^{root}, .* \w+: [0-9]+ \w+ of 3 TiB free$", row.found)
