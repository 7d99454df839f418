"""Warns of files that their author may not want to send, or that fail on other systems."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from entrypoint.limits import LISTED_PROBLEMS
from entrypoint.report import Report, counted

_BY_NAME = {
    ".env": "may hold passwords",
    ".Rhistory": "holds what was typed into R",
    ".RData": "holds the data of a session of R",
}
_ENVIRONMENT = "pyvenv.cfg"
"""The file that makes a folder a virtual environment of Python."""

_PRIVATE_KEY = re.compile(
    rb"""^-----BEGIN\ [A-Z ]*PRIVATE\ KEY-----  # PEM
    | "lambda"\s*:\s*"[0-9]{30}                # the Paillier keys of the users' application
    """,
    re.MULTILINE | re.VERBOSE,
)
_SCRIPTS = (".sh", ".r", ".py")
_HEAD_BYTES = 64 * 1024
"""Size of the beginning of each file that is looked at, in bytes."""

_LARGE_BYTES = 100_000_000
"""Size from which a file is large for a train, in bytes: every station fetches it."""


def warn_of_doubtful(folder: Path, files: Sequence[str], report: Report) -> None:
    """Log one warning for each doubtful file and virtual environment, up to a limit.

    Args:
        folder: of the train.
        files: the paths in it of all files that travel.
        report: takes the warnings.
    """
    found = list(_all_doubts(folder, files))
    for doubt in found[:LISTED_PROBLEMS]:
        report.warning(doubt)
    if len(found) > LISTED_PROBLEMS:
        report.warning(f"{counted(len(found) - LISTED_PROBLEMS, 'more doubt')} of this kind")


def _all_doubts(folder: Path, files: Sequence[str]) -> Iterator[str]:
    marks = [path for path in map(PurePosixPath, files) if path.name == _ENVIRONMENT]
    for mark in marks:
        yield f"{mark} belongs to a virtual environment, which works on this machine only"
    environments = {mark.parent for mark in marks}
    others = [path for path in map(PurePosixPath, files) if not environments & {*path.parents}]
    for path in others:
        yield from (f"{path} {doubt}" for doubt in _doubts(folder / path))
    yield from _alike(others)


def _doubts(path: Path) -> Iterator[str]:
    if path.name in _BY_NAME:
        yield _BY_NAME[path.name]
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if _PRIVATE_KEY.search(head):
        yield "holds a private key"
    is_script = head.startswith(b"#!") or path.suffix.lower() in _SCRIPTS
    if is_script and b"\r\n" in head:
        yield "is a script with the line ends of Windows, which Linux may not be able to run"
    size = path.stat().st_size
    if size > _LARGE_BYTES:
        yield f"has {size // 1_000_000} MB, which every station has to fetch"


def _alike(files: Sequence[PurePosixPath]) -> Iterator[str]:
    """Yield one line for each file or folder that some systems cannot tell from another one."""
    first: dict[str, str] = {}
    seen: set[str] = set()
    for file in files:
        for path in map(str, (*reversed(file.parents), file)):
            other = first.setdefault(unicodedata.normalize("NFC", path).casefold(), path)
            if other != path and path not in seen:
                yield f"{path} differs from {other} only in case or in the Unicode form of its name"
            seen.add(path)
            if other != path:
                break  # so do all paths below it
