"""Rules for the program as the ENTRYPOINT of an image, whose CMD may be hostile.

Whoever chooses another entrypoint (`docker run --entrypoint`, `docker exec`, a shell) has made the
choice himself, and no rule of these applies.
"""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

from entrypoint import settings
from entrypoint.errors import UsageError
from entrypoint.model import Paths

_NEVER = ("pre-run", "post-run", "undo")
"""Sign, or leave plaintext behind, for somebody who works in a shell."""
_AT_A_DESK = ("keygen", "create", "simulate", "decrypt-results")
"""With a station's key or data in reach these sign, open results, or run what nobody has signed."""


def check_command(options: SimpleNamespace, environment: Mapping[str, str]) -> None:
    """Refuse commands by which an image could weaken a visit.

    Raises:
        UsageError: the command, or its option --root, is not for a container, or not for this one.
        SettingsError: the station folder cannot be read.
    """
    root = getattr(options, "root", None) is not None
    if root or options.name in _NEVER:
        raise UsageError(
            "not-in-a-container",
            f"{'--root' if root else options.name} is not for the command of a container",
            hint="give the container the train's command; the rest is for a shell, as on the host",
        )
    found = settings.in_reach(Paths(Path("/")), environment) if options.name in _AT_A_DESK else []
    if found:
        raise UsageError(
            "not-in-a-container",
            f"{options.name} is not for a container with a train, or with a key or data of a "
            f"station: {', '.join(found)}",
            hint="start a container of the master image without them, or install the program and "
            "run it outside of containers",
        )
