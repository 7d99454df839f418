"""Passes over files that a desktop has put beside those of a train."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from entrypoint.files.tree import Kind, walk
from entrypoint.model import Paths
from entrypoint.train_config import TrainConfig, immutable_files

_NAME = re.compile(r"\.DS_Store|\._.+|Thumbs\.db|desktop\.ini|\.~lock\..+#", re.IGNORECASE)
"""Names of the files that Finder, macOS on other disks, Explorer and LibreOffice leave."""


def desktop_files(config: TrainConfig, paths: Paths) -> list[str]:
    """Return the paths of such files, relative to `opt`, but for those that the user signed.

    A train may have made results of such a name: only their hash shows which ones count.
    """
    signed = {f"{paths.train.name}/{file}" for file in immutable_files(config, paths.train)}
    return [path for path in _named(paths) if path not in signed]


def _named(paths: Paths) -> Iterator[str]:
    for folder in (paths.train, paths.results):
        for entry in walk(folder, missing_ok=True):
            if entry.kind is not Kind.DIRECTORY and _NAME.fullmatch(Path(entry.path).name):
                yield f"{folder.name}/{entry.path}"


def copy_without(files: list[str], paths: Paths, root: Path) -> Paths:
    """Return the paths of a copy of a train below `root`, an empty folder, without some files.

    The copy shares its files with the train, where the file system allows that: a result may have
    several names.
    """
    copy = Paths(root)
    copy.opt.mkdir()
    shutil.copyfile(paths.config, copy.config)
    for source, target in ((paths.train, copy.train), (paths.results, copy.results)):
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, copy_function=_link_or_copy)
    for file in files:
        (copy.opt / file).unlink()
    return copy


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
