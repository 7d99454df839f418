"""The visits of published stations in these tests ask the engine for what their DAG asks for.

The DAG is in no package, so it was run by hand, and its requests were recorded
(docs/host-driven.md, "What was run").
"""

from collections.abc import Mapping
from pathlib import Path

from tests import reference_route
from tests.interop.authors import BUILDER, USER, public_half
from tests.interop.conftest import Depart
from tests.interop.engine_requests import readable
from tests.interop.journey import FILES, REQUESTS, ROUTE_STATIONS, THEIRS

RECORDED = Path(__file__).with_name("published_dag_requests.txt")


def without_query(folder: Path, keys: Mapping[str, bytes]) -> Path:
    """Build a train like the one whose visit was recorded."""
    files = {name: content for name, content in FILES.items() if name != "query.json"}
    stations = {station: public_half(keys[station]) for station in ROUTE_STATIONS}
    return reference_route.build_initial(folder, files, keys[USER], keys[BUILDER], stations)


def test_the_engine_is_asked_for_what_the_dag_asks_for(
    depart_route: Depart, shapes: dict[str, Path]
) -> None:
    train = depart_route(without_query)
    train.visit(THEIRS, ROUTE_STATIONS[0], shapes["one"])
    requests = (train.folder / REQUESTS).read_text().splitlines()
    lines = RECORDED.read_text().splitlines()
    recorded = [line for line in lines if not line.startswith("#")]
    assert readable(requests, train.repository) == recorded
