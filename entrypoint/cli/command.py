"""One command of the program: its name, its help, whom it is for, and where it may run."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from entrypoint.report import Report


class InContainer(Enum):
    """Rules for a command in a container, where the image chooses the command."""

    ALLOWED = auto()
    WITHOUT_STATION = auto()
    """Only without a station's key or data in reach, which an image could otherwise misuse."""
    NEVER = auto()
    """It signs or leaves plaintext behind; only an operator at a shell may start it."""


def no_options(_parser: ArgumentParser) -> None:
    """Add no option to the parser of a command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A row of the table of commands.

    Attributes:
        name: the word on the command line.
        summary: one line of help.
        audience: whom it is for.
        function: takes the options, the environment of the program and the log; returns the exit
            status.
        add_options: adds its options to a parser.
        in_container: whether it may be the command of a container.
        keeps_stop_signals: whether it unblocks the signals that stop a container itself, once it
            has installed its handlers.
        needs_cryptography: whether an old or missing `cryptography` is refused first.
    """

    name: str
    summary: str
    audience: Literal["station", "author", "user", "everybody"]
    function: Callable[[Namespace, Mapping[str, str], Report], int]
    add_options: Callable[[ArgumentParser], None] = no_options
    in_container: InContainer
    keeps_stop_signals: bool = False
    needs_cryptography: bool = True

    @property
    def operator(self) -> str:
        """The `by` of the status line for mistakes in its arguments and inputs."""
        return "user" if self.audience == "everybody" else self.audience
