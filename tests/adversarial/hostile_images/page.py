"""Writes docs/hostile-images.md: `make hostile-images`."""

from collections.abc import Mapping, Sequence

from tests.adversarial.hostile_images.all_cases import CASES, CHAPTERS
from tests.adversarial.hostile_images.case import Case
from tests.adversarial.hostile_images.verdicts import ACCEPTS, Verdict, verdicts
from tests.containers.engine import Engine
from tests.interop import environments
from tests.station import REPOSITORY

PAGE = REPOSITORY / "docs" / "hostile-images.md"

HEAD = """\
# Hostile images

`pht validate-image` refuses each of these {count} images, and accepts beside each one an image that
differs only in doing no harm; `tests/adversarial/test_hostile_images.py` makes them all. The tables
show what others say: whether Docker {engine} loads the image, and whether the image check of the
published package {published} accepts it then. `make hostile-images` writes this page.

Docker loads {loaded} of them, and the published check accepts {accepted} of these. That check
compares the names of files and their contents, nothing else. In what Docker 25 and newer save it
finds no `layer.tar`, so it compares nothing at all. Docker before 25 refuses every OCI layout, also
honest ones.
"""

TOP = "| image | what it would do | Docker | published | refused here as |\n|---|---|---|---|---|"


def page(found: Mapping[str, Verdict], engine: str) -> str:
    """Return the whole page; `found` are the verdicts of others, by the names of cases."""
    loaded = [name for name, verdict in found.items() if verdict.loaded]
    head = HEAD.format(
        count=len(CASES),
        engine=engine,
        published=environments.ROUTE_VERSION,
        loaded=len(loaded),
        accepted=sum(found[name].published == ACCEPTS for name in loaded),
    )
    chapters = (chapter(heading, cases, found) for heading, cases in CHAPTERS.items())
    return "\n".join([head, *chapters])


def chapter(heading: str, cases: Sequence[Case], found: Mapping[str, Verdict]) -> str:
    """Return one table with its heading."""
    rows = (row(case, found[case.name]) for case in cases)
    return "\n".join([f"## {heading}\n", TOP, *rows]) + "\n"


def row(case: Case, verdict: Verdict) -> str:
    """Return the row of a case."""
    docker = "loads" if verdict.loaded else "refuses"
    cells = (case.name, case.effect, docker, verdict.published, f"`{case.code}`")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Load all images into the engine and write the page."""
    engine = Engine.connect()
    version = engine.must("version", "--format", "{{.Server.Version}}").decode().partition("+")[0]
    found = verdicts(engine, environments.make(environments.ROUTE_VERSION), CASES)
    PAGE.write_text(page(found, version))


if __name__ == "__main__":
    main()
