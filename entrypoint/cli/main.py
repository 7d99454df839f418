"""Runs one command and turns its outcome into an exit status and a status line.

Modules that need Linux are imported by the function of a command: keys, trains and results are made
and opened on other systems too. A visit has imported everything before the train starts: the train
could change modules on disk, and so run in the process that holds the station's key.
"""

import os
import signal
import sys
from collections.abc import Mapping, Sequence

from entrypoint.cli.command import Command
from entrypoint.cli.commands import COMMANDS, resolve
from entrypoint.cli.options import parse
from entrypoint.cli.status import surroundings, version
from entrypoint.errors import PhtError, storage_error, unexpected
from entrypoint.report import Outcome, Report, complete_streams

_AS_ENTRYPOINT = "--as-entrypoint"
"""The last word of the ENTRYPOINT of the master images, where no CMD can remove it."""


def main(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
) -> int:
    """Run one command and return its exit status (docs/station.md, "Exit statuses").

    In a container the image chooses the command, and the last line of the log is read as its
    outcome: there every command ends with a status line.

    Args:
        arguments: by default those of this process.
        environment: with which the program was started; by default that of this process.
    """
    complete_streams()
    words = sys.argv[1:] if arguments is None else list(arguments)
    environment = os.environ if environment is None else environment
    report = Report(as_json=environment.get("PHT_LOG") == "json")
    if words[:1] != [_AS_ENTRYPOINT]:
        return _run_command(words or ["help"], environment, report, as_entrypoint=False)
    status = _run_command(words[1:], environment, report, as_entrypoint=True)
    if not report.ended:
        result = "interrupted" if status else "done"
        report.status(Outcome(result=result, status=status), surroundings())
    return status


def _run_command(
    words: Sequence[str], environment: Mapping[str, str], report: Report, *, as_entrypoint: bool
) -> int:
    # Until the words have named a command, it decides whom a mistake concerns.
    command = COMMANDS["run" if as_entrypoint else "help"]
    try:
        command, words = resolve(words, at_desk=not as_entrypoint)
        return _parse_and_run(command, words, environment, report, as_entrypoint=as_entrypoint)
    except SystemExit:
        return 0  # argparse has shown a help or the version
    except KeyboardInterrupt:
        report.progress_done()
        return 130
    except PhtError as refusal:
        error = refusal
    except OSError as failure:
        error = storage_error(failure)
    except Exception as bug:
        error = unexpected(bug)
    report.progress_done()
    report.error(error)
    facts = surroundings() if as_entrypoint or command.audience == "station" else version()
    report.status(Outcome.refused(error, operator=command.operator), facts)
    return error.status


def _parse_and_run(
    command: Command,
    words: Sequence[str],
    environment: Mapping[str, str],
    report: Report,
    *,
    as_entrypoint: bool,
) -> int:
    if as_entrypoint:
        from entrypoint.cli import container_rules

        container_rules.check_environment()
        options = parse(words, COMMANDS)
        container_rules.check_command(command, options, environment)
    else:
        options = parse(words, COMMANDS)
    if not command.keeps_stop_signals and hasattr(signal, "pthread_sigmask"):
        # `__main__` blocks stop signals until a visit has installed its handlers; other commands
        # want the default action.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
    if command.needs_cryptography:
        import entrypoint.crypto  # noqa: F401 - refuses an old or missing `cryptography`
    return command.function(options, environment, report)
