"""`pht simulate`: a whole route on one machine, every visit made by the real runner."""

import functools
from collections.abc import Callable
from pathlib import Path

from entrypoint.author.container_visit import visit_in_container
from entrypoint.author.decrypt_results import open_results
from entrypoint.author.engine import check_image
from entrypoint.author.fixed_paths import refuse_fixed_paths
from entrypoint.author.local_visit import Isolation, visit
from entrypoint.author.output import check_apart, check_free, new_folder
from entrypoint.author.plan import Plan
from entrypoint.author.route_report import (
    FinishedStop,
    explain_failure,
    repeat_warnings,
    summarise,
)
from entrypoint.author.simulation import Simulation, find_stations, prepare, work_folder
from entrypoint.author.stop import make_root
from entrypoint.author.stop_display import StopDisplay
from entrypoint.author.visit_result import VisitResult
from entrypoint.errors import SystemFailure
from entrypoint.model import Paths
from entrypoint.report import Report

_Visitor = Callable[[Paths, Path, Path, Callable[[], None]], VisitResult]
"""Takes the paths of a root, the data, the log, and the function that watches."""


def simulate(plan: Plan, isolation: Isolation | None, report: Report) -> int:
    """Send a train through all stations and return 0, or the status of the visit that failed.

    Args:
        plan: the train, its route, and how to simulate it.
        isolation: keeps stops that are processes apart from this machine; None where a stop cannot
            be one.
        report: takes the log.

    Raises:
        PhtError: the simulation cannot begin, or the final results do not verify.
    """
    make_visit = _visitor(plan, isolation)
    stations = find_stations(plan.data, plan.route)
    folders = (plan.output, plan.keep)
    check_apart(plan.train, folders)
    for folder in folders:
        if folder is not None:
            check_free(folder)
    with work_folder(plan.keep) as work:
        report.progress("making keys and the train")
        simulation = prepare(plan, stations, work, report)
        if isolation and not isolation.opt:
            refuse_fixed_paths(plan.train, simulation.files)
        stops = _travel(simulation, make_visit, plan, report)
        repeat_warnings(stops, report)
        last = stops[-1]
        if not last.result.visited:
            return explain_failure(last, len(stations), plan, report)
        if plan.output is not None:
            with new_folder(plan.output) as results:
                open_results(last.paths, simulation.user, None, results, report)
    summarise(stops, plan, isolation, report)
    return 0


def _visitor(plan: Plan, isolation: Isolation | None) -> _Visitor:
    """Return the function that makes one visit: in a container, or as a process of this machine."""
    if plan.image is not None:
        check_image(plan.image)
        return functools.partial(visit_in_container, plan)
    if isolation is None:
        raise SystemFailure(
            "linux-needed",
            "the runner, which makes the visits, works only on Linux",
            hint="name a master image with --image: then every stop is a container of it",
        )
    return functools.partial(visit, plan, isolation)


def _travel(
    simulation: Simulation, make_visit: _Visitor, plan: Plan, report: Report
) -> list[FinishedStop]:
    """Visit one station after another, up to the first visit that fails."""
    stops: list[FinishedStop] = []
    train = simulation.train
    for number, (station, key) in enumerate(simulation.keys.items(), start=1):
        paths = Paths(simulation.work / f"{number:02}-{station}")
        log = simulation.work / f"{number:02}-{station}.log"
        title = f"stop {number} of {len(simulation.keys)}: {station}"
        display = StopDisplay(title, log if plan.verbose else None, report)
        make_root(train, paths, station, key)
        result = make_visit(paths, plan.data / station, log, display.update)
        display.end()
        stops.append(FinishedStop(number=number, station=station, paths=paths, result=result))
        if not result.visited:
            break
        train = paths
    report.progress_done()
    return stops
