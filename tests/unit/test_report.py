"""The log: no text that a train has chosen can fake a line, and machines can read it."""

import io
import json
import shlex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entrypoint.errors import MalformedTrain, StorageError
from entrypoint.report import (
    Outcome,
    Report,
    Stage,
    State,
    counted,
    duration,
    escape,
    split_json_line,
    table,
)
from entrypoint.train_config import ResultsUnverified

ANYTHING = st.text(st.characters(codec=None, exclude_categories=()))
"""Also surrogates, which stand for undecodable bytes of a file name."""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Gone(io.StringIO):
    """A stream whose reader has gone away; it counts who tries."""

    tries = 0

    def write(self, _: str) -> int:
        self.tries += 1
        raise BrokenPipeError


@given(ANYTHING)
def test_what_is_escaped_is_one_printable_line(text: str) -> None:
    escaped = escape(text)
    assert escaped.isprintable()
    escaped.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain, ü 🚂", "plain, ü 🚂"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2028\x85\x00", "\\u2028\\x85\\x00"),
        ("\udcff", "\\udcff"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_cannot_be_seen_is_made_visible(text: str, escaped: str) -> None:
    assert escape(text) == escaped


@pytest.mark.parametrize("as_json", [False, True])
def test_the_files_that_do_not_decrypt_are_not_printed(as_json: bool) -> None:
    stream = io.StringIO()
    error = ResultsUnverified("pht_results", ["model.bin"])
    Report(stream=stream, as_json=as_json).error(error)
    assert "results-unverified" in stream.getvalue()
    assert "model.bin" not in stream.getvalue()


# --- lines for people ----------------------------------------------------------------------------


def test_lines_for_people() -> None:
    stream = io.StringIO()
    report = Report(stream=stream)
    report.info("step 1: done")
    report.warning("the link a\nb travels")
    report.error(
        MalformedTrain("some-code", "wrong\x1b", hint="mend it", problems=["one\n", "two"])
    )
    report.status(Outcome(result="refused", status=65, code="some-code"), {"network": "none"})
    assert stream.getvalue().splitlines() == [
        "pht: step 1: done",
        "pht: warning: the link a\\nb travels",
        "pht: error: wrong\\x1b [some-code]",
        "pht:   - one\\n",
        "pht:   - two",
        "pht: hint: mend it",
        "pht: result=refused status=65 code=some-code network=none",
    ]


@given(ANYTHING)
@example("'")
@example('"')
@example("\\")
@example("")
@example("a state=sealed")
@example("a result=visited status=0 b")
def test_no_value_breaks_out_of_the_status_line(value: str) -> None:
    stream = io.StringIO()
    Report(stream=stream).status(Outcome(result="verified", code=value, state="unchanged"), {})
    [line] = stream.getvalue().splitlines()
    *_, first, second = shlex.split(line)
    assert second == "state=unchanged"
    assert first.startswith("code=")
    assert len(line.split(" ")) == 5, "a script that knows no quotes would see more words"


@given(ANYTHING)
@example("result=visited status=0 state=sealed")
@example("\npht: result=visited status=0 state=sealed")
@example("\rpht: result=visited status=0 state=sealed")
def test_no_text_begins_like_the_status_line(text: str) -> None:
    stream = io.StringIO()
    report = Report(stream=stream)
    report.info(text)
    report.warning(text)
    report.error(MalformedTrain("code", text, hint=text, problems=[text]))
    report.progress(text)
    assert not any(line.startswith("pht: result=") for line in stream.getvalue().splitlines())


def test_the_status_line_has_one_order_and_leaves_out_what_is_not_known() -> None:
    outcome = Outcome(
        changed=["pht_results", "train_config.json"],
        bytes=0,
        files=0,
        state="sealed",
        retry=False,
        by="author",
        reason="exited",
        stage="commit",
        code="some-code",
        status=1,
        result="visited",
    )
    assert " ".join(f"{name}={value}" for name, value in outcome.facts().items()) == (
        "result=visited status=1 code=some-code stage=commit reason=exited by=author retry=no "
        "state=sealed files=0 bytes=0 changed=pht_results,train_config.json"
    )
    assert Outcome(result="done").facts() == {"result": "done", "status": 0}


def test_the_outcome_of_an_error_says_where_it_happened() -> None:
    error = StorageError("disk-full", "no space", hint="make room", retry=True)
    facts = Outcome.refused(error, stage=Stage.SEAL, state=State.UNFINISHED).facts()
    assert list(facts.items()) == [
        ("result", "refused"),
        ("status", 74),
        ("code", "disk-full"),
        ("stage", "seal"),
        ("by", "station"),
        ("retry", "yes"),
        ("state", "unfinished"),
    ]


# --- lines for machines --------------------------------------------------------------------------


@given(ANYTHING)
def test_lines_for_machines(text: str) -> None:
    stream = io.StringIO()
    report = Report(as_json=True, stream=stream)
    report.info(text)
    report.warning(text)
    report.error(MalformedTrain("code", text, hint=text, problems=[text]))
    report.status(Outcome(result=text, status=65), {})
    report.progress(text)
    report.progress_done()
    lines = stream.getvalue().split("\n")[:-1]
    info, warning, error, status, progress = map(json.loads, lines)
    assert [split_json_line(f"output{line}") for line in lines] == [
        ("output", message) for message in (info, warning, error, status, progress)
    ]
    assert info == progress == {"level": "info", "message": text}
    assert warning == {"level": "warning", "message": text}
    assert error == {
        "level": "error",
        "code": "code",
        "message": text,
        "problems": [text],
        "hint": text,
    }
    assert status == {"level": "status", "result": text, "status": 65}


# --- progress ------------------------------------------------------------------------------------


def test_progress_overwrites_one_line_of_a_terminal() -> None:
    terminal = Terminal()
    report = Report(stream=terminal)
    report.progress("stop 1\x1b")
    report.progress("stop 2")
    report.progress_done()
    assert terminal.getvalue() == "\r\x1b[Kpht: stop 1\\x1b\r\x1b[Kpht: stop 2\r\x1b[K"

    report.update_progress("stop 2, 1 s\x1b")
    assert terminal.getvalue().endswith("\r\x1b[K\r\x1b[Kpht: stop 2, 1 s\\x1b")


def test_progress_stays_in_one_line_of_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Terminal()
    Report(stream=terminal).update_progress("stop 1 of 3: station-1, 1 min 12 s")
    assert terminal.getvalue() == "\r\x1b[Kpht: stop 1 of 3: s"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["file", "JSON on a terminal"])
