"""Every documented command that gives a container a station's key has the protective options."""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from entrypoint.author.container_options import OPTIONS

ROOT = Path(__file__).parents[2]
SHOWN = [
    *ROOT.glob("*.md"),
    *(path for path in (ROOT / "docs").glob("*.md") if path.name != "errors.md"),
    *(path for path in (ROOT / "examples").rglob("*") if path.suffix in (".md", ".sh")),
    ROOT / "Makefile",
]
"""All files with commands that somebody may copy; the page of error codes quotes hints."""

HANDS_OVER_A_KEY = re.compile(
    r"(--mount|--volume|-v|--env|-e|--env-file|--secret)\b.*"
    r"(/run/pht|/run/secrets|STATON|STATION_PRIVATE_KEY|PRIVATE_KEY_P)"
)

OPTIONS_OF_CTR = [("--read-only", "--seccomp"), OPTIONS[OPTIONS.index("--env") :]]
"""It has other words, no health check, and neither a network nor new privileges by default."""


def lines_with_a_key(text: str) -> Iterator[str]:
    """Yield the commands that give a container a key, each with its continuation lines joined."""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if HANDS_OVER_A_KEY.search(line) and not line.lstrip().startswith(("#", "|")):
            yield line


def holds(words: Sequence[str], part: Sequence[str]) -> bool:
    starts = range(len(words) - len(part) + 1)
    return any(tuple(words[start : start + len(part)]) == tuple(part) for start in starts)


def test_every_line_that_gives_a_container_the_key_has_the_same_protections() -> None:
    found = []
    for path in SHOWN:
        for line in lines_with_a_key(path.read_text()):
            words = shlex.split(line)
            expected = OPTIONS_OF_CTR if words[0] == "ctr" else [OPTIONS]
            assert all(holds(words, part) for part in expected), f"{path.name}: {line}"
            found.append(path.name)
    assert sorted(found) == ["engines.md", "station.md", "visit.sh"]
