"""One command of the program: its name, its help, whom it is for, and where it may run."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from entrypoint.report import Report


class InContainer(Enum):
    """Whether the command of a container, which an image chooses, may be this one."""

    ALLOWED = auto()
    WITHOUT_STATION = auto()
    """Only without a station's key or data in reach: with them the command could sign, open results
    or run what nobody has signed."""
    NEVER = auto()
    """It signs, or leaves plaintext behind, for somebody who works in a shell."""


def no_options(_parser: ArgumentParser) -> None:
    """Add no option to the parser of a command."""


@dataclass(frozen=True, kw_only=True)
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
    """

    name: str
    summary: str
    audience: Literal["station", "author", "user", "everybody"]
    function: Callable[[Namespace, Mapping[str, str], Report], int]
    add_options: Callable[[ArgumentParser], None] = no_options
    in_container: InContainer

    @property
    def operator(self) -> str:
        """Who acts on a mistake in its arguments or inputs, as the status line names him."""
        return "user" if self.audience == "everybody" else self.audience
