"""An ordinary user with ids for containers, whom only programs of the tests see in `/etc`."""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.containers.engine import Unavailable

NAME, UID = "pht-test-user", 4711
FIRST_ID, IDS = 200000, 65536
"""The user's ids for containers."""

_LINES = {
    "passwd": f"{NAME}:x:{UID}:{UID}::/:/bin/sh\n",
    "group": f"{NAME}:x:{UID}:\n",
    "subuid": f"{NAME}:{FIRST_ID}:{IDS}\n",
    "subgid": f"{NAME}:{FIRST_ID}:{IDS}\n",
}


@dataclass(frozen=True)
class OrdinaryUser:
    """Starts programs that know the user, or that are the user's.

    Attributes:
        over: a folder that is laid over `/etc` for these programs.
        home: a folder of the user.
    """

    over: Path
    home: Path

    @classmethod
    def create(cls, folder: Path) -> "OrdinaryUser":
        """Write the user's files into a folder; may raise Unavailable, since this takes root."""
        if os.geteuid() != 0:
            raise Unavailable("needs root, to start programs of another user")
        user = cls(folder / "etc", folder / "home")
        user.over.mkdir()
        user.home.mkdir()
        os.chown(user.home, UID, UID)
        for name, line in _LINES.items():
            there = Path("/etc", name)
            (user.over / name).write_text((there.read_text() if there.exists() else "") + line)
        return user

    def known(self) -> list[str]:
        """Return what starts a program that finds the user in `/etc`."""
        lay_over = f"mount -t overlay none /etc -o lowerdir={self.over}:/etc"
        return ["unshare", "--mount", "sh", "-c", f'{lay_over} && exec "$0" "$@"']

    def runs(self) -> list[str]:
        """Return what starts a program of the user."""
        become = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
        variables = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": self.home,
            "XDG_RUNTIME_DIR": self.home,
        }
        environment = [f"{name}={value}" for name, value in variables.items()]
        return [*self.known(), *become, "env", "--ignore-environment", *environment]
