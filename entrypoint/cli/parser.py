"""An argument parser whose errors are ours; apart, because a visit in a container needs none."""

import argparse
from typing import NoReturn

from entrypoint.errors import usage_error
from entrypoint.report import flush


class Parser(argparse.ArgumentParser):
    """Raises UsageError for what it does not understand."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise usage_error(message)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Flush the help or the version that was written, then raise SystemExit."""
        flush()
        super().exit(status, message)
