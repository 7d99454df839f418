"""Writes docs/benchmarks.md, and the comparison of two versions of this program."""

from collections.abc import Iterable, Mapping, Sequence

from tests.bench.generations import GENERATIONS
from tests.bench.images import SHA_256
from tests.bench.in_container import TRUE
from tests.bench.measure import Figure
from tests.bench.plan import INSIDE, LOOP, OTHER, OURS, OUTSIDE, PUBLISHED, Bench, Plan, Row
from tests.bench.stops import CONTAINER, VALIDATED
from tests.bench.tools import TOOLS
from tests.bench.trains import KEY_BITS

MIB = 1024**2
MB = 1000**2

INTRODUCTION = """\
# Benchmarks

`make bench` measures this in about twenty minutes and writes this page; `make bench FULL=1`
adds 4 GiB. The rows in a container need an engine, as the tests do. Run it on a machine that does
nothing else. `.venv/tests/bin/python -m tests.bench --against FOLDER` compares with the version in
another checkout instead, and prints the result.
"""

VERSIONS = ", ".join(f"{one.published} for {one.name} trains" for one in GENERATIONS)

HOW_TO_READ = f"""\
How to read it:

- **s** is the least of these runs, since other load on the machine only makes a run longer. The
  programs of a row run in turn, after a `sync`, on the same files, which are random bytes in the
  page cache.
- **This program** is timed as a whole process. It flushes what it writes, and keeps the old
  ciphertext until the train has succeeded.
- **published** is `hash_results` and `FileEncryptor` of the published package:
  {VERSIONS}. **loop** is one plain pass in Python
  (`tests/bench/peers/plain_loop.py`). Of both, only these functions are timed, without start-up and
  imports. They flush nothing and keep no backup.
- **×** is how many times as long the other program takes.
- **MB/s** counts plaintext, in millions of bytes. **MiB** is the peak RSS of all processes of the
  program, summed, measured in a run before the timed ones; shared pages count for each process.
- **of the limit:** the time that the primitives below need on two cores, divided by the time of
  this program. It is half their sum, but at least the time of SHA-512, which goes over all files as
  one chain. Input and output are not in it.
- **In a container**, one plain `docker run` makes the visit of a train that is in the layers of its
  image: pre-run lasts from the start of the container to step 6, post-run from the last line of
  the train to the status line. The others run in containers of the same image.
- **undo** takes back a visit after its pre-run; **a failed train** is a whole visit whose train
  fails at once: pre-run, and the old state restored.
- **A visit** is `run` with a train that does nothing; stations have keys of {KEY_BITS} bits.
- **ext4** is made for the run if root can make one (see "Machine").
"""

SCALE = """\
## For scale

Seconds of common tools for a file of the same size, in turn with the rows above: pre-run stands for
decryption, post-run for encryption; `sha512sum` does the same in both. They are timed as whole
processes. `age` encrypts to an X25519 key, `openssl enc` uses AES-256-CBC and authenticates
nothing. None of them flushes what it writes.
"""

STARTS = """\
## An empty visit in a container

Seconds of a whole `docker run --rm`, in turn with the same container that only runs `true`. Aimed
at: at most twice as long as `true`, and less than the published package. **published** is the
published package 1.0.0 on the host: imports and protocol on the same image, without running the
train. The bases are stand-ins that the tests build: Debian trixie (Python 3.13), bookworm (3.11),
and one like Alpine (3.13 on musl).
"""

SANDBOX = """\
## The sandbox

What it costs a train to run in the sandbox of a visit, in turn with the same outside of it. Opened
files are data of a station, read in a container with the options of a visit, and measured in
processor time; aimed at: at most 10 % more. The empty command is timed, without a container, from
the choice of the layers to the removal of its scratch folder; the difference is the share of the
sandbox in an empty visit.
"""

VALIDATION = """\
## Validating an image

`pht validate-image` on an archive of `docker save`, with generated layers of as many files as real
images have. **published** is `validate_train_image` of 2.0.5 on the archives of train and master,
given in the place of an engine, so without the time that an engine takes to write them. **SHA-256**
is one pass over the train's archive by `hashlib`. All are whole processes, start-up included. Aimed
at: at most 64 MiB, five times the speed of the published check, 70 % of that of SHA-256.
"""

STOPS = """\
## A whole stop

Seconds of a stop with the station's script, `visit.sh`: the checks, the visit and the hand-over, in
turn with the container of the visit alone, created with the same options. **Validated**: the same
with a `masters.json`, so both images of the train are validated too. Aimed at: less than a second
around the container of a train that carries nothing.
"""

