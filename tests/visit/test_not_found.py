"""Commands that Linux does not find although their file exists: the missing part is named."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.station import new_train, settle, snapshot, visit


def elf_without_loader() -> bytes:
    """Return the beginning of a program for this machine that names a loader that is not there."""
    own = Path("/proc/self/exe").read_bytes()[:64]
    kind, machine = struct.unpack_from("=HH", own, 16)
    loader = b"/lib/ld-of-another-system.so.1\0"
    head = own[:16] + struct.pack("=HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    assert kind in (2, 3)
    return (
        head + struct.pack("=IIQQQQQQ", 3, 4, 120, 120, 120, len(loader), len(loader), 1) + loader
    )


PROGRAMS: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "the line ends of Windows": (
        lambda: b"#!/bin/sh\r\necho never\r\n",
        "names '/bin/sh\\r' in its #! line, which does not exist",
        "the script has the line ends of Windows (CRLF)",
    ),
    "an interpreter that is not there": (
        lambda: b"#! /usr/bin/no-such-R --vanilla\n",
        "exists, but its #! line names /usr/bin/no-such-R, which is missing or cannot be loaded",
        "take a master image that has it",
    ),
    "a program of another system": (
        elf_without_loader,
        "exists, but its dynamic loader does not",
        "it was built for another system",
    ),
}


@pytest.mark.parametrize(("program", "said", "hint"), PROGRAMS.values(), ids=PROGRAMS)
def test_what_is_missing_is_told(
    program: Callable[[], bytes], said: str, hint: str, tmp_path: Path
) -> None:
    opt = new_train(tmp_path, "", {"program": program()})
    (opt / "pht_train" / "program").chmod(0o755)
    settle(tmp_path, "station_1")
    before = snapshot(tmp_path)

    done = visit(tmp_path, ["/opt/pht_train/program"])

    assert (done.status, done.facts["reason"], done.facts["by"]) == (127, "not-found", "author")
    path = opt / "pht_train" / "program"
    assert f"pht: error: the train's command, {path}, {said} [train-failed]\n" in done.stderr
    assert f"pht: hint: {hint}" in done.stderr
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("line_end", ["\r\n", "\n"], ids=["Windows", "Unix"])
def test_a_shell_that_finds_no_command_is_told_of_the_line_ends(
    line_end: str, tmp_path: Path
) -> None:
    script = f"# a comment{line_end}no-such-command{line_end}".encode()
    new_train(tmp_path, "", {"script.sh": script})
    settle(tmp_path, "station_1")

    done = visit(tmp_path, ["sh", "/opt/pht_train/script.sh"])

    assert (done.status, done.facts["reason"]) == (127, "exited")
    assert ("(CRLF)" in done.stderr) is (line_end == "\r\n")
