"""`pht simulate`: a whole route on one desk, every visit made by the real runner."""

import functools
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from entrypoint.author.container import check_image, visit_in_container
from entrypoint.author.decrypt_results import open_results
from entrypoint.author.desk import USER_KEY, Desk, find_stations, prepare, work_folder
from entrypoint.author.output import check_apart, check_free, new_folder
from entrypoint.author.runner import Ended, lay_out, visit
from entrypoint.errors import PhtError, SystemFailure
from entrypoint.model import Paths
from entrypoint.report import Fact, Outcome, Report, show, table

_MakeVisit = Callable[[Paths, Sequence[str], Path], Ended]


@dataclass(frozen=True)
class _Visit:
    """One visit: its number on the route, whose, where, and how it ended."""

    number: int
    station: str
    paths: Paths
    ended: Ended


def simulate(
    train: Path,
    data: Path,
    *,
    route: Sequence[str] | None,
    keys: Path | None,
    output: Path | None,
    keep: Path | None,
    image: str | None,
    generation: str,
    command: Sequence[str],
    report: Report,
) -> int:
    """Send a train through all stations and return 0, or the status of the visit that failed.

    Args:
        train: the folder with the train's files.
        data: holds one folder of data for each station, named by its id.
        route: ids in the order of the visits; by default all folders, numbers in them counted.
        keys: holds ID.private.pem or ID.pem of stations that have a key; the others get one.
        output: a new or empty folder for the decrypted final results.
        keep: a new or empty folder in which the roots, logs and keys of all stations stay.
        image: what every stop is a container of; None for processes of this machine.
        generation: of the train.
        command: of the train, run at every station.

    Raises:
        PhtError: the simulation cannot begin, or the final results are not right.
    """
    make_visit = _visitor(image)
    stations = find_stations(data, route)
    check_apart(train, (output, keep))
    for folder in (output, keep):
        if folder is not None:
            check_free(folder)
    with work_folder(keep) as work:
        report.progress("making keys and the train")
        desk = prepare(train, data, stations, keys, generation, work, report)
        visits = _travel(desk, make_visit, command, report)
        last = visits[-1]
        if not last.ended.visited:
            return _explain(last, len(stations), keep, report)
        if output is not None:
            with new_folder(output) as results:
                open_results(last.paths, desk.user, None, results, report)
    _summarise(visits, output, keep, report)
    return 0


def _visitor(image: str | None) -> _MakeVisit:
    """Return what makes one visit; refuse if nothing here can."""
    if image is not None:
        check_image(image)
        return functools.partial(visit_in_container, image)
    if sys.platform != "linux":
        raise SystemFailure(
            "linux-needed",
            "the runner, which makes the visits, works on Linux only",
            hint="name a master image with --image, and every stop is a container of it",
            by="author",
        )
    return visit


def _travel(
    desk: Desk, make_visit: _MakeVisit, command: Sequence[str], report: Report
) -> list[_Visit]:
    """Make one visit after another, up to the first that fails."""
    visits: list[_Visit] = []
    train = desk.train
    for number, (station, key) in enumerate(desk.keys.items(), start=1):
        report.progress(f"stop {number} of {len(desk.keys)}: {station}")
        paths = Paths(desk.work / f"{number:02}-{station}")
        lay_out(train, paths, station, key, desk.data / station)
        ended = make_visit(paths, command, desk.work / f"{number:02}-{station}.log")
        visits.append(_Visit(number, station, paths, ended))
        if not ended.visited:
            break
        train = paths
    report.progress_done()
    return visits


def _explain(failed: _Visit, stops: int, keep: Path | None, report: Report) -> int:
    """Say where a visit failed and show what the train wrote last; return the exit status."""
    ended = failed.ended
    for line in ended.log.train:
        report.info(f"| {line}")
    if keep is None:
        report.info("with --keep DIR the folders of all stations stay for a look at them")
    else:
        report.info(f"the folders and logs of all stations are in {keep}")
    stage = ended.failure.get("stage", "start")
    place = f"stop {failed.number} of {stops}, station {failed.station}, stage {stage}"
    report.error(_failure(place, ended))
    outcome, surroundings = _outcome(ended)
    report.status(outcome, {**surroundings, "station": failed.station})
    return outcome.status


def _outcome(ended: Ended) -> tuple[Outcome, dict[str, Fact]]:
    """Return how a failed visit ended, and the other facts of its status line."""
    facts = dict(ended.failure)
    status = ended.status or 1
    facts.pop("status", None)

    def word(name: str) -> str | None:
        return str(facts.pop(name)) if name in facts else None

    retry = word("retry")
    outcome = Outcome(
        result=word("result") or "runner-failed",
        status=status,
        code=word("code"),
        stage=word("stage"),
        reason=word("reason"),
        by=word("by"),
        retry=None if retry is None else retry == "yes",
        state=word("state"),
    )
    return outcome, facts


def _failure(place: str, ended: Ended) -> PhtError:
    """Return the runner's own refusal, or one for a train or a runner that failed."""
    error, facts = ended.log.error, ended.failure
    # The runner's own: it says one before such a status line, behind what the train has written.
    if error.get("code") in {facts.get("code"), facts.get("result")} - {None}:
        return PhtError(
            str(error.get("code")),
            f"{place}: {error.get('message')}",
            hint=str(error.get("hint")),
            problems=[str(problem) for problem in error.get("problems", ())],
        )
    if facts:
        return PhtError(
            str(facts.get("result")),
            f"{place}: the visit ended with status {ended.status}",
            hint="the lines above are the last that the train wrote",
        )
    return PhtError(
        "runner-failed",
        f"{place}: the runner ended with status {ended.status}, without the status line of a visit",
        hint="the lines above say why, unless it was killed, or the image has another ENTRYPOINT",
    )


def _summarise(
    visits: Sequence[_Visit], output: Path | None, keep: Path | None, report: Report
) -> None:
    show(table(("stop", "station", "status", "files", "bytes", "seconds"), [*map(_row, visits)]))
    if output is not None:
        report.info(f"the final results, decrypted, are in {output}")
    if keep is not None:
        final, key = keep / visits[-1].paths.root.name, keep / USER_KEY
        words = ["pht", "decrypt-results", str(final), "--key", str(key), "--output", "DIR"]
        report.info(f"the folders, logs and keys of all stations are in {keep}")
        report.info(f"by hand: {shlex.join(words)}")
    if output is None and keep is None:
        report.info("nothing was kept: --output DIR is for the results, --keep DIR for all folders")


def _row(made: _Visit) -> list[str]:
    facts = made.ended.log.facts
    shown = [str(facts.get(name, "")) for name in ("result", "files", "bytes")]
    return [str(made.number), made.station, *shown, f"{made.ended.seconds:.1f}"]