PLAIN_START = """\
## The price of a plain start

The first version saved time at the start: its modules in one file, a dataclass of its own, private
modules of `cryptography`, its own check of the key, no orderly exit. Both versions in turn
(`--against`, 2026-11-30, flat trains, 3072-bit key):

| task | then | now |
| --- | --- | --- |
| an empty visit on disk | 0.067 s | 0.223 s |
| an empty visit in a container, `buster` on trixie | 0.294 s | 0.491 s |
| 1 GiB, pre-run and post-run | 6.12 s | 6.54 s |
| 20,000 × 1 KiB, pre-run and post-run | 4.35 s | 4.72 s |

0.11 s of each visit is the validation of the key by the library, once; the rest is imports and the
orderly exit. In a visit nobody notices them.
"""

MANY_AND_LARGE = """\
## Many files, and very large ones

Measured once (2026-12-01, 2 cores, 24 GiB of memory).

Peak memory in MiB on 1,000,000 results of one byte in a tmpfs; aimed at: at most 159, which is
64 MiB and 100 bytes a file. Pre-run, undo and post-run take about 40 s each.

| train | folders | check | pre-run | undo | post-run |
| --- | --- | --- | --- | --- | --- |
| flat | 1 | 85 | 95 | 33 | 86 |
| flat | 1,000 | 31 | 34 | 34 | 32 |
| route | 1 | 85 | 95 | 33 | 85 |
| route | 1,000 | 31 | 34 | 34 | 32 |

Seconds per GiB of one file of a route train on the ext4. Undo reads the encrypted file from the
disk, to verify its MAC.

| file | pre-run | post-run | undo | a failed train |
| --- | --- | --- | --- | --- |
| 4 GiB | 1.44 | 1.38 | 1.81 | 2.71 |
| 16 GiB | 1.28 | 1.40 | 0.91 | 2.07 |
"""

PRIMITIVES = """\
## Primitives

Speed on one core, by the standard library and `cryptography`, in pieces of the size that this
program works in. The greatest of all measurements:
"""

COMPARISON = """\
The same tasks by two versions of this program, in turn; × is how many times as long the other one
takes.
"""


def page(bench: Bench, machine: Mapping[str, str]) -> str:
    """Return the whole page in Markdown."""
    scaled = [row for row in bench.rows if row.figures.keys() & set(TOOLS)]
    parts = [INTRODUCTION, _rows(bench.rows, (PUBLISHED, LOOP)), _runs(bench.plan), HOW_TO_READ]
    if scaled:
        parts += [SCALE, _seconds_table(scaled, (OURS, *TOOLS))]
    if bench.starts:
        parts += [STARTS, _starts(bench.starts, (PUBLISHED,))]
    if bench.sandbox:
        parts += [SANDBOX, _sandbox(bench.sandbox)]
    if bench.images:
        parts += [VALIDATION, _images(bench.images)]
    if bench.stops:
        parts += [STOPS, _stops(bench.stops, ())]
    parts += [
        MANY_AND_LARGE,
        PLAIN_START,
        PRIMITIVES,
        _table(("primitive", "MB/s"), _primitives(bench)),
    ]
    return "\n".join([*parts, *_end(bench, machine)])


def comparison(bench: Bench, machine: Mapping[str, str]) -> str:
    """Return the tables of two versions of this program in Markdown."""
    parts = [COMPARISON, _rows(bench.rows, (OTHER,)), _runs(bench.plan)]
    if bench.starts:
        parts.append(_starts(bench.starts, (OTHER,)))
    if bench.stops:
        parts.append(_stops(bench.stops, (OTHER,)))
    return "\n".join([*parts, *_end(bench, machine)])


def _end(bench: Bench, machine: Mapping[str, str]) -> list[str]:
    parts = ["## Machine\n", _table(("", ""), machine.items())]
    if bench.left_out:
        parts += ["## Left out\n", "".join(f"- {reason}\n" for reason in bench.left_out)]
    return parts


def _runs(plan: Plan) -> str:
    return (
        f"Runs of every program: {plan.rounds} of each half, {plan.visits} of each whole visit, "
        f"{plan.starts} of each\nempty visit in a container.\n"
    )


def _rows(rows: Sequence[Row], others: Sequence[str]) -> str:
    """Return the table of this program beside others."""
    header = ["train", "task", "file system", "s", "MB/s", "of the limit", "MiB"]
    for other in others:
        header += [f"{other} s", f"× {other}", f"{other} MiB"]
    return _table(header, (_cells(row, others) for row in rows))


