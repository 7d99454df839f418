"""Restrictions of the train's process, which all its descendants inherit."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from entrypoint.files.attributes import if_allowed
from entrypoint.linux.prctl import PR_SET_NO_NEW_PRIVS, prctl
from entrypoint.process import landlock, seccomp
from entrypoint.process.credentials import Credentials

_UMASK = 0o022
_STREAMS = (0, 1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """Restrictions of the train's process.

    Attributes:
        credentials: its user, groups and capabilities.
        ruleset: descriptor of the Landlock rules for it, or None.
        filter: the seccomp filter for it, or None.
        folder: its working folder; None if it is the runner's.
        gets_streams: whether the standard streams are given to its user, so that it may open them
            by the names `/dev/stdout` and `/dev/stderr`.
    """

    credentials: Credentials
    ruleset: int | None = None
    filter: bytes | None = None
    folder: Path | None = None
    gets_streams: bool = False

    def layers(self) -> tuple[str, ...]:
        """Return the names of the active layers of protection, for the status line."""
        active = {
            "uid": self.credentials.uid != os.getuid(),
            "caps": not self.credentials.keeps,
            "landlock": self.ruleset is not None,
            "seccomp": self.filter is not None,
        }
        return tuple(name for name, is_active in active.items() if is_active)

    def enter(self) -> None:
        """Restrict this process for good; in a child, between fork and exec.

        Raises:
            OSError: it cannot be restricted as it should be; it must end.
        """
        if self.folder:
            os.chdir(self.folder)
        os.umask(_UMASK)
        if self.gets_streams:
            self._give_streams()
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        if self.ruleset is not None:
            landlock.restrict_self(self.ruleset)
        self.credentials.become()
        if self.filter is not None:
            seccomp.install(self.filter)

    def _give_streams(self) -> None:
        """Make the train's user the owner of pipes, sockets and terminals.

        Files and devices such as /dev/null may belong to others.
        """
        for stream in _STREAMS:
            mode = os.fstat(stream).st_mode
            if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(stream):
                with if_allowed():
                    os.fchown(stream, self.credentials.uid, self.credentials.gid)
