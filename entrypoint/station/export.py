"""`export`: the paths of a sealed train as one tar, the form that users decrypt.

The tar holds `train_config.json`, `pht_results/…`, `pht_train/…` and `user_sym_key.key`, without a
leading `./` or `opt/`, as the users' desktop application expects (docs/protocol.md, "Export").
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import IO

from entrypoint import archive
from entrypoint.errors import MissingInput, StorageError
from entrypoint.model import Paths
from entrypoint.state import read_config
from entrypoint.train_config import read
from entrypoint.tree import Entry, Kind, walk


def export(paths: Paths, output: Path) -> None:
    """Write the train's tar to the new file `output`.

    Raises:
        MissingInput: there is no train, or no folder for the output.
        MalformedTrain: the train is unfinished or its configuration is not well formed.
        StorageError: the file exists already.
    """
    check_place(output)
    temporary = output.with_name(output.name + ".part")
    try:
        with temporary.open("wb") as file:
            write(paths, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)


def check_place(output: Path) -> None:
    """Check that `output` can be made, before work begins whose result it is to hold.

    Raises:
        MissingInput: there is no folder for it.
        StorageError: the file exists already.
    """
    if output.exists():
        raise StorageError(
            "output-exists",
            f"{output} exists already",
            hint="remove it or give another name; nothing is overwritten",
        )
    if not output.parent.is_dir():
        raise MissingInput(
            "output-folder-missing",
            f"the folder of {output} does not exist",
            hint="make the folder first, or mount it",
        )


def write(paths: Paths, file: IO[bytes]) -> None:
    """Write the train's tar to a stream.

    The same train gives the same bytes: entries are in archive order, owned by root, without times.
    """
    read(read_config(paths))
    with archive.create(file) as tar:
        _add_path(tar, paths.config)
        for folder in (paths.results, paths.train):
            if folder.is_dir():
                _add_folder(tar, folder)
        if paths.user_key.is_file():
            _add_path(tar, paths.user_key)


def _add_folder(tar: archive.Archive, folder: Path) -> None:
    name = folder.name
    _add(tar, Entry("", Kind.DIRECTORY, folder.stat()), folder, name)
    for entry in walk(folder):
        if entry.kind is Kind.HARD_LINK:
            entry = replace(entry, link=f"{name}/{entry.link}")
        _add(tar, entry, folder / entry.path, f"{name}/{entry.path}")


def _add_path(tar: archive.Archive, path: Path) -> None:
    _add(tar, Entry("", Kind.FILE, path.stat()), path, path.name)


def _add(tar: archive.Archive, entry: Entry, path: Path, name: str) -> None:
    info = archive.member(entry, name)
    info.uid = info.gid = 0
    info.mtime = 0
    if entry.kind is Kind.FILE:
        with path.open("rb") as source:
            archive.add(tar, info, source)
    else:
        archive.add(tar, info)
