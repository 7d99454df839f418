"""Write docs/errors.md: every error code, read from the places in the code that raise it.

`make errors-page` runs this. It parses the source; a word in capitals stands for what is known only
at run time.
"""

import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from entrypoint.errors import OPERATOR, PhtError
from tests.docs.raised import Raised, raised

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"

HEAD = """\
# Error codes

Every error says what is wrong, names a code in brackets, and gives a hint what to do next:

```
pht: error: there is no folder train [train-folder-missing]
pht: hint: name the folder that holds the train's files
```

Scripts may depend on the codes; the words may change. *Who acts* is `by=` in the status line:
whoever gave the command is the station, or at a desk the train's author or the user of its results.
*retry* is `retry=yes` there: starting the same thing again can help. The sections are the exit
statuses ([station.md](station.md#exit-statuses)). Below the messages of a code stand the hints that
go with them; a word in capitals stands for what the program fills in.

This page is made from the code by `make errors-page`.
"""

OWN_STATUS = {"train-failed": "The train's own status, or 124: the train has failed"}
"""Codes of errors that do not decide the exit status, and the heading they are listed below."""

WIDTH = 104


@dataclass(frozen=True)
class Section:
    """The errors that end with one exit status."""

    heading: str
    order: int
    codes: dict[str, list[Raised]]


def page() -> str:
    """Return the text of the whole page."""
    parts = [HEAD]
    for section in _sections(raised()):
        parts.append(f"## {section.heading}\n")
        parts += (_entry(code, found) for code, found in sorted(section.codes.items()))
    return "\n".join(parts)


def _sections(found: Sequence[Raised]) -> list[Section]:
    codes: defaultdict[str, defaultdict[str, list[Raised]]] = defaultdict(lambda: defaultdict(list))
    for error in found:
        codes[_heading(error)][error.code].append(error)
    sections = [Section(heading, _number(heading), dict(of)) for heading, of in codes.items()]
    return sorted(sections, key=lambda section: section.order)


def _heading(error: Raised) -> str:
    own = OWN_STATUS.get(error.code)
    return own or f"{error.error.status}: {_title(error.error)}"


def _title(error: type[PhtError]) -> str:
    """Return the first sentence of the docstring of the class that decides the status."""
    decides = next(base for base in error.__mro__ if "status" in vars(base))
    if decides is PhtError:
        return "The runner itself failed"
    return (decides.__doc__ or "").splitlines()[0].rstrip(".")


def _number(heading: str) -> int:
    digits = re.match(r"\d+", heading)
    return int(digits[0]) if digits else 0


def _entry(code: str, found: Sequence[Raised]) -> str:
    """Return what the page says about one code."""
    roles = {who for error in found for who in error.by}
    by = " or ".join(
        sorted("whoever gave the command" if who == OPERATOR else who for who in roles)
    )
    retry = ", retry" if all(error.retry for error in found) else ""
    lines = [f"### `{code}`\n", f"Who acts: {by}{retry}\n"]
    for messages, hints in _variants(found):
        lines += (_item("-", message) for message in messages)
        lines += (_item("  -", hint) for hint in hints)
    return "\n".join(lines) + "\n"


def _variants(found: Sequence[Raised]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield messages with the hints that they share, each once."""
    messages: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for error in found:
        known = messages[error.hints]
        known += (text for text in error.messages if text not in known)
    yield from ((_telling(texts), _telling(hints)) for hints, texts in messages.items())


def _telling(texts: Sequence[str]) -> list[str]:
    """Return the texts without those that are nothing but a placeholder, if others are left."""
    return [text for text in texts if re.search("[a-z]", text)] or list(texts)


def _item(mark: str, text: str) -> str:
    text = re.sub("[⟨⟩]", "", text)
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=f"{mark} ",
        subsequent_indent=" " * (len(mark) + 1),
        break_long_words=False,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    PAGE.write_text(page())
