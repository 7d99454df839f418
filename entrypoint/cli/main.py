"""The command line: from arguments to one command, from what happens to an exit status.

What needs Linux is imported when a command wants it: keys, trains and results are made and opened
on other systems too. A visit has imported everything before the train starts, which could change
modules on disk and so run in the process that holds the station's key.
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

from entrypoint import __version__
from entrypoint.cli.options import help_text, parse
from entrypoint.errors import PhtError, UsageError, storage_error, unexpected
from entrypoint.model import Paths
from entrypoint.report import Fact, Outcome, Report, complete_streams, show, stdout, write_out

_IFF_UP = 1
"""The flag of netdevice(7) that says that a network device is switched on."""

_Command = Callable[[SimpleNamespace, Mapping[str, str], Report], int]
"""Takes the options, the environment with which the program was started, and the log."""

_AS_ENTRYPOINT = "--as-entrypoint"
"""Stands in the ENTRYPOINT of the master images, where no CMD can take it away."""


def main(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
) -> int:
    """Run one command and return its exit status (docs/station.md, "Exit statuses").

    In a container the image chooses the command, and whoever reads how it ended reads the last
    line: each ends with a status line of its own there.

    Args:
        arguments: by default those of this process.
        environment: with which the program was started; by default that of this process.
    """
    complete_streams()
    words = sys.argv[1:] if arguments is None else list(arguments)
    environment = os.environ if environment is None else environment
    report = Report(as_json=environment.get("PHT_LOG") == "json")
    as_entrypoint = words[:1] == [_AS_ENTRYPOINT]
    if as_entrypoint:
        del words[0]
    status = _run_one(words, environment, report, as_entrypoint=as_entrypoint)
    if as_entrypoint and not report.ended:
        result = "interrupted" if status else "done"
        report.status(Outcome(result=result, status=status), _surroundings())
    return status


def _run_one(
    words: list[str], environment: Mapping[str, str], report: Report, *, as_entrypoint: bool
) -> int:
    try:
        options = _parse_as_entrypoint(words, environment) if as_entrypoint else parse(words)
        if options.name != "run" and hasattr(signal, "pthread_sigmask"):
            # A visit lets those through that `__main__` has blocked when it can note them.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
        if options.name != "help":
            import entrypoint.crypto  # noqa: F401 - refuses an old or missing `cryptography`
        return _COMMANDS[options.name](options, environment, report)
    except PhtError as error:
        return _refuse(report, error)
    except OSError as error:
        return _refuse(report, storage_error(error))
    except SystemExit:
        return 0  # argparse has shown a help or the version
    except KeyboardInterrupt:
        report.progress_done()
        return 130
    except Exception as error:
        return _refuse(report, unexpected(error))


def _parse_as_entrypoint(words: list[str], environment: Mapping[str, str]) -> SimpleNamespace:
    """Return the options of a command that the image may have chosen, if it may choose this one."""
    from entrypoint.cli import container_rules

    container_rules.check_environment()
    options = parse(words)
    container_rules.check_command(options, environment)
    return options


def _refuse(report: Report, error: PhtError) -> int:
    report.progress_done()
    report.error(error)
    report.status(Outcome.refused(error), _surroundings())
    return error.status


def _surroundings() -> dict[str, Fact]:
    """Return what every status line says about protection: nothing is claimed that is not there."""
    try:
        network = network_of(Path("/proc/self/net/dev").read_bytes())
    except OSError:
        network = "unknown"
    return {"network": network, "trust": "none", "layers": "none", "runner": __version__}


def network_of(devices: bytes) -> str:
    """Return `none` if nothing but the loopback is up.

    Kernels with tunnels built in put one of each kind into every network namespace, switched off.

    Args:
        devices: the table of proc(5), "/proc/net/dev".
    """
    names = {line.split(b":")[0].strip() for line in devices.splitlines() if b":" in line}
    if not names:
        return "unknown"
    return "open" if any(map(_is_up, names - {b"lo"})) else "none"


def _is_up(device: bytes) -> bool:
    """Return whether a network device is switched on, or nobody tells."""
    try:
        flags = Path("/sys/class/net", os.fsdecode(device), "flags").read_bytes()
        return bool(int(flags, 16) & _IFF_UP)
    except (OSError, ValueError):
        return True


# The commands


def _interruptible(command: _Command) -> _Command:
    """Let a command at the desk take its plaintext away however it is told to end."""

    def run(options: SimpleNamespace, environment: Mapping[str, str], report: Report) -> int:
        from entrypoint.author.interrupt import interruptible

        with interruptible():
            return command(options, environment, report)

    return run


def _help(_options: SimpleNamespace, _environment: Mapping[str, str], _report: Report) -> int:
    show(help_text())
    return 0


def _run(options: SimpleNamespace, environment: Mapping[str, str], report: Report) -> int:
    from entrypoint.settings.load import load
    from entrypoint.station.visit_export import VisitExport
    from entrypoint.visit import hosted, story

    loaded = load(options.root, environment)
    report.as_json = loaded.log_json
    if not options.command:
        raise UsageError("no-command", "there is no command to run", hint="pht run -- COMMAND…")

    if hosted.may_be_host_driven(loaded):
        return _conclude(hosted.run(loaded, report, options.command), report)
    export = VisitExport(loaded, report)
    return _conclude(story.run(loaded, report, options.command, export=export), report)


def _conclude(outcome: Outcome, report: Report) -> int:
    """Write the status line and return the exit status."""
    report.status(outcome, _surroundings())
    return outcome.status


def _half(options: SimpleNamespace, environment: Mapping[str, str], report: Report) -> int:
    from entrypoint.settings.load import load
    from entrypoint.station.visit_export import VisitExport
    from entrypoint.visit import story

    loaded = load(options.root, environment)
    report.as_json = loaded.log_json
    half = story.pre_run if options.name == "pre-run" else story.post_run
    return _conclude(half(loaded, report, export=VisitExport(loaded, report)), report)


def _undo_or_check(options: SimpleNamespace, environment: Mapping[str, str], report: Report) -> int:
    from entrypoint.settings.load import load
    from entrypoint.visit import story

    loaded = load(options.root, environment)
    report.as_json = loaded.log_json
    command = story.undo if options.name == "undo" else story.check
    return _conclude(command(loaded, report), report)


def _inspect(options: SimpleNamespace, _environment: Mapping[str, str], _report: Report) -> int:
    from entrypoint.station.inspect import inspect

    show(inspect(Paths(options.root or Path("/")), as_json=options.json))
    return 0


def _query(options: SimpleNamespace, environment: Mapping[str, str], report: Report) -> int:
    from entrypoint.settings.load import load
    from entrypoint.visit import story

    loaded = load(options.root, environment)
    report.as_json = loaded.log_json
    return _conclude(story.query(loaded, report, write_out), report)


def _export(options: SimpleNamespace, _environment: Mapping[str, str], report: Report) -> int:
    from entrypoint.station.export import export, write

    paths = Paths(options.root or Path("/"))
    if str(options.output) == "-":
        output = stdout()
        write(paths, output)
        output.flush()
    else:
        export(paths, options.output, in_container=options.root is None)
        report.info(f"the train is in {options.output}")
    return 0


@_interruptible
def _keygen(options: SimpleNamespace, _environment: Mapping[str, str], report: Report) -> int:
    from entrypoint.author.keygen import keygen

    keygen(
        options.key_name,
        bits=options.bits,
        password_file=options.password_file,
        no_password=options.no_password,
        report=report,
    )
    return 0


@_interruptible
def _create(options: SimpleNamespace, _environment: Mapping[str, str], report: Report) -> int:
    from entrypoint.author.create import create

    create(
        options.train,
        options.output,
        generation=options.generation,
        user_key=options.user_key,
        password_file=options.password_file,
        builder_key=options.builder_key,
        builder_password_file=options.builder_password_file,
        user=options.user,
        train_id=options.train_id,
        stations=options.station,
        proposal=options.proposal,
        master_image=options.master_image,
        report=report,
    )
    return 0


@_interruptible
def _decrypt_results(
    options: SimpleNamespace, _environment: Mapping[str, str], report: Report
) -> int:
    from entrypoint.author.decrypt_results import decrypt_results

    decrypt_results(
        options.source,
        options.output,
        key=options.key,
        password_file=options.password_file,
        station=options.station,
        report=report,
    )
    return 0


@_interruptible
def _simulate(options: SimpleNamespace, _environment: Mapping[str, str], report: Report) -> int:
    from entrypoint.author.simulate import simulate

    if not options.command:
        raise UsageError(
            "no-command",
            "there is no command to run at the stations",
            hint="end with the CMD of the image: -- python /opt/pht_train/FILE",
            by="author",
        )
    return simulate(
        options.train,
        options.data,
        route=options.route,
        keys=options.keys,
        output=options.output,
        keep=options.keep,
        image=options.image,
        generation=options.generation,
        command=options.command,
        report=report,
    )


_COMMANDS: dict[str, _Command] = {
    "run": _run,
    "pre-run": _half,
    "post-run": _half,
    "undo": _undo_or_check,
    "check": _undo_or_check,
    "inspect": _inspect,
    "query": _query,
    "export": _export,
    "keygen": _keygen,
    "create": _create,
    "simulate": _simulate,
    "decrypt-results": _decrypt_results,
    "help": _help,
}
