"""Parses the command line and writes the help, both from the table of commands."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from entrypoint import __version__
from entrypoint.cli.command import Command
from entrypoint.errors import UsageError
from entrypoint.report import flush

_DESCRIPTION = """usage: pht COMMAND [OPTIONS]

Runs a Personal Health Train: verifies it, decrypts the results, runs the train's command, signs and
encrypts the new results. Arguments that begin with none of these commands are the train's command
for a whole visit."""
_HEADINGS = {
    "station": "at a station",
    "author": "for the author of a train",
    "user": "for the user of the results",
    "everybody": "for everybody",
}
_ROOT = "folder that stands for /, to work without a container"


class _Parser(argparse.ArgumentParser):
    """Raises UsageError for arguments that it does not understand."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise usage_error(message)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Flush the help or the version that was written, then raise SystemExit."""
        flush()
        super().exit(status, message)


def parse(arguments: Sequence[str], commands: Mapping[str, Command]) -> argparse.Namespace:
    """Return the name and the options of one command; what follows `--` is the train's command.

    Raises:
        UsageError: the arguments cannot be understood.
    """
    options, command = _split(arguments)
    parsed = _parser(commands).parse_args(options)
    if "command" in parsed:
        parsed.command = [*parsed.command, *command]
    elif command:
        raise usage_error(f"{parsed.name} takes no command")
    return parsed


def help_text(commands: Mapping[str, Command]) -> str:
    """Return the output of `pht help`."""
    parts = [_DESCRIPTION]
    for audience, heading in _HEADINGS.items():
        rows = [row for row in commands.values() if row.audience == audience]
        parts.append(
            "\n".join([f"{heading}:", *(f"  {row.name:15}  {row.summary}" for row in rows)])
        )
    parts.append("pht COMMAND --help shows the options of a command, pht --version the version.")
    return "\n\n".join(parts) + "\n"


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the arguments before the first `--` and those behind it."""
    words = list(arguments)
    position = words.index("--") if "--" in words else len(words)
    return words[:position], words[position + 1 :]


def _parser(commands: Mapping[str, Command]) -> _Parser:
    parser = _Parser(prog="pht", add_help=False, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"pht {__version__}")
    parsers = parser.add_subparsers(dest="name", required=True)
    for row in commands.values():
        command = parsers.add_parser(row.name, description=row.summary, allow_abbrev=False)
        if row.audience == "station":
            command.add_argument("--root", type=Path, metavar="DIR", help=_ROOT)
        row.add_options(command)
    return parser


def usage_error(problem: str) -> UsageError:
    """Return the error of a command line that cannot be understood."""
    hint = "pht help lists the commands, pht COMMAND --help the options of one"
    return UsageError("usage", problem, hint=hint)
