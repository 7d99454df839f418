"""An argument parser whose errors are ours; apart, because a visit in a container needs none."""

import argparse
from typing import NoReturn

from entrypoint.errors import usage_error


class Parser(argparse.ArgumentParser):
    """Raises UsageError for what it does not understand."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise usage_error(message)