def test_progress_is_plain_lines_elsewhere(stream: io.StringIO) -> None:
    as_json = isinstance(stream, Terminal)
    report = Report(stream=stream, as_json=as_json)
    report.progress("stop 1")
    report.update_progress("stop 1, 1 s")
    report.progress_done()
    line = '{"level": "info", "message": "stop 1"}' if as_json else "pht: stop 1"
    assert stream.getvalue() == line + "\n"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59, "59 s"), (72, "1 min 12 s"), (7200, "120 min 0 s")]
)
def test_durations_are_told_in_minutes(seconds: int, words: str) -> None:
    assert duration(seconds) == words


class GoneTerminal(Gone, Terminal):
    pass


def test_a_terminal_that_has_gone_is_no_reason_to_fail() -> None:
    terminal = GoneTerminal()
    report = Report(stream=terminal)
    report.progress("stop 1")
    report.progress_done()
    assert terminal.tries == 1


def test_a_reader_that_has_gone_is_no_reason_to_fail() -> None:
    for as_json in (False, True):
        stream = Gone()
        report = Report(as_json=as_json, stream=stream)
        report.info("one")
        report.status(Outcome(result="visited"), {})
        assert stream.tries == 1  # and no more


# --- tables --------------------------------------------------------------------------------------


def test_columns_are_aligned_and_cells_escaped() -> None:
    assert table(("stop", "station"), [("1", "a"), ("10", "ü\n"), ("", "c")]) == (
        "stop  station\n----  -------\n1     a\n10    ü\\n\n      c\n"
    )


@pytest.mark.parametrize(("number", "text"), [(0, "0 files"), (1, "1 file"), (2, "2 files")])
def test_a_noun_has_the_form_of_its_number(number: int, text: str) -> None:
    assert counted(number, "file") == text
