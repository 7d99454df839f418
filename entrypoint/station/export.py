"""`export`: a sealed train as one tar, the form that users decrypt.

The tar holds `train_config.json`, `pht_results/…`, `pht_train/…` and `user_sym_key.key`, without a
leading `./` or `opt/`, as the users' desktop application expects (docs/protocol.md, "Export").
"""

import io
from pathlib import Path
from typing import IO

from entrypoint.files.links import refuse_links
from entrypoint.files.tar_writer import TarWriter, member
from entrypoint.files.tree import Entry, Kind, walk
from entrypoint.linux.durable import flush_file, flush_folder
from entrypoint.model import WORK_NAME, Paths
from entrypoint.station.export_place import check_place
from entrypoint.station.part_file import give_name, locked_part
from entrypoint.train_config import TrainConfig, read
from entrypoint.train_config.file import read_config
from entrypoint.visit.session import check_expected


def export(
    paths: Paths, output: Path, *, in_container: bool, expected: str | None = None
) -> TrainConfig:
    """Write the train's tar to the new file `output`, durably, and return its configuration.

    Args:
        paths: of the train.
        output: a path where no file is yet.
        in_container: whether a file in the container itself would go with it.
        expected: see `check_expected`.

    Raises:
        MissingInput: there is no train, or no folder for the output.
        MalformedTrain: the train is unfinished or its configuration is not well formed.
        IntegrityError: a part of the train is a link.
        RouteError: it is another train than the expected one.
        SettingsError: the output would lie in the train, or go with the container.
        StorageError: the file exists already, is being written by another export, or cannot be.
    """
    check_place(paths, output, in_container=in_container)
    with locked_part(output) as file:
        config = write(paths, file, expected)
        flush_file(file)
        give_name(file, output)
    flush_folder(output.parent)
    return config


def is_export_of(paths: Paths, output: Path) -> bool:
    """Return whether `output` begins with the train's configuration, as its export does."""
    beginning = io.BytesIO()
    _add_path(TarWriter(beginning), paths.config)
    expected = beginning.getvalue()
    try:
        if not output.is_file():
            return False
        with output.open("rb") as file:
            return file.read(len(expected)) == expected
    except OSError:
        return False


def write(paths: Paths, file: IO[bytes], expected: str | None = None) -> TrainConfig:
    """Write the train's tar to a stream, and return its configuration.

    The same train gives the same bytes: entries are in archive order, with their owners as
    numbers, for a station whose containers run as that user, and without times.

    Raises:
        IntegrityError: a part of the train is a link: it could lead to the station's key.
        RouteError: it is another train than the expected one.
    """
    config = read(read_config(paths))
    check_expected(config, expected)
    refuse_links(paths.user_key)
    tar = TarWriter(file)
    _add_path(tar, paths.config)
    for folder in (paths.results, paths.train):
        if folder.is_dir():
            _add_folder(tar, folder)
    if paths.user_key.is_file():
        _add_path(tar, paths.user_key)
    tar.close()
    return config


def _add_folder(tar: TarWriter, folder: Path) -> None:
    name = folder.name
    _add(tar, Entry("", Kind.DIRECTORY, folder.stat()), folder, name)
    for entry in walk(folder, leave_out=WORK_NAME):
        if entry.kind is Kind.HARD_LINK:
            entry = entry._replace(link=f"{name}/{entry.link}")
        _add(tar, entry, folder / entry.path, f"{name}/{entry.path}")


def _add_path(tar: TarWriter, path: Path) -> None:
    _add(tar, Entry("", Kind.FILE, path.stat()), path, path.name)


def _add(tar: TarWriter, entry: Entry, path: Path, name: str) -> None:
    info = member(entry, name)
    info.mtime = 0
    if entry.kind is Kind.FILE:
        with path.open("rb") as source:
            tar.add_file(info, source)
    else:
        tar.add(info)
