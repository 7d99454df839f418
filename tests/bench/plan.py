"""What a run of the benchmarks measures, and what comes out of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from tests.bench.generations import Generation
from tests.bench.measure import HALVES, Figure
from tests.bench.primitives import Primitive, limit, seconds_per_byte
from tests.bench.trains import MIB, Runner, Workload

MANY = Workload("20,000 × 1 KiB", 20_000, 1024)


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        beside: on the disk, beside the other programs.
        alone: on the disk, this program only.
        contained: in a container, beside the other programs.
        stops: of the long route.
        rounds: how often halves of a visit are repeated for the least time.
        short_rounds: how often a visit on the disk is repeated for the median.
        starts: how often a container is started for the median, which is compared with another.
        primitive_bytes: how much each primitive is measured on.
    """

    beside: tuple[Workload, ...]
    alone: tuple[Workload, ...]
    contained: tuple[Workload, ...]
    stops: int
    rounds: int
    short_rounds: int
    starts: int
    primitive_bytes: int


USUAL = Plan(
    beside=(
        Workload("64 MiB", 1, 64 * MIB),
        Workload("256 MiB", 1, 256 * MIB),
        Workload("1 GiB", 1, 1024 * MIB),
        MANY,
    ),
    alone=(),
    contained=(Workload("256 MiB", 1, 256 * MIB), MANY),
    stops=1000,
    rounds=3,
    short_rounds=9,
    starts=41,
    primitive_bytes=128 * MIB,
)
FULL = replace(USUAL, alone=(Workload("4 GiB", 1, 4096 * MIB),))


@dataclass(frozen=True)
class Row:
    """One task, and what it takes.

    Attributes:
        train: the generation of the train, if there is one.
        task: what is done, to what.
        place: on which file system.
        ours: of this program.
        size: how many bytes of plaintext are handled; 0 if the task is not about bytes.
        published: of the published package, or None.
        loop: of the straightforward program, or None.
        limit_s: the seconds below which no program can come; 0 if there is no such limit.
    """

    train: str
    task: str
    place: str
    ours: Figure
    size: int = 0
    published: Figure | None = None
    loop: Figure | None = None
    limit_s: float = 0.0


@dataclass
class Bench:
    """A run: its plan, its tools, and what it has found so far.

    Attributes:
        folder: one on the file system to measure.
        runner: this program.
        primitives: the seconds that each takes for one byte, as often as that was measured.
        rows: the table.
        left_out: what could not be measured, and why.
    """

    plan: Plan
    folder: Path
    runner: Runner
    primitives: dict[Primitive, list[float]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add_halves(
        self,
        generation: Generation,
        workload: Workload,
        place: str,
        ours: dict[str, Figure],
        published: dict[str, Figure],
        loop: dict[str, Figure],
        limits: Sequence[dict[str, float]],
    ) -> None:
        """Add a row for each half of a visit; a program that was left out has no figures.

        Args:
            limits: what `limits` has returned while this program was measured; the least counts.
        """
        for half in HALVES:
            self.rows.append(
                Row(
                    generation.name,
                    f"{half}, {workload.name}",
                    place,
                    ours[half],
                    workload.total,
                    published.get(half),
                    loop.get(half),
                    min(found[half] for found in limits) * workload.total,
                )
            )

    def limits(self, generation: Generation) -> dict[str, float]:
        """Measure the primitives, for a processor is not always as fast.

        Returns:
            For each half, the seconds below which no program can come for one byte.
        """
        now = {
            primitive: seconds_per_byte(primitive, self.plan.primitive_bytes)
            for primitive in dict.fromkeys(chain.from_iterable(generation.primitives.values()))
        }
        for primitive, seconds in now.items():
            self.primitives.setdefault(primitive, []).append(seconds)
        return {
            half: limit((primitive, now[primitive]) for primitive in primitives)
            for half, primitives in generation.primitives.items()
        }
