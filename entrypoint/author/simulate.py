"""`pht simulate`: a whole route on one machine, every visit made by the real runner."""

import functools
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from entrypoint.author.advice import advise
from entrypoint.author.container_visit import visit_in_container
from entrypoint.author.decrypt_results import open_results
from entrypoint.author.engine import check_image
from entrypoint.author.fixed_paths import refuse_fixed_paths
from entrypoint.author.local_visit import Isolation, visit
from entrypoint.author.output import check_apart, check_free, new_folder
from entrypoint.author.simulation import (
    USER_KEY,
    Plan,
    Simulation,
    find_stations,
    prepare,
    work_folder,
)
from entrypoint.author.stop import make_root
from entrypoint.author.stop_display import StopDisplay
from entrypoint.author.visit_result import VisitResult
from entrypoint.errors import PhtError, SystemFailure
from entrypoint.model import LAYERS, Paths
from entrypoint.report import Outcome, Report, counted, show, table

_Visitor = Callable[[Paths, Path, Path, Callable[[], None]], VisitResult]
"""Takes the paths of a root, the data, the log, and the function that watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stop:
    """One stop: its number on the route, the station, its root, and the result of the visit."""

    number: int
    station: str
    paths: Paths
    result: VisitResult


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
        _repeat_warnings(stops, report)
        last = stops[-1]
        if not last.result.visited:
            return _explain(last, len(stations), plan, report)
        if plan.output is not None:
            with new_folder(plan.output) as results:
                open_results(last.paths, simulation.user, None, results, report)
    _summarise(stops, plan, report)
    _report_unlike(last, isolation, report)
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
) -> list[_Stop]:
    """Visit one station after another, up to the first visit that fails."""
    stops: list[_Stop] = []
    train = simulation.train
    for number, (station, key) in enumerate(simulation.keys.items(), start=1):
        paths = Paths(simulation.work / f"{number:02}-{station}")
        log = simulation.work / f"{number:02}-{station}.log"
        title = f"stop {number} of {len(simulation.keys)}: {station}"
        display = StopDisplay(title, log if plan.verbose else None, report)
        make_root(train, paths, station, key)
        result = make_visit(paths, plan.data / station, log, display.update)
        display.end()
        stops.append(_Stop(number=number, station=station, paths=paths, result=result))
        if not result.visited:
            break
        train = paths
    report.progress_done()
    return stops


def _repeat_warnings(stops: Sequence[_Stop], report: Report) -> None:
    """Log the warnings of the visits, each text once, with paths as a station would see them."""
    warned: dict[str, list[_Stop]] = {}
    for stop in stops:
        for warning in dict.fromkeys(stop.result.log.warnings):
            warned.setdefault(warning.replace(str(stop.paths.root), ""), []).append(stop)
    for warning, places in warned.items():
        report.warning(f"{_in_words(places)}: {warning}")


def _in_words(stops: Sequence[_Stop]) -> str:
    if len(stops) > 1:
        return f"stops {', '.join(str(stop.number) for stop in stops)}"
    return f"stop {stops[0].number}, station {stops[0].station}"


def _explain(failed: _Stop, count: int, plan: Plan, report: Report) -> int:
    """Report where a visit failed and the train's last lines; return the exit status."""
    result, keep = failed.result, plan.keep
    if not plan.verbose:
        for line in result.log.train:
            report.info(f"| {line}")
    if keep is None:
        report.info("to look at the folders of all stations, start again with --keep DIR")
    else:
        report.info(f"the folders and logs of all stations are in {keep}")
    stage = result.failure.get("stage", "start")
    place = f"stop {failed.number} of {count}, station {failed.station}, stage {stage}"
    report.error(_failure(place, result))
    outcome = _outcome(result)
    report.status(outcome, {"station": failed.station})
    return outcome.status


def _outcome(result: VisitResult) -> Outcome:
    """Return the outcome of a failed visit; where a station had to act, the author does."""
    facts = result.failure

    def word(name: str) -> str | None:
        return str(facts[name]) if name in facts else None

    by = word("by")
    return Outcome(
        result=word("result") or "runner-failed",
        status=result.status or 1,
        code=word("code"),
        stage=word("stage"),
        reason=word("reason"),
        by="author" if by == "station" else by,
        retry=word("retry") == "yes" if "retry" in facts else None,
        state=word("state"),
    )


def _failure(place: str, result: VisitResult) -> PhtError:
    """Return the runner's own error with its place, or one for a train or a runner that failed."""
    error, facts = result.log.error, result.failure
    # The train may imitate an error too: the runner's own has the code of its status line.
    if error.get("code") in {facts.get("code"), facts.get("result")} - {None}:
        return PhtError(
            str(error.get("code")),
            f"{place}: {error.get('message')}",
            hint=advise(facts, result.log.train) or str(error.get("hint")),
            problems=[str(problem) for problem in error.get("problems", ())],
        )
    if facts:
        return PhtError(
            str(facts.get("result")),
            f"{place}: the visit ended with status {result.status}",
            hint="the lines above are the train's last output",
        )
    return PhtError(
        "runner-failed",
        f"{place}: the runner ended with status {result.status}, "
        "without the status line of a visit",
        hint="see the lines above; without any, it was killed, or the image has another "
        "ENTRYPOINT; if the master image has another version of this program, build it again",
    )


def _summarise(stops: Sequence[_Stop], plan: Plan, report: Report) -> None:
    output, keep = plan.output, plan.keep
    show(table(("stop", "station", "status", "files", "bytes", "seconds"), [*map(_row, stops)]))
    report.info(f"the train has made its whole route of {counted(len(stops), 'stop')}")
    _report_layers(stops[-1], report)
    if output is not None:
        report.info(f"the decrypted final results are in {output}")
    if keep is not None:
        final, key = keep / stops[-1].paths.root.name, keep / USER_KEY
        words = ["pht", "decrypt-results", str(final), "--key", str(key), "--output", "DIR"]
        report.info(f"the folders, logs and keys of all stations are in {keep}")
        report.info(f"the output of each stop is in {keep / 'NN-STATION.log'}")
        report.info(f"to decrypt the final results by hand: {shlex.join(words)}")
    elif not plan.verbose:
        report.info("to see the output of each stop, start with -v, or with --keep DIR to keep it")
    if output is None and keep is None:
        report.info(
            "nothing was kept: start with --output DIR for the results, --keep DIR for all folders"
        )


def _report_layers(stop: _Stop, report: Report) -> None:
    """Log what separated the train from the keys, and what else may stop it at a station."""
    active = str(stop.result.log.facts.get("layers", "none"))
    others = [layer for layer in LAYERS if layer not in active.split(",")]
    more = f"; a station may also have: {','.join(others)}" if others else ""
    report.info(f"layers of protection: {active}{more}")


def _report_unlike(stop: _Stop, isolation: Isolation | None, report: Report) -> None:
    """Log the parts of this machine that the train could use, which no station has."""
    unlike = []
    if stop.result.log.facts.get("network") != "none":
        unlike.append("this machine's network")
    if isolation and not isolation.opt:
        unlike.append("this machine's /opt")
    if unlike:
        parts = " and ".join(unlike)
        report.info(f"the train could use {parts}, unlike at a station: try --image too")


def _row(stop: _Stop) -> list[str]:
    facts = stop.result.log.facts
    shown = [str(facts.get(name, "")) for name in ("result", "files", "bytes")]
    return [str(stop.number), stop.station, *shown, f"{stop.result.seconds:.1f}"]
