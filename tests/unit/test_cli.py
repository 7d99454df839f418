"""The program as a whole: how a command ends, its exit status and its streams."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from entrypoint import __version__
from entrypoint.cli import main
from entrypoint.linux.network import network_of
from tests import reference
from tests.station import (
    REPOSITORY,
    RUNS_TRAIN,
    assert_explained,
    new_train,
    opened,
    pht,
    settle,
    snapshot,
)

SECRET = "contents of a result"


def raise_a_bug(*_: object, **__: object) -> None:
    raise RuntimeError(SECRET)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A train of the vectors before its third stop; this process has the station's environment."""
    reference.lay_out(2, tmp_path)
    settle(tmp_path, "station_3")
    for name in [name for name in os.environ if name.startswith("PHT_")]:
        monkeypatch.delenv(name)
    return tmp_path


# --- bugs ----------------------------------------------------------------------------------------


def test_a_bug_is_reported_without_its_message_and_without_a_traceback(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("entrypoint.station.inspect.inspect", raise_a_bug)

    assert main.main(["inspect", "--root", str(root)]) == 70

    out, said = capsys.readouterr()
    error, hint, status = said.splitlines()
    assert error == (
        "pht: error: the runner failed unexpectedly: RuntimeError in test_cli.py, raise_a_bug [bug]"
    )
    assert f"version {__version__}" in hint
    assert " by=runner retry=no " in status
    assert SECRET not in said + out


@pytest.mark.parametrize(
    ("place", "stage"),
    [
        ("entrypoint.visit.opener.verify", "verify"),
        ("entrypoint.recovery.work_folder.WorkFolder.publish", "decrypt"),
    ],
)
def test_a_bug_in_a_visit_puts_the_old_state_back_and_says_where_it_was(
    place: str,
    stage: str,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = snapshot(root)
    monkeypatch.setattr(place, raise_a_bug)

    assert main.main(["pre-run", "--root", str(root)]) == 70

    status = capsys.readouterr().err.splitlines()[-1]
    assert f" stage={stage} " in status
    assert " state=unchanged " in status
    assert snapshot(root) == before


def test_a_bug_once_the_train_has_succeeded_leaves_its_results(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["pre-run", "--root", str(root)]) == 0
    with monkeypatch.context() as broken:
        broken.setattr("entrypoint.visit.station_key.sign_pss", raise_a_bug)
        assert main.main(["post-run", "--root", str(root)]) == 70
    status = capsys.readouterr().err.splitlines()[-1]
    assert " stage=seal " in status
    assert " state=unfinished " in status

    assert main.main(["post-run", "--root", str(root)]) == 0
    key = reference.vector_key("user", private=True)
    assert reference.decrypt_results(root / "opt", key)


def test_a_failed_system_call_is_reported_as_such(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error", "/opt/some-file")

    monkeypatch.setattr("entrypoint.station.inspect.inspect", broken)

    assert main.main(["inspect", "--root", str(root)]) == 74

    said = capsys.readouterr().err.splitlines()
    assert said[0] == "pht: error: input/output error: /opt/some-file [storage-failed]"
    assert " retry=yes " in said[-1]


def test_an_interrupted_command_is_quiet(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("entrypoint.station.inspect.inspect", interrupted)

    assert main.main(["inspect", "--root", str(root)]) == 130
    assert capsys.readouterr() == ("", "")


AT_THE_DESK = {
    "new": ["NAME"],
    "keygen": ["NAME"],
    "create": ["TRAIN", "--output=O", "--user-key=K", "--user=U", "--train-id=T", "--station=S=K"],
    "build": [
        *("TRAIN", "--repository=R", "--master-image=M", "--user-key=K", "--user=U"),
        *("--train-id=T", "--station=S=K", "--", "COMMAND"),
    ],
    "simulate": ["TRAIN", "--data", "DATA", "--", "COMMAND"],
    "decrypt-results": ["SOURCE", "--key", "KEY", "--output", "OUTPUT"],
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("name", AT_THE_DESK)
def test_signals_that_end_a_program_interrupt_every_command_of_a_desk(
    name: str, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_interrupted(*_: object, **__: object) -> None:
        signal.raise_signal(number)

    module = name.replace("-", "_")
    monkeypatch.setattr(f"entrypoint.author.{module}.{module}", be_interrupted)
    before = signal.signal(number, lambda *_: None)  # else, taken by nobody, it ends the tester
    try:
        assert main.main([name, *AT_THE_DESK[name]]) == 130
    finally:
        signal.signal(number, before)


# --- the program ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--nonsense"], "usage"),
        (["check", "--nonsense"], "usage"),
        (["run"], "no-command"),
    ],
)
def test_what_cannot_be_understood(arguments: list[str], code: str) -> None:
    done = pht(*arguments)
    assert_explained(done, 64, code)
    assert done.stdout == b""


def test_alone_at_a_desk_it_shows_the_help() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "entrypoint"],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == pht("help").stdout


def test_help_and_version() -> None:
    assert pht("--version") == (0, f"pht {__version__}\n".encode(), "")
    shown = pht("help")
    assert (shown.status, shown.stderr) == (0, "")
    assert shown.stdout == pht("--help").stdout
    assert b"decrypt-results" in shown.stdout


def test_the_order_of_the_status_line(root: Path) -> None:
    (root / "opt" / "train_config.json").write_text("{}")
    line = pht("check", root=root).stderr.splitlines()[-1]
    names = [word.split("=")[0] for word in line.removeprefix("pht: ").split()]
    assert names == [
        *("result", "status", "code", "stage", "by", "retry", "state"),
        *("network", "trust", "replay", "layers", "runner"),
    ]


def test_the_status_line_claims_no_protection_that_is_not_there(root: Path) -> None:
    facts = pht("check", root=root).facts
    assert (facts["trust"], facts["layers"]) == ("none", "none")
    up = {
        path.name
        for path in Path("/sys/class/net").iterdir()
        if int((path / "flags").read_text(), 16) & 1
    }
    assert facts["network"] == ("open" if up - {"lo"} else "none")


@pytest.mark.parametrize(
    ("names", "network"),
    [(["lo"], "none"), (["lo", "no-such-0"], "open"), (["no-such-0"], "open"), ([], "unknown")],
)
def test_a_device_without_readable_flags_counts_as_a_network(
    names: list[str], network: str
) -> None:
    head = b"Inter-|   Receive  |  Transmit\n face |bytes    packets\n"
    lines = [b"%6s: 2776770   11307\n" % name.encode() for name in names]
    assert network_of(head + b"".join(lines)) == network


def isolated(folder: Path, *arguments: str, **variables: str) -> tuple[int, bytes, bytes]:
    """Start the program in `folder` as images do: by its file, without the interpreter's packages.

    Returns:
        The exit status and both outputs.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", REPOSITORY / "entrypoint" / "__main__.py", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_program_starts_without_any_package(tmp_path: Path) -> None:
    assert isolated(tmp_path, "--version") == (0, f"pht {__version__}\n".encode(), b"")


@pytest.mark.parametrize("module", ["json", "argparse", "entrypoint", "cryptography", "errors"])
def test_nothing_is_imported_from_the_working_directory(module: str, tmp_path: Path) -> None:
    (tmp_path / f"{module}.py").write_text("raise SystemExit('imported')")
    status, _, said = isolated(tmp_path, "help", PYTHONPATH=str(tmp_path))
    assert (status, said) == (0, b"")


def test_json_is_spoken_from_the_first_line_on() -> None:
    done = pht("nonsense", "--", env={"PHT_LOG": "json"})
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines[-1]["level"] == "status"


# --- stdout --------------------------------------------------------------------------------------


def test_a_reader_who_has_seen_enough_is_no_failure() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    arguments = [sys.executable, "-m", "entrypoint", "help"]
    done = subprocess.run(arguments, cwd=REPOSITORY, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["help"], 0),
        (["inspect", "--root", "ROOT"], 0),
        (["keygen", "ROOT/key", "--no-password"], 0),
        (["query", "--root", "ROOT"], 74),
        (["export", "--root", "ROOT", "--output", "-"], 74),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_with_stdout_closed_only_data_would_be_missed(
    arguments: list[str], status: int, root: Path
) -> None:
    words = [word.replace("ROOT", str(root)) for word in arguments]
    done = closed(1, *words)
    assert done.returncode == status, done.stderr
    assert ("[stdout-closed]" in done.stderr) == (status == 74)


@pytest.mark.parametrize("descriptor", [0, 1, 2])
def test_a_closed_stream_is_no_place_for_a_file(descriptor: int, tmp_path: Path) -> None:
    """Else what the train writes there goes into whatever the runner has opened since."""
    link = f"os.readlink('/proc/self/fd/{descriptor}')"
    new_train(tmp_path, f"import os; open(os.environ['PHT_RESULTS_DIR'] + '/x', 'w').write({link})")
    settle(tmp_path, "station_1")
    done = closed(descriptor, "run", "--root", str(tmp_path), "--", *RUNS_TRAIN)
    assert done.returncode == 0, done.stderr
    assert opened(tmp_path / "opt") == {"x": b"/dev/null"}


def test_without_stdin_there_is_no_terminal_to_ask_on(tmp_path: Path) -> None:
    done = closed(0, "keygen", str(tmp_path / "key"))
    assert done.returncode == 64
    assert "[password-needed]" in done.stderr


def closed(descriptor: int, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the program with one of the standard streams closed."""
    shell = ["sh", "-c", f'exec "$@" {descriptor}>&-', "sh"]
    return subprocess.run(
        [*shell, sys.executable, "-m", "entrypoint", *arguments],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("arguments", [["query"], ["export", "--output", "-"]], ids=" ".join)
def test_a_reader_who_leaves_misses_data(arguments: list[str], root: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "entrypoint", *arguments, "--root", str(root)]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert done.returncode == 74
    assert b"[reader-gone]" in done.stderr


@pytest.mark.parametrize("arguments", [["inspect"], ["export", "--output", "-"]], ids=" ".join)
def test_a_full_stdout_is_told_and_keeps_its_status(arguments: list[str], root: Path) -> None:
    command = [sys.executable, "-m", "entrypoint", *arguments, "--root", str(root)]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, cwd=REPOSITORY, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 74
    assert done.stderr.splitlines()[-1].startswith(b"pht: result=refused status=74 ")
