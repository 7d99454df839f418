"""Reports how a simulated route has ended: its warnings, its results, or the failure of a stop."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from entrypoint.author.advice import advise
from entrypoint.author.local_visit import Isolation
from entrypoint.author.plan import Plan
from entrypoint.author.simulation import USER_KEY
from entrypoint.author.visit_result import VisitResult
from entrypoint.errors import PhtError
from entrypoint.model import LAYERS, Paths
from entrypoint.report import Outcome, Report, counted, show, table


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedStop:
    """A stop whose visit has ended: its number, the station, its root, and the result."""

    number: int
    station: str
    paths: Paths
    result: VisitResult


def repeat_warnings(stops: Sequence[FinishedStop], report: Report) -> None:
    """Log the warnings of the visits, each text once, with paths as a station would see them."""
    warned: dict[str, list[FinishedStop]] = {}
    for stop in stops:
        for warning in dict.fromkeys(stop.result.log.warnings):
            warned.setdefault(warning.replace(str(stop.paths.root), ""), []).append(stop)
    for warning, places in warned.items():
        report.warning(f"{_in_words(places)}: {warning}")


def _in_words(stops: Sequence[FinishedStop]) -> str:
    if len(stops) > 1:
        return f"stops {', '.join(str(stop.number) for stop in stops)}"
    return f"stop {stops[0].number}, station {stops[0].station}"


def explain_failure(failed: FinishedStop, count: int, plan: Plan, report: Report) -> int:
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


def summarise(
    stops: Sequence[FinishedStop], plan: Plan, isolation: Isolation | None, report: Report
) -> None:
    """Report a whole route, where its results are, and how it differed from one of stations.

    Args:
        stops: all of the route.
        plan: of the simulation.
        isolation: as `simulate` was given it.
        report: takes the log.
    """
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
        report.info("the results were not kept: start with --output DIR to keep them")
    _report_unlike(stops[-1], isolation, report)


def _report_layers(stop: FinishedStop, report: Report) -> None:
    """Log what separated the train from the keys, and what else may stop it at a station."""
    active = str(stop.result.log.facts.get("layers", "none"))
    others = [layer for layer in LAYERS if layer not in active.split(",")]
    more = f"; a station may also have: {','.join(others)}" if others else ""
    report.info(f"layers of protection: {active}{more}")


def _report_unlike(stop: FinishedStop, isolation: Isolation | None, report: Report) -> None:
    """Log the parts of this machine that the train could use, which no station has."""
    unlike = []
    if stop.result.log.facts.get("network") != "none":
        unlike.append("this machine's network")
    if isolation and not isolation.opt:
        unlike.append("this machine's /opt")
    if unlike:
        parts = " and ".join(unlike)
        report.info(f"the train could use {parts}, unlike at a station: try --image too")


def _row(stop: FinishedStop) -> list[str]:
    facts = stop.result.log.facts
    shown = [str(facts.get(name, "")) for name in ("result", "files", "bytes")]
    return [str(stop.number), stop.station, *shown, f"{stop.result.seconds:.1f}"]
