"""Rules for the program as the ENTRYPOINT of an image, whose ENV and CMD may be hostile.

They do not apply where somebody has chosen another entrypoint (`docker run --entrypoint`,
`docker exec`, a shell).
"""

import os
import re
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from entrypoint.cli.command import Command, InContainer
from entrypoint.errors import SettingsError, UsageError
from entrypoint.linux.initial_environment import initial_environment
from entrypoint.model import Paths
from entrypoint.settings.load import inputs_present
from entrypoint.settings.names import LOADING_CODE

_BUILT_WITH = Path(__file__).parents[2] / "ld_library_path"
_OF_APPTAINER = "/.singularity.d/libs"
"""Apptainer adds this folder. It is safe to accept from an image: one that can put a library there
can also replace the system's."""


def check_environment() -> None:
    """Refuse environment variables that load code of an image into this process.

    They have already taken effect, but the key has not been read yet, and images that set them by
    accident are reported.

    Raises:
        SettingsError: one of them is set.
    """
    # Not os.environ: Python removes one of these variables from it.
    for variable in initial_environment():
        name, _, value = os.fsdecode(variable).partition("=")
        if value:
            check_variable(name, value)


def check_variable(name: str, value: str) -> None:
    """Refuse one variable if it loads code into this process."""
    if name in LOADING_CODE:
        raise _refused(
            f"{name} is set, which loads code into this process",
            f"empty it with the option --env {name}= of docker run; what the train itself "
            "needs goes into station.env",
        )
    if name == "LD_LIBRARY_PATH":
        folders = _libraries_of_the_base()
        named = re.split("[:;]", value)
        if not {*folders, _OF_APPTAINER}.issuperset(named) or any(map(_is_below_opt, named)):
            raise _refused(
                f"{name}, which loads code into this process, names folders that it did not name "
                "when the master image was built, or that lie below /opt",
                f"set it with the option --env {name}={':'.join(folders)} of docker run",
            )


def _libraries_of_the_base() -> list[str]:
    """Return the folders of LD_LIBRARY_PATH at the build, without those that a train can fill."""
    built_with = _BUILT_WITH.read_text() if _BUILT_WITH.exists() else ""
    return [path for path in re.split("[:;]", built_with) if path and not _is_below_opt(path)]


def _is_below_opt(path: str) -> bool:
    opt = Paths(Path("/")).opt
    return any(place.is_relative_to(opt) for place in (Path(path), Path(path).resolve()))


def check_command(command: Command, options: Namespace, environment: Mapping[str, str]) -> None:
    """Refuse commands by which an image could weaken a visit.

    Raises:
        UsageError: the command, or its option --root, is not for a container, or not for this one.
        SettingsError: the station folder cannot be read.
    """
    root = getattr(options, "root", None) is not None
    if root or command.in_container is InContainer.NEVER:
        raise UsageError(
            "not-in-a-container",
            f"{'--root' if root else command.name} is not for the command of a container",
            hint="give the container only the train's command; run this on the host, with --root",
        )
    if command.in_container is InContainer.ALLOWED:
        return
    present = inputs_present(Paths(Path("/")), environment)
    if present:
        raise UsageError(
            "not-in-a-container",
            f"{command.name} is not for a container with a train, or with a key or data of a "
            f"station: {', '.join(present)}",
            hint="start a container of the master image without them, or install the program and "
            "run it outside of containers",
        )


def _refused(problem: str, hint: str) -> SettingsError:
    return SettingsError("environment-loads-code", problem, hint=hint)
