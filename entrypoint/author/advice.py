"""Advice to the author of a train that failed, by what its last lines show."""

import re
from collections.abc import Mapping, Sequence

from entrypoint.report import Fact

_NAME_CHARACTERS = 80
"""Maximum length of a name that is taken from the output of a train."""

_LINE_CHARACTERS = 400
"""Number of characters of each line that are searched: patterns are slow on long lines."""

_PLACES = 'docs/author.md, "Where a train may write"'
_IMAGE = (
    "a train has only what its master image brings, and in a simulation without --image what this "
    "machine has: take an image with packages, such as slim-science, buster-science or r, or build "
    "your own (docs/images.md)"
)

_READ_ONLY = (
    "a train cannot write {}: write results to PHT_RESULTS_DIR and temporary files to "
    f"TMPDIR ({_PLACES})"
)
_NO_RIGHT = f"a train has no right to {{}} ({_PLACES})"
_PROGRAM = f"the program {{}} is missing; {_IMAGE}"
_MODULE = (
    f"the Python module {{}} is missing; {_IMAGE}, or copy modules of pure Python into the train's "
    "folder"
)
_TRAIN_LIB = (
    "train_lib is the published library, pht-train-container-library on PyPI: copy the modules "
    "that the train needs, such as train_lib/security/homomorphic_addition.py, into the train's "
    'folder (docs/author.md, "Homomorphic trains"), or build a master image with it '
    "(docs/images.md)"
)
_R_PACKAGE = f"the R package {{}} is missing or too old; {_IMAGE}"
_LIBRARY = f"the shared library {{}} is missing; {_IMAGE}"
_DISPLAY = (
    'a train has no display: draw into files, in Python behind matplotlib.use("Agg"), in R between '
    "pdf(FILE) or png(FILE) and dev.off()"
)
_NETWORK = (
    "a train has no network: put what it downloads into its folder, or build a master image with "
    "it (docs/images.md)"
)
_MEMORY = (
    "memory ran out: have the train need less, for example by reading its data in parts; what a "
    "container may have is set by --memory"
)
_FULL = (
    "a disk was full: in a container /dev/shm has 64 MB, unless --shm-size says more, and /tmp is "
    "memory"
)

_QUOTED = r"['\u2018]([^'\u2019\n]+)['\u2019]"


def _named_with(reason: str) -> str:
    """Return a pattern for a reason that the system gives, with the place that it is about."""
    in_python = rf"{reason}: {_QUOTED}"
    in_quotes = rf"{_QUOTED}(?:: |, (?:probable )?reason '){reason}"
    in_shells = rf"(?:^| )([^\s:'\u2018\u2019]+): {reason}"
    return f"{in_python}|{in_quotes}|{in_shells}"


_ADVICE = [
    (re.compile(pattern, re.MULTILINE), hint)
    for pattern, hint in (
        (_named_with("Read-only file system"), _READ_ONLY),
        (_named_with("Permission denied"), _NO_RIGHT),
        # R gives no reason; it draws into this file unless the script opens another device.
        (r"'(Rplots\.pdf)'|(?:pdf|plot\.new)\(.*'([^'\n]+)'", _READ_ONLY),
        (r"(?:^| )([^\s:]+): (?:command )?not found$", _PROGRAM),
        (rf"^env: (?:can't execute )?{_QUOTED}: No such file or directory", _PROGRAM),
        (
            r"in _execute_child\n(?: .*\n)+"
            rf"FileNotFoundError: \[Errno 2\] No such file or directory: {_QUOTED}",
            _PROGRAM,
        ),
        (r"No module named '?(?!train_lib\b)(\w+)", _MODULE),
        (r"Missing optional dependency '(\w+)'", _MODULE),
        (r"No module named '?train_lib\b", _TRAIN_LIB),
        (r"there is no package called ['\u2018]([\w.]+)['\u2019]", _R_PACKAGE),
        # In every language of R: the call, then the name in quotes.
        (r"(?:library|loadNamespace)\(.*\n?.*['\u2018]([\w.]+)['\u2019]", _R_PACKAGE),
        (r"([^\s:/]+): cannot open shared object file", _LIBRARY),
        (r"Error loading shared library ([^\s:]+)", _LIBRARY),
        (r"no \$DISPLAY|connect to display|\bX11(?:cairo|\(\))|interactive framework", _DISPLAY),
        (r"\[Errno -3\]|(?:Network|Host) (?:is )?unreachable|No route to host", _NETWORK),
        (r"Could not resolve host", _NETWORK),
        (r"MemoryError\b|std::bad_alloc|cannot allocate vector of size|\bKilled\b", _MEMORY),
        (r"No space left on device", _FULL),
    )
]
"""Patterns and the hint for each, which names what the first group to match has found."""


def advise(failure: Mapping[str, Fact], output: Sequence[str]) -> str | None:
    """Return a hint for a train that failed by its own fault, or None if its output shows no cause.

    Args:
        failure: the facts of the status line of its visit.
        output: the last lines that the train wrote.
    """
    if failure.get("reason") == "out-of-memory":
        return _MEMORY
    if failure.get("reason") != "exited" or failure.get("by") != "author":
        return None
    text = "\n".join(line[:_LINE_CHARACTERS] for line in output)
    found = [(match, hint) for pattern, hint in _ADVICE for match in pattern.finditer(text)]
    if not found:
        return None
    match, hint = max(found, key=lambda finding: finding[0].end())
    name = next(filter(None, match.groups()), "")
    return hint.format(name[:_NAME_CHARACTERS])
