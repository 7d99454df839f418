"""Real visits in every kind of engine, which is what the table of `docs/engines.md` tells."""

from collections.abc import Callable

import pytest

from tests.containers.fixtures import not_in_gvisor
from tests.engines.cases import CASES, Station, visit
from tests.engines.kinds import KINDS
from tests.engines.page import rows

pytestmark = not_in_gvisor("each kind says itself in what its containers run")


@pytest.mark.parametrize("kind", KINDS)
def test_a_visit_has_the_layers_that_the_page_tells(
    kind: str, station_of: Callable[[str], Station]
) -> None:
    done = visit(station_of(kind))

    told = {row.engine: row.layers for row in rows()}
    assert f"`{done.facts['layers']}`" == told[kind]


@pytest.mark.engines
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.xdist_group(kind)) for kind in KINDS]
)
def test_every_case(
    kind: str,
    case: str,
    station_of: Callable[[str], Station],
    record_property: Callable[[str, object], None],
) -> None:
    station = station_of(kind)

    done = CASES[case](station)

    # What `make engines` writes into the table.
    record_property("kind", kind)
    record_property("case", case)
    record_property("layers", f"`{done.facts['layers']}`")
    record_property("version", station.host.version)
