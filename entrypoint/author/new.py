"""`pht new`: makes a folder with a small train that runs as it is, to start your own from."""

import shlex
from pathlib import Path

from entrypoint.author.output import new_folder
from entrypoint.model import PROJECT_FILE
from entrypoint.report import Report

_TEMPLATES = Path(__file__).with_name("templates")


def new(folder: Path, language: str, report: Report) -> None:
    """Make a folder with a small train, its project file, and test data of two stations.

    Args:
        folder: a new or an empty one.
        language: of the train, which is the name of its folder of templates.
        report: takes the log.

    Raises:
        UsageError, MissingInput: the folder cannot be made, or is not empty.
    """
    with new_folder(folder) as project:
        for part in ("shared", language):
            _copy(_TEMPLATES / part, project)
    report.info(f"{folder} has a train, {PROJECT_FILE} with its settings, and data to try it with")
    report.info(f"next: cd {shlex.quote(str(folder))}")
    report.info("      pht simulate            sends it to two stations on this machine")
    report.info("      pht simulate --image    does the same in containers of its master image")
    report.info("then write your own train (docs/author.md); pht build makes its image")


def _copy(source: Path, target: Path) -> None:
    """Copy the files below a folder, which may be installed for reading only."""
    for path in source.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
