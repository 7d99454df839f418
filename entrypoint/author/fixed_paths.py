"""Refuses trains that name the fixed paths of a container, where a stop cannot have these."""

import re
from collections.abc import Sequence
from pathlib import Path

from entrypoint.errors import SystemFailure

_FIXED = re.compile(rb"(?<![\w.}])/opt/pht_(?:results|train)")
"""A path from the root folder, unlike `./opt/pht_train` or `{root}/opt/pht_train`."""

_SEARCHED_BYTES = 1024 * 1024
"""Size of the beginning of each file that is searched, in bytes; code is shorter."""


def refuse_fixed_paths(folder: Path, files: Sequence[str]) -> None:
    """Refuse a train that would use the machine's own /opt.

    Args:
        folder: of the train.
        files: the paths in it of all files that travel.

    Raises:
        SystemFailure: a file names a fixed path.
    """
    for file in files:
        with (folder / file).open("rb") as opened:
            found = _FIXED.search(opened.read(_SEARCHED_BYTES))
        if found:
            raise SystemFailure(
                "opt-not-simulated",
                f"{file} names {found[0].decode()}, and this kernel does not let this user "
                "simulate a station's /opt without a container",
                hint="start again with --image, or let the train take its paths from "
                "PHT_RESULTS_DIR and PHT_TRAIN_DIR alone",
                by="author",
            )
