"""A real terminal for the processes of a test."""

import fcntl
import os
import pty
import select
import termios
from contextlib import suppress
from typing import Any

PATIENCE_S = 30
"""Seconds after which something that should be printed at once counts as missing."""


class Terminal:
    """A pseudo-terminal: what is typed at `master` arrives, or is a signal, at the other end."""

    def __init__(self) -> None:
        self.master, self._slave = pty.openpty()
        self._printed = b""

    def streams(self) -> dict[str, Any]:
        """Return settings for a process that leads a session of its own on this terminal."""
        return {
            "stdin": self._slave,
            "stdout": self._slave,
            "start_new_session": True,
            "preexec_fn": lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        }

    def type(self, text: bytes) -> None:
        """Press keys."""
        os.write(self.master, text)

    def wait_for(self, text: bytes) -> None:
        """Wait until a text is printed, after the one that the last call waited for."""
        while text not in self._printed:
            assert select.select([self.master], [], [], PATIENCE_S)[0], self._printed
            self._printed += os.read(self.master, 1000)
        self._printed = self._printed.partition(text)[2]

    def close(self) -> None:
        """Hang up."""
        for handle in (self._slave, self.master):
            with suppress(OSError):
                os.close(handle)
