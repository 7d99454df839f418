"""The commands of a station, with their options."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.cli.status import surroundings
from entrypoint.errors import UsageError
from entrypoint.model import Paths
from entrypoint.report import Outcome, Report, Surroundings, show, stdout, write_out

if TYPE_CHECKING:
    from entrypoint.settings.settings import Settings


def add_run_options(parser: ArgumentParser) -> None:
    """Add the options of `run`."""
    text = "command of the train; after -- if it has options"
    parser.add_argument("command", nargs="*", metavar="COMMAND", help=text)


def run(options: Namespace, environment: Mapping[str, str], report: Report) -> int:
    """Make a whole visit."""
    from entrypoint.station.visit_export import VisitExport
    from entrypoint.visit import host_driven, story

    settings = _load(options, environment, report)
    if not options.command:
        raise UsageError(
            "no-command", "there is no command to run", hint="give it after pht run --"
        )

    if host_driven.may_be_host_driven(settings):
        return _conclude(host_driven.run(settings, report, options.command), report)
    export = VisitExport(settings, report)
    return _conclude(story.run(settings, report, options.command, export=export), report)


def pre_run(options: Namespace, environment: Mapping[str, str], report: Report) -> int:
    """Verify and decrypt a train."""
    from entrypoint.station.visit_export import VisitExport
    from entrypoint.visit import story

    settings = _load(options, environment, report)
    return _conclude(story.pre_run(settings, report, export=VisitExport(settings, report)), report)


def post_run(options: Namespace, environment: Mapping[str, str], report: Report) -> int:
    """Seal the results of a train that `pre-run` has opened."""
    from entrypoint.station.visit_export import VisitExport
    from entrypoint.visit import story

    settings = _load(options, environment, report)
    return _conclude(story.post_run(settings, report, export=VisitExport(settings, report)), report)


def undo(options: Namespace, environment: Mapping[str, str], report: Report) -> int:
    """Put the encrypted state back."""
    from entrypoint.visit import story

    settings = _load(options, environment, report)
    return _conclude(story.undo(settings, report), report)


def check(options: Namespace, environment: Mapping[str, str], report: Report) -> int:
    """Verify a train and write nothing."""
    from entrypoint.station.check import check

    settings = _load(options, environment, report)
    return _conclude(check(settings, report), report)


def query(options: Namespace, environment: Mapping[str, str], report: Report) -> int:
    """Print the verified query.json."""
    from entrypoint.station.query import query

    settings = _load(options, environment, report)
    return _conclude(query(settings, report, write_out), report)


def add_inspect_options(parser: ArgumentParser) -> None:
    """Add the options of `inspect`."""
    text = "the archive of a train's image; - is stdin; default: the train in /opt"
    parser.add_argument("image", nargs="?", metavar="IMAGE.tar", help=text)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON instead of tables")
    text = "print the lines that pin the train's keys in the station's file `trust`"
    form.add_argument("--trust-lines", action="store_true", help=text)


def inspect(options: Namespace, _environment: Mapping[str, str], _report: Report) -> int:
    """Show the route and each stop."""
    from entrypoint.station import inspect as desk

    paths = Paths(options.root or Path("/"))
    config = desk.config_in_archive(options.image) if options.image else desk.config_in(paths)
    train = None if options.image else paths.train
    if options.trust_lines:
        show(desk.trust_lines(config))
    else:
        show(desk.inspect(config, train, as_json=options.json))
    return 0


def add_export_options(parser: ArgumentParser) -> None:
    """Add the options of `export`."""
    text = "the tar to write; - is stdout"
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help=text)


def export(options: Namespace, environment: Mapping[str, str], report: Report) -> int:
    """Write the train's paths as a tar."""
    from entrypoint.settings.load import expected_train
    from entrypoint.station.export import export, write

    paths, in_container = Paths(options.root or Path("/")), options.root is None
    expected = expected_train(paths, environment)
    if str(options.output) == "-":
        output = stdout()
        config = write(paths, output, expected)
        output.flush()
    else:
        config = export(paths, options.output, in_container=in_container, expected=expected)
        report.info(f"the train {config.train_id} is in {options.output}")
    known = Surroundings(train=config.train_id, session=config.session_id.hex())
    return _conclude(Outcome(result="done", surroundings=known), report)


def add_hand_over_options(parser: ArgumentParser) -> None:
    """Add the options of `hand-over`."""
    text = "the folder that holds the sealed train, as /opt of its container does"
    parser.add_argument("--from", required=True, type=Path, metavar="DIR", dest="source", help=text)


def hand_over(options: Namespace, _environment: Mapping[str, str], report: Report) -> int:
    """Put a sealed train into the image that it leaves on."""
    from entrypoint.station.hand_over import SealedTrain, hand_over

    target = Paths(options.root or Path("/"))
    hand_over(SealedTrain(options.source), target, in_container=options.root is None)
    report.info(f"the train in {options.source} is in {target.opt} too, and was compared")
    return 0


def add_ledger_options(parser: ArgumentParser) -> None:
    """Add the options of `ledger`."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    text = "a session id, or 16 or more of its first digits; may be repeated"
    parser.add_argument("--forget", action="append", default=[], metavar="SESSION", help=text)


def ledger(options: Namespace, _environment: Mapping[str, str], report: Report) -> int:
    """List the entries of the ledger, or forget some."""
    from entrypoint.station.ledger import forget, list_entries, open_ledger

    found = open_ledger(Paths(options.root or Path("/")), in_container=options.root is None)
    if options.forget:
        forget(found, options.forget, report)
    else:
        list_entries(found, show, as_json=options.json)
    return 0


def add_doctor_options(parser: ArgumentParser) -> None:
    """Add the options of `doctor`."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def doctor(options: Namespace, environment: Mapping[str, str], report: Report) -> int:
    """Examine the station without a train."""
    from entrypoint.process.dumpable import protect_memory
    from entrypoint.station import doctor

    protect_memory()
    rows = doctor.examine(options.root, environment, report)
    show(doctor.json_of(rows) if options.json else doctor.text_of(rows))
    return _conclude(doctor.outcome_of(rows), report)


def _load(options: Namespace, environment: Mapping[str, str], report: Report) -> "Settings":
    """Return the station's settings, and write the log in the form that they choose.

    Until now it had the form of the environment, but PHT_LOG may be set in station.env too.
    """
    from entrypoint.process.dumpable import protect_memory
    from entrypoint.settings.load import load

    protect_memory()  # the commands that load the key begin here
    settings = load(options.root, environment)
    report.as_json = settings.log_json
    return settings


def _conclude(outcome: Outcome, report: Report) -> int:
    """Write the status line and return the exit status."""
    report.status(outcome, surroundings(outcome.surroundings))
    return outcome.status