def _cells(row: Row, others: Sequence[str]) -> list[str]:
    ours = row.figures[OURS]
    assert ours
    cells = [
        *(row.train, row.task, row.place),
        _seconds(ours),
        f"{row.size / MB / ours.seconds:,.0f}" if row.size else "",
        f"{row.limit_s / ours.seconds:.0%}" if row.limit_s else "",
        _memory(ours),
    ]
    for other in others:
        figure = row.figures.get(other)
        cells += [_seconds(figure), _times(figure, ours), _memory(figure)] if figure else [""] * 3
    return cells


def _seconds_table(rows: Sequence[Row], names: Sequence[str]) -> str:
    """Return a table that has only the seconds of each program."""
    return _table(
        ("train", "task", *names),
        ([row.train, row.task, *(_seconds(row.figures[name]) for name in names)] for row in rows),
    )


def _starts(rows: Sequence[Row], others: Sequence[str]) -> str:
    """Return the table of empty visits in containers."""
    header = ["image", "`true` s", "visit s", "× `true`"]
    for other in others:
        header += [f"{other} s", f"× {other}"]
    return _table(header, (_start_cells(row, others) for row in rows))


def _start_cells(row: Row, others: Sequence[str]) -> list[str]:
    bare, ours = row.figures[TRUE], row.figures[OURS]
    assert bare
    assert ours
    cells = [row.place, _seconds(bare), _seconds(ours), _times(ours, bare)]
    for other in others:
        figure = row.figures.get(other)
        cells += [_seconds(figure), _times(figure, ours)] if figure else ["", ""]
    return cells


def _sandbox(rows: Sequence[Row]) -> str:
    """Return the table of tasks outside the sandbox and inside."""
    return _table(
        ("task", "outside ms", "inside ms", "× outside", "difference ms"), map(_sandbox_cells, rows)
    )


def _sandbox_cells(row: Row) -> list[str]:
    outside, inside = row.figures[OUTSIDE], row.figures[INSIDE]
    assert outside
    assert inside
    seconds = (outside.seconds, inside.seconds, inside.seconds - outside.seconds)
    before, after, more = (f"{1000 * one:,.1f}" for one in seconds)
    return [row.task, before, after, _times(inside, outside), more]


def _images(rows: Sequence[Row]) -> str:
    """Return the table of validated images."""
    header = ("train's image", "s", "MB/s", "MiB", "SHA-256 s", "of SHA-256")
    more = ("published s", "× published", "published MiB")
    return _table((*header, *more), map(_image_cells, rows))


def _image_cells(row: Row) -> list[str]:
    ours, hashes, published = (row.figures.get(name) for name in (OURS, SHA_256, PUBLISHED))
    assert ours
    assert hashes
    cells = [row.task, _seconds(ours), f"{row.size / MB / ours.seconds:,.0f}", _memory(ours)]
    cells += [_seconds(hashes), f"{hashes.seconds / ours.seconds:.0%}"]
    if not published:
        return [*cells, "", "", ""]
    return [*cells, _seconds(published), _times(published, ours), _memory(published)]


def _stops(rows: Sequence[Row], others: Sequence[str]) -> str:
    """Return the table of whole stops."""
    header = ("train", "results", "container s", "stop s", "around it s", "validation s")
    more = [f"{other} s" for other in others] + [f"× {other}" for other in others]
    return _table((*header, *more), (_stop_cells(row, others) for row in rows))


def _stop_cells(row: Row, others: Sequence[str]) -> list[str]:
    container, stop, validated = (row.figures[name] for name in (CONTAINER, OURS, VALIDATED))
    assert container
    assert stop
    assert validated
    around, share = stop.seconds - container.seconds, validated.seconds - stop.seconds
    cells = [row.train, row.task, *map(_seconds, (container, stop, Figure(around), Figure(share)))]
    figures = [figure for other in others if (figure := row.figures[other])]
    return [*cells, *map(_seconds, figures), *(_times(figure, stop) for figure in figures)]


def _times(figure: Figure, than: Figure) -> str:
    return f"**{figure.seconds / than.seconds:.2f}**"


def _seconds(figure: Figure | None) -> str:
    if figure is None:
        return "not installed"
    return f"{figure.seconds:.3f}" if figure.seconds < 1 else f"{figure.seconds:.2f}"


def _memory(figure: Figure) -> str:
    return "" if figure.memory is None else f"{figure.memory / MIB:,.0f}"


def _primitives(bench: Bench) -> list[tuple[str, str]]:
    found = sorted(bench.primitives.items(), key=lambda item: item[0].name)
    return [(one.name, f"{1 / seconds / MB:,.0f}") for one, seconds in found]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---" for _ in header]
    lines = [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]
    return "\n".join(lines) + "\n"
