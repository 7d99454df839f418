"""Errors of the commands of authors and users: they act themselves, and no station is described."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import reference
from tests.desk import plant
from tests.station import Done, pht

KEYS = reference.VECTORS / "keys"
CREATE = ["create", "train", "--generation", "flat", "--output", "built", "--user", "u"]
CREATE += ["--train-id", "t", "--user-key", str(KEYS / "user.sk.pem")]
STATION = ["--station", f"station_1={KEYS / 'station_1.pk.pem'}"]
SIMULATE = ["simulate", "train", "--data", "data"]
DECRYPT = ["decrypt-results", "opt", "--key", str(KEYS / "user.sk.pem"), "--output"]


def at_desk(folder: Path, *arguments: str) -> Done:
    """Run a command in a folder with a train that nobody has signed, and a sealed one in `opt`."""
    plant(folder, {"train/run.py": "print()", "train/empty": "", "data/s-1/rows.csv": "1"})
    reference.lay_out(2, folder)
    return pht(*arguments, cwd=folder)


Case = tuple[list[str], int, str]
AUTHOR: dict[str, Case] = {
    "an option": (["keygen", "--nonsense"], 64, "usage"),
    "a missing option": (["create", "train"], 64, "usage"),
    "the value of an option": ([*CREATE, "--station", "a"], 64, "usage"),
    "options that contradict": (
        ["keygen", "x", "--no-password", "--password-file", "y"],
        64,
        "options-contradict",
    ),
    "no command": (SIMULATE, 64, "no-command"),
    "no terminal": (["keygen", "x"], 64, "password-needed"),
    "no folder": (
        ["create", "nowhere", *CREATE[2:], *STATION],
        66,
        "train-folder-missing",
    ),
    "no data": (["simulate", "train", "--data", "no", "--", "x"], 66, "station-data-missing"),
    "no parent": ([*CREATE, "--output", "no/built", *STATION], 66, "output-parent-missing"),
    "no password file": (["keygen", "x", "--password-file", "no"], 66, "file-unreadable"),
    "an empty password": (
        ["keygen", "x", "--password-file", "train/empty"],
        78,
        "password-unusable",
    ),
    "no private key": ([*CREATE, "--user-key", "no.pem", *STATION], 66, "file-unreadable"),
    "no public key": ([*CREATE, "--station", "a=no.pem"], 66, "public-key-missing"),
    "a bad public key": ([*CREATE, "--station", "a=train/run.py"], 78, "public-key-unusable"),
    "a bad private key": (
        [*CREATE, "--user-key", str(KEYS / "user.pk.pem"), *STATION],
        78,
        "private-key-unusable",
    ),
    "a command that nobody signed": ([*SIMULATE, "--", "python", "x"], 77, "command-not-signed"),
    "a place that cannot be written": (
        ["keygen", "/proc/x", "--no-password"],
        74,
        "storage-failed",
    ),
}
USER: dict[str, Case] = {
    "an option": ([*DECRYPT, "x", "--nonsense"], 64, "usage"),
    "a place that exists": ([*DECRYPT, "opt"], 64, "output-exists"),
    "a station": ([*DECRYPT, "x", "--station", "y"], 64, "station-not-on-route"),
    "no source": (["decrypt-results", "no", *DECRYPT[2:], "x"], 66, "source-incomplete"),
    "a damaged source": (
        ["decrypt-results", "train/run.py", *DECRYPT[2:], "x"],
        65,
        "archive-malformed",
    ),
    "no key": ([*DECRYPT, "x", "--key", "no.pem"], 66, "file-unreadable"),
    "the key of another": (
        [*DECRYPT, "x", "--key", str(KEYS / "station_1.sk.pem")],
        78,
        "key-of-someone-else",
    ),
    "help with more": (["help", "run"], 64, "usage"),
    "a misspelt command": (["simluate", "train", "--data", "data"], 64, "usage"),
    "an option without a command": (["--nonsense"], 64, "usage"),
}


@pytest.mark.parametrize(("arguments", "status", "code"), AUTHOR.values(), ids=AUTHOR)
def test_an_author_acts_on_mistakes_of_an_author(
    arguments: list[str], status: int, code: str, tmp_path: Path
) -> None:
    done = at_desk(tmp_path, *arguments)
    assert (done.status, done.code, done.facts["by"]) == (status, code, "author"), done.stderr


@pytest.mark.parametrize(("arguments", "status", "code"), USER.values(), ids=USER)
def test_a_user_acts_on_mistakes_of_a_user(
    arguments: list[str], status: int, code: str, tmp_path: Path
) -> None:
    done = at_desk(tmp_path, *arguments)
    assert (done.status, done.code, done.facts["by"]) == (status, code, "user"), done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["check", "--nonsense"], "usage"),
        (["export", "--root", "/nowhere"], "usage"),
        (["export", "--output", "/nowhere/x"], "output-folder-missing"),
        (["inspect", "--root", "/nowhere"], "no-train"),
    ],
)
def test_a_station_acts_on_mistakes_of_a_station(arguments: list[str], code: str) -> None:
    done = pht(*arguments)
    assert (done.code, done.facts["by"]) == (code, "station"), done.stderr
    assert {"network", "trust", "layers"} <= done.facts.keys()


NOT_AT_A_DESK: list[Callable[[Path], Done]] = [
    lambda folder: at_desk(folder, "keygen", "--nonsense"),
    lambda folder: at_desk(folder, *SIMULATE, "--", "python", "x"),
    lambda folder: at_desk(folder, *DECRYPT, "opt"),
    lambda folder: at_desk(folder, "simluate", "train", "--data", "data"),
]


@pytest.mark.parametrize(
    "fail", NOT_AT_A_DESK, ids=["keygen", "simulate", "decrypt-results", "misspelt"]
)
def test_no_station_is_described_at_a_desk(fail: Callable[[Path], Done], tmp_path: Path) -> None:
    assert not {"network", "trust", "layers"} & fail(tmp_path).facts.keys()


def test_as_the_entrypoint_of_a_container_every_command_describes_its_surroundings(
    tmp_path: Path,
) -> None:
    done = pht("--as-entrypoint", "keygen", tmp_path / "x", "--no-password")
    assert {"result": "done", "status": "0"}.items() <= done.facts.items()
    assert {"network", "trust", "layers"} <= done.facts.keys()
