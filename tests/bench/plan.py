"""What a run of the benchmarks measures, and its results."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.bench.generations import Generation
from tests.bench.measure import HALVES, Figure
from tests.bench.primitives import Primitive, limit, seconds_per_byte
from tests.bench.trains import MIB, Runner, Workload

OURS, OTHER, PUBLISHED, LOOP = ("this program", "other", "published", "loop")
"""Names of programs. OTHER is this program in another checkout."""

OUTSIDE, INSIDE = ("outside", "inside")
"""Where a program runs: outside the sandbox of a train, or inside."""

GIB_1 = Workload("1 GiB", 1, 1024 * MIB)
MANY = Workload("20,000 × 1 KiB", 20_000, 1024)
NOTHING = Workload("nothing", 0, 0)


@dataclass(frozen=True)
class ImagePair:
    """An image and its master, generated.

    Attributes:
        name: its size, for people.
        size: bytes of its files.
        files: their number.
        rounds: runs of every program.
    """

    name: str
    size: int
    files: int
    rounds: int


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        beside: workloads on the disk, beside other programs.
        alone: workloads on the disk, this program only.
        contained: workloads in a container, beside other programs.
        stops: number of stops of the long route.
        rounds: runs of each half of a visit.
        visits: runs of each whole visit on the disk.
        starts: runs of each container that makes an empty visit.
        opened: number of files opened inside the sandbox and outside; 0 to leave the sandbox out.
        primitive_bytes: how many bytes each primitive is measured on.
        images: that are validated.
        stopped: results of trains whose whole stops are measured.
    """

    beside: tuple[Workload, ...]
    alone: tuple[Workload, ...]
    contained: tuple[Workload, ...]
    stops: int
    rounds: int
    visits: int
    starts: int
    opened: int
    primitive_bytes: int
    images: tuple[ImagePair, ...] = ()
    stopped: tuple[Workload, ...] = ()


MB = 1000**2

USUAL = Plan(
    beside=(GIB_1, MANY),
    alone=(),
    contained=(Workload("256 MiB", 1, 256 * MIB), Workload("5,000 × 1 KiB", 5_000, 1024)),
    stops=1000,
    rounds=3,
    visits=9,
    starts=9,
    opened=100_000,
    primitive_bytes=64 * MIB,
    images=(
        ImagePair("170 MB", 170 * MB, 8_000, rounds=5),
        ImagePair("835 MB", 835 * MB, 30_000, rounds=3),
        ImagePair("3 GB", 3000 * MB, 60_000, rounds=1),
    ),
    stopped=(NOTHING, GIB_1),
)
FULL = replace(
    USUAL,
    alone=(Workload("4 GiB", 1, 4096 * MIB),),
    stopped=(NOTHING, GIB_1, Workload("5 GiB", 1, 5 * 1024 * MIB)),
)
AGAINST = replace(
    USUAL,
    beside=(),
    alone=(GIB_1, MANY),
    contained=(),
    rounds=7,
    visits=21,
    starts=21,
    opened=0,
    images=(),
)
"""For two versions of this program, whose figures may differ by little."""


@dataclass(frozen=True)
class Row:
    """One task, and the figures of all programs that were run on it.

    Attributes:
        train: its generation.
        task: what is done, to what.
        place: on which file system, or in which image.
        figures: by name of the program; None for one that is not installed.
        size: bytes of plaintext; 0 if the task is not about bytes.
        limit_s: the shortest time that the primitives allow; 0 if there is no such limit.
    """

    train: str
    task: str
    place: str
    figures: Mapping[str, Figure | None]
    size: int = 0
    limit_s: float = 0.0


@dataclass
class Bench:
    """A run: its plan, its tools, and its results so far.

    Attributes:
        folder: one on the file system to measure.
        runners: this program, and the same in another checkout if there is one, by name.
        primitives: the least seconds that each has taken for one byte.
        rows: of the table of halves and visits.
        starts: of the table of empty visits in containers.
        sandbox: of the table of the sandbox.
        images: of the table of validated images.
        stops: of the table of whole stops.
        left_out: what could not be measured, and why.
    """

    plan: Plan
    folder: Path
    runners: Mapping[str, Runner]
    primitives: dict[Primitive, float] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    starts: list[Row] = field(default_factory=list)
    sandbox: list[Row] = field(default_factory=list)
    images: list[Row] = field(default_factory=list)
    stops: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def runner(self) -> Runner:
        """This program."""
        return self.runners[OURS]

    def add_halves(
        self,
        generation: Generation,
        workload: Workload,
        place: str,
        figures: Mapping[str, Mapping[str, Figure] | None],
    ) -> None:
        """Add a row for each half of a visit.

        Args:
            figures: by name of the program and half; None for a program that is not installed.
        """
        limits = self._limits(generation)
        for half in HALVES:
            self.rows.append(
                Row(
                    generation.name,
                    f"{half}, {workload.name}",
                    place,
                    {name: found[half] if found else None for name, found in figures.items()},
                    workload.total,
                    limits[half] * workload.total,
                )
            )

    def _limits(self, generation: Generation) -> dict[str, float]:
        """Measure the primitives and return the shortest time for one byte in each half.

        Measured again for each workload, since the speed of a processor varies.
        """
        now: dict[Primitive, float] = {}
        for primitive in {one for half in generation.primitives.values() for one in half}:
            now[primitive] = seconds_per_byte(primitive, self.plan.primitive_bytes)
            known = self.primitives.get(primitive, now[primitive])
            self.primitives[primitive] = min(known, now[primitive])
        return {
            half: limit((primitive, now[primitive]) for primitive in primitives)
            for half, primitives in generation.primitives.items()
        }
