"""Writes what a run has found as docs/benchmarks.md."""

import statistics
from collections.abc import Iterable, Mapping, Sequence

from tests.bench.generations import GENERATIONS
from tests.bench.measure import Figure
from tests.bench.plan import Bench, Row

MIB = 1024**2
MB = 1000**2

INTRODUCTION = """\
# Benchmarks

`make bench` measures this and writes this page; `make bench FULL=1` adds 4 GiB. The rows in a
container need an engine, as the tests do. Run it on a machine that does nothing else.
"""

HEADER = (
    *("train", "what", "file system", "s", "MB/s", "of the limit", "MiB"),
    *("× published", "published s", "published MiB"),
    *("× loop", "loop s", "loop MiB"),
)

VERSIONS = ", ".join(f"{one.published} for {one.name} trains" for one in GENERATIONS)

EXPLANATION = f"""\
How to read it:

- **s** is the least of several runs of a half, for whatever else a machine does only makes a run
  longer, and the median of a whole visit (see "Runs" below), with `sync` before each run. For this
  program it is the time of the whole process, from the start of the interpreter to its end; for the
  others it is the time within their functions, without start-up and imports. All work on the same
  files, which are random bytes and in the page cache, as those of a train that has just been pulled
  or has just run.
- **ext4** is a file system made for the run where root can make one (see "Machine"), with a journal
  and without discarding, as most stations have it.
- **This program is durable, the others are not:** it flushes what it wrote, and keeps the old
  ciphertext until the train has succeeded. The others flush nothing and keep nothing.
- **× published:** how many times as fast as `hash_results` and `FileEncryptor` of the published
  package ({VERSIONS}).
  **× loop:** as fast as one plain pass in Python, which stands in `tests/bench/peers`.
- **MB/s** is plaintext, in millions of bytes. **MiB** is the highest RSS of all processes that
  exist at one time, summed, measured in a run of its own; what they share counts for each.
- **of the limit:** what the protocol's primitives alone would take on two cores, as a part of what
  this program takes. It is half the sum of their times, but never less than the time of SHA-512,
  which goes over all files as one chain. Reading and writing the files is not counted.
- **In a container** a visit is one plain `docker run` of a train that comes in the layers of an
  image, and the times are the engine's: pre-run from the start of the container to step 6, post-run
  from the last line of the train to the status line. The others run in a container of that image.
  Memory is not measured there.
- **A visit** is `run` with a train that does nothing. In a container it is compared with `true`, in
  turn, in containers of the same image with the same mount of the station's folder. Both times are
  those of the whole `docker run --rm`. The bases are stand-ins that the tests build: Debian trixie
  with its Python 3.13, bookworm with its 3.11, and one like Alpine, with Python 3.13 on musl.
"""

PRIMITIVES = """\
## Primitives

On one core, by the standard library and `cryptography`, in pieces of the size that this program
works in. They are measured anew before every run of this program, and the least counts for its row;
here are the medians:
"""


def page(bench: Bench, machine: Mapping[str, str]) -> str:
    """Return the whole page in Markdown."""
    parts = [INTRODUCTION, _table(HEADER, map(_cells, bench.rows)), EXPLANATION]
    parts += [PRIMITIVES, _table(("primitive", "MB/s"), _primitives(bench))]
    plan = bench.plan
    runs = f"{plan.rounds} of each half, {plan.short_rounds} of a whole visit, in a container "
    runs += f"{plan.starts}"
    parts += ["## Machine\n", _table(("", ""), {**machine, "Runs": runs}.items())]
    if bench.left_out:
        parts += ["## Left out\n", "".join(f"- {reason}\n" for reason in bench.left_out)]
    return "\n".join(parts)


def _cells(row: Row) -> list[str]:
    ours = row.ours
    return [
        *(row.train, row.task, row.place),
        _seconds(ours),
        f"{row.size / MB / ours.seconds:,.0f}" if row.size else "",
        f"{row.limit_s / ours.seconds:.0%}" if row.limit_s else "",
        _memory(ours),
        *_compared(row.published, ours),
        *_compared(row.loop, ours),
    ]


def _compared(other: Figure | None, ours: Figure) -> list[str]:
    """Return how many times as fast as another program we are, and its own figures."""
    if other is None:
        return ["", "", ""]
    return [f"**{other.seconds / ours.seconds:.2f}**", _seconds(other), _memory(other)]


def _seconds(figure: Figure) -> str:
    return f"{figure.seconds:.3f}" if figure.seconds < 1 else f"{figure.seconds:.2f}"


def _memory(figure: Figure) -> str:
    return "" if figure.memory is None else f"{figure.memory / MIB:,.0f}"


def _primitives(bench: Bench) -> list[tuple[str, str]]:
    return [
        (one.name, f"{1 / statistics.median(seconds) / MB:,.0f}")
        for one, seconds in bench.primitives.items()
    ]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---" for _ in header]
    lines = [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]
    return "\n".join(lines) + "\n"
