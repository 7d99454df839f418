"""The Dockerfile of a train's image: the master image, the signed train, and the command."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path

from entrypoint.images.settings_rules import command_differences
from entrypoint.protocol.command import command_not_signed

DOCKERFILE = "Dockerfile"
"""The name of the file."""


def write_dockerfile(
    folder: Path, master: str, command: Sequence[str], workdir: str | None, files: Collection[str]
) -> None:
    """Write the Dockerfile beside the folder `opt` of a signed train.

    It does nothing else: stations refuse an image that differs in more from its master.

    Args:
        folder: takes the file.
        master: the master image.
        command: the CMD.
        workdir: the working folder of the command; None for that of the master image.
        files: the signed files.

    Raises:
        IntegrityError: stations would refuse the command.
    """
    settings = {"Cmd": list(command), "WorkingDir": workdir}
    if any(command_differences(settings, sorted(files))):
        raise command_not_signed()
    lines = [f"FROM {master}", "COPY opt /opt"]
    if workdir:
        lines.append(f"WORKDIR {workdir}")
    lines.append(f"CMD {json.dumps(list(command))}")
    (folder / DOCKERFILE).write_text("\n".join(lines) + "\n", "utf-8", newline="\n")
