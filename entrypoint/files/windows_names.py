"""Finds names that a disk of Windows cannot hold, or would take for others."""

import re

from entrypoint.errors import SystemFailure

_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *(?:\..*)?",
    re.IGNORECASE | re.DOTALL,
)
"""Names of devices, with any ending."""

_CHARACTER = re.compile(r'[\x00-\x1f<>:"|?*\\]')


class WindowsNames:
    """The paths of one archive, of which two may not differ only in case."""

    def __init__(self) -> None:
        self._paths: dict[str, str] = {}

    def check(self, path: str) -> None:
        """Note a path, relative and with `/` between its parts.

        Raises:
            SystemFailure: Windows cannot hold it beside those before.
        """
        upper = ""
        for part in path.split("/"):
            upper += f"/{part}"
            first = self._paths.setdefault(upper.casefold(), upper)
            twice = f"it differs from {first[1:]} only in case" if first != upper else ""
            if problem := _problem(part) or twice:
                raise SystemFailure(
                    "name-unsuitable",
                    f"{path} is no name that Windows can hold: {problem}",
                    hint="open the train on Linux, on macOS or in the Windows Subsystem for Linux",
                )


def _problem(name: str) -> str:
    if found := _CHARACTER.search(name):
        return f"it has the character {found[0]}"
    if name.endswith((".", " ")):
        return "it ends with a dot or a blank"
    if _RESERVED.fullmatch(name):
        return f"{name} is the name of a device"
    return ""
