"""The arguments of the command line, and where the train's command begins."""

from pathlib import Path
from typing import Any

import pytest

from entrypoint import __version__
from entrypoint.cli.commands import COMMANDS, resolve
from entrypoint.cli.options import help_text, parse
from entrypoint.errors import UsageError

ROOT = Path("/somewhere")


def values_of(*arguments: str, at_desk: bool = False) -> dict[str, Any]:
    command, words = resolve(arguments, at_desk=at_desk)
    parsed = vars(parse(words, COMMANDS))
    assert parsed["name"] == command.name
    return parsed


def refused(code: str, *arguments: str, at_desk: bool = False) -> UsageError:
    with pytest.raises(UsageError) as caught:
        values_of(*arguments, at_desk=at_desk)
    assert caught.value.code == code
    assert caught.value.hint
    return caught.value


# --- a visit -------------------------------------------------------------------------------------

VISITS: list[tuple[list[str], Path | None, list[str]]] = [
    (["python", "x.py"], None, ["python", "x.py"]),
    (["python", "x.py", "--root", "/a"], None, ["python", "x.py", "--root", "/a"]),
    (["python", "--", "x.py", "--"], None, ["python", "--", "x.py", "--"]),
    (["/opt/pht_train/run"], None, ["/opt/pht_train/run"]),
    ([""], None, [""]),
    (["running"], None, ["running"]),
    (["run", "python", "x.py"], None, ["python", "x.py"]),
    (["run", "--", "python", "-u", "x.py"], None, ["python", "-u", "x.py"]),
    (["run", "--", "run", "--root", "/a", "--", "b"], None, ["run", "--root", "/a", "--", "b"]),
    (["run", "--root", str(ROOT), "--", "python"], ROOT, ["python"]),
    (["run", f"--root={ROOT}", "--", "python"], ROOT, ["python"]),
    (["run", "--root", str(ROOT), "python", "x"], ROOT, ["python", "x"]),
    (["run"], None, []),
    (["run", "--"], None, []),
]


@pytest.mark.parametrize(("arguments", "root", "command"), VISITS)
def test_a_whole_visit(arguments: list[str], root: Path | None, command: list[str]) -> None:
    assert values_of(*arguments) == {"name": "run", "root": root, "command": command}


@pytest.mark.parametrize("name", ["pre-run", "post-run", "undo", "check"])
def test_the_halves(name: str) -> None:
    assert values_of(name) == {"name": name, "root": None}
    assert values_of(name, "--root", str(ROOT)) == {"name": name, "root": ROOT}


def test_looking_at_a_train() -> None:
    assert values_of("inspect") == {
        "name": "inspect",
        "root": None,
        "image": None,
        "json": False,
        "trust_lines": False,
    }
    assert values_of("inspect", "--json", "--root", str(ROOT))["json"]
    assert values_of("export", "--output", "-")["output"] == Path("-")
    assert values_of("export", "--root", str(ROOT), "--output", "x.tar") == {
        "name": "export",
        "root": ROOT,
        "output": Path("x.tar"),
    }


def test_the_ledger() -> None:
    assert values_of("ledger", "--json") == {
        "name": "ledger",
        "root": None,
        "json": True,
        "forget": [],
    }
    twice = values_of("ledger", "--root", str(ROOT), "--forget", "a", "--forget", "b")
    assert (twice["root"], twice["forget"]) == (ROOT, ["a", "b"])


# --- the author's desk ---------------------------------------------------------------------------


def test_making_keys() -> None:
    assert values_of("keygen", "user") == {
        "name": "keygen",
        "key_name": Path("user"),
        "bits": 3072,
        "password_file": None,
        "no_password": False,
        "paillier": False,
    }
    assert values_of("keygen", "user", "--bits", "4096", "--no-password")["bits"] == 4096


CREATE = ["create", "train", "--output", "built", "--user-key", "k", "--user", "u"]
CREATE += ["--train-id", "t"]


def test_building_a_train() -> None:
    parsed = values_of(*CREATE, "--station", "b=keys/b.pem", "--station", "a=x=y.pem")
    assert parsed["stations"] == [("b", Path("keys/b.pem")), ("a", Path("x=y.pem"))]


@pytest.mark.parametrize("station", ["a", "a=", "=b.pem", "="])
def test_a_station_without_id_or_key(station: str) -> None:
    refused("usage", *CREATE, "--station", station)


def test_a_route_on_the_desk() -> None:
    parsed = values_of("simulate", "train", "--data", "d", "--route", "b,a", "--", "python", "--x")
    assert (parsed["route"], parsed["command"]) == (["b", "a"], ["python", "--x"])
    refused("usage", "simulate", "train", "--data", "d", "--route", "a,,b", "--", "python")


# --- what makes no sense -------------------------------------------------------------------------

WRONG = [
    ["run", "--nonsense", "--", "python"],
    ["run", "--roo", "/a", "--", "python"],
    ["run", "--root"],
    ["run", "-u", "python"],
    ["check", "more"],
    ["check", "--", "python"],
    ["check", "--json"],
    ["inspect", "--output", "x"],
    ["export"],
    ["keygen"],
    ["keygen", "a", "--bits", "many"],
    ["create", "train", "--output", "built", "--generation", "old"],
    ["decrypt-results", "x"],
    ["help", "run"],
    ["--root", "/a", "run"],
    ["-v"],
    ["--"],
    ["--", "python"],
    ["-c", "import os"],
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_what_makes_no_sense(arguments: list[str]) -> None:
    refused("usage", *arguments)


@pytest.mark.parametrize(
    ("word", "meant"), [("simluate", "simulate"), ("chek", "check"), ("decrypt-result", "decrypt-")]
)
def test_a_misspelt_command_is_not_taken_for_the_trains_at_a_desk(word: str, meant: str) -> None:
    error = refused("usage", word, "train", at_desk=True)
    assert error.message == f"{word} is no command"
    assert f"did you mean {meant}" in error.hint
    assert values_of(word, "train")["command"] == [word, "train"]


@pytest.mark.parametrize("word", ["python", "Rscript", "sh", "run.sh", "/opt/pht_train/chek"])
def test_a_word_unlike_all_commands_begins_the_trains(word: str) -> None:
    assert values_of(word, at_desk=True)["command"] == [word]


def test_an_image_without_command() -> None:
    assert refused("no-command").by == "author"


# --- help ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["help", "--help", "-h"])
def test_help(word: str) -> None:
    assert values_of(word) == {"name": "help"}


def test_the_help_shows_every_command_once_with_its_summary() -> None:
    rows = [line.split(maxsplit=1) for line in help_text(COMMANDS).splitlines() if line[:2] == "  "]
    assert rows == [[command.name, command.summary] for command in COMMANDS.values()]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_of_its_own(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([command, "--help"], COMMANDS)
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: pht {command}")


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--version"], COMMANDS)
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"pht {__version__}\n"
