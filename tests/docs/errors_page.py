"""Write docs/errors.md: every error code, read from the places in the code that make it."""

import textwrap
from collections import defaultdict
from collections.abc import Sequence
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
statuses ([station.md](station.md#exit-statuses)). Below the messages of a code stands the hint that
goes with them; the program fills in words in capitals and `…`, and may leave out words in brackets.

This page is made from the code by `make errors-page`.
"""


def page() -> str:
    """Return the text of the whole page."""
    sections: defaultdict[str, defaultdict[str, list[Raised]]]
    sections = defaultdict(lambda: defaultdict(list))
    for error in raised():
        sections[_heading(error)][error.code].append(error)
    parts = [HEAD]
    for heading in sorted(sections, key=lambda text: (text[0].isdigit(), text)):
        parts.append(f"## {heading}\n")
        parts += [_entry(code, found) for code, found in sorted(sections[heading].items())]
    return "\n".join(parts)


def _heading(error: Raised) -> str:
    """Return the exit status and its meaning, from the docstring of the class that decides it."""
    if error.code == "train-failed":
        return "The train's own status, or 124: the train has failed"
    of_class = (error.error.__doc__ or "").splitlines()[0].rstrip(".")
    meaning = "The runner itself failed" if error.error is PhtError else of_class
    return f"{error.error.status}: {meaning}"


def _entry(code: str, found: Sequence[Raised]) -> str:
    """Return what the page says about one code."""
    roles = {role for error in found for role in error.by.split(" or ")}
    who = sorted("whoever gave the command" if role == OPERATOR else role for role in roles)
    retry = ", retry" if all(error.retry for error in found) else ""
    lines = [f"### `{code}`\n", f"Who acts: {' or '.join(who)}{retry}\n"]
    messages: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for error in found:
        messages[error.hint][error.message] = None
    for hint, with_it in messages.items():
        lines += [*(_item("- ", message) for message in with_it), _item("  - ", hint)]
    return "\n".join(lines) + "\n"


def _item(mark: str, text: str) -> str:
    width = 104 - len(mark)
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return mark + ("\n" + " " * len(mark)).join(lines)


if __name__ == "__main__":
    PAGE.write_text(page())
