"""`export`: the paths of a sealed train as one tar, the form that users decrypt.

The tar holds `train_config.json`, `pht_results/…`, `pht_train/…` and `user_sym_key.key`, without a
leading `./` or `opt/`, as the users' desktop application expects (docs/protocol.md, "Export").
"""

import fcntl
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from entrypoint.errors import MissingInput, SettingsError, StorageError
from entrypoint.files.tar_writer import TarWriter, member
from entrypoint.files.tree import Entry, Kind, walk
from entrypoint.linux.durable import flush_file, flush_folder
from entrypoint.linux.mounts import mount_of
from entrypoint.linux.user import this_user
from entrypoint.model import WORK_NAME, Paths
from entrypoint.train_config import read
from entrypoint.train_config.file import read_config, refuse_links

_ANONYMOUS_VOLUME = re.compile(r"/volumes/[0-9a-f]{64}/_data$")
"""The place of an anonymous volume of Docker or Podman, as of an image's VOLUME."""

_SYSTEM_FOLDER = re.compile(r"/(etc|usr|bin|sbin|lib[^/]*|run|dev|proc|sys)/")
"""Folders in which an image's VOLUME could do harm; gVisor does not tell the root of a mount."""


def export(paths: Paths, output: Path, *, in_container: bool) -> None:
    """Write the train's tar to the new file `output`, durably.

    Raises:
        MissingInput: there is no train, or no folder for the output.
        MalformedTrain: the train is unfinished or its configuration is not well formed.
        IntegrityError: a part of the train is a link.
        SettingsError: the output would lie in the train, or go with the container.
        StorageError: the file exists already, is being written by another export, or cannot be.
    """
    check_place(paths, output, in_container=in_container)
    with _locked_part(output) as file:
        write(paths, file)
        flush_file(file)
        _give_name(file.fileno(), output)
    flush_folder(output.parent)


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


def check_place(paths: Paths, output: Path, *, in_container: bool) -> None:
    """Check that `output` can be made, before work begins whose result it is to hold.

    Raises:
        MissingInput: there is no folder for it.
        SettingsError: it would lie in the train, or go with the container.
        StorageError: the file exists already, another export is writing it, or this user cannot
            write there.
    """
    _refuse_existing(output)
    _check_outside(paths, output)
    if not output.parent.is_dir():
        raise MissingInput(
            "output-folder-missing",
            f"the folder of {output} does not exist",
            hint="make the folder first, or mount it",
        )
    if in_container:
        _check_mount(paths, output)
    temporary = _temporary(output)
    if temporary.is_symlink() or not temporary.is_file():
        _refuse_existing(temporary)
    _try_to_write(output)


def _refuse_existing(path: Path) -> None:
    if os.path.lexists(path):  # also a link that leads nowhere yet
        raise _exists(path)


def _exists(path: Path) -> StorageError:
    return StorageError(
        "output-exists",
        f"{path} exists already",
        hint="remove it or give another name; nothing is overwritten",
    )


def _check_mount(paths: Paths, output: Path) -> None:
    """Refuse a place that is not on a mount of the operator's.

    An image can name a place too, and make it a mount by a `VOLUME`. A file in the container or its
    anonymous volumes would be lost with them at best; at worst every later program of the container
    reads it, as /etc/ld.so.preload.
    """
    mount = mount_of(output.parent)
    if mount.fs_type == "tmpfs":
        raise SettingsError(
            "output-in-memory",
            f"the folder of {output} is in memory and vanishes with the container",
            hint="name a file in a folder that is mounted from the host",
        )
    own = mount.id in {mount_of(paths.root).id, mount_of(paths.opt).id}
    if own or _ANONYMOUS_VOLUME.search(mount.root):
        raise _not_for_exports(output, "is part of the container and would go with it")
    if _SYSTEM_FOLDER.match(f"{output.parent.resolve()}/"):
        raise _not_for_exports(output, "belongs to the system, whose programs read files there")


def _not_for_exports(output: Path, reason: str) -> SettingsError:
    return SettingsError(
        "output-in-container",
        f"the folder of {output} {reason}",
        hint="mount a folder of the host or a named volume for it, as with "
        "--volume /srv/trains:/out, and name a file in there",
    )


def _try_to_write(output: Path) -> None:
    """Write a byte durably and take it away again, with what a killed export has left.

    Permissions do not tell all: a share may refuse what they allow, or be full.
    """
    try:
        with _locked_part(output) as file:
            file.write(b"\0")
            flush_file(file)
    except OSError as error:
        raise StorageError(
            "output-folder-unwritable",
            f"{this_user()} cannot write to the folder of {output.name}, {output.parent}: "
            f"{(error.strerror or 'it refuses').lower()}",
            hint="mount it writable, let this user write there, and free space",
        ) from None


def _check_outside(paths: Paths, output: Path) -> None:
    """Refuse a place where the file would change the train that was just sealed.

    The names of the runner's work files begin with those of the train's files and folders.
    """
    place, opt = output.parent.resolve() / output.name, paths.opt.resolve()
    names = (paths.results, paths.train, paths.config, paths.user_key)
    if str(place).startswith(tuple(str(opt / path.name) for path in names)):
        raise SettingsError(
            "output-inside-train",
            f"{output} lies among the files of the train itself",
            hint="name a file in another folder",
        )


# The file while it is written


@contextmanager
def _locked_part(output: Path) -> Iterator[IO[bytes]]:
    """Yield the file that is to become `output`, new and locked; its own name is removed after.

    The lock tells the file of a live export from what a killed one has left. Whoever has it on the
    file that has the name may remove that name, nobody else.
    """
    part = _temporary(output)
    _remove_left_over(part, output)
    try:
        file = part.open("xb")
    except FileExistsError:
        raise _busy(output) from None
    with file:
        _lock(file.fileno(), part, output)
        try:
            yield file
        finally:
            if _has_name(file.fileno(), part):
                part.unlink()


def _remove_left_over(part: Path, output: Path) -> None:
    """Remove what a killed export has left; what it is linked to elsewhere stays as it is."""
    try:
        # Writable, since a lock on a network share wants that; never waiting for a FIFO.
        left_over = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except PermissionError:
        raise _exists(part) from None
    try:
        _lock(left_over, part, output)
        part.unlink()
    finally:
        os.close(left_over)


def _lock(file: int, part: Path, output: Path) -> None:
    """Lock an open file that is named `part`, unless another export has locked or removed it.

    On a share that knows no locks the loser of two exports notices only when it is to give the
    file its name.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _busy(output) from None
    except OSError:
        pass
    if not _has_name(file, part):
        raise _busy(output)


def _has_name(file: int, part: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), part.lstat())
    except FileNotFoundError:
        return False


def _busy(output: Path) -> StorageError:
    return StorageError(
        "output-busy",
        f"another export is writing {output}",
        hint="wait until it has ended, and give each train a file of its own",
        retry=True,
    )


def _give_name(file: int, output: Path) -> None:
    """Give the complete file its name, unless something else has got that meanwhile."""
    part = _temporary(output)
    if not _has_name(file, part):  # taken away by hand, or by an older runner
        raise _busy(output)
    try:
        output.hardlink_to(part)
    except FileExistsError:
        raise _exists(output) from None
    except OSError:  # as on a share without hard links
        _refuse_existing(output)
        part.rename(output)


def _temporary(output: Path) -> Path:
    """Return the name of the file while it is written; what has it is the runner's own."""
    return output.with_name(output.name + ".part")


# The tar


def write(paths: Paths, file: IO[bytes]) -> None:
    """Write the train's tar to a stream.

    The same train gives the same bytes: entries are in archive order, owned by root, without times.

    Raises:
        IntegrityError: a part of the train is a link: it could lead to the station's key.
    """
    read(read_config(paths))
    refuse_links(paths.user_key)
    tar = TarWriter(file)
    _add_path(tar, paths.config)
    for folder in (paths.results, paths.train):
        if folder.is_dir():
            _add_folder(tar, folder)
    if paths.user_key.is_file():
        _add_path(tar, paths.user_key)
    tar.close()


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
    info.uid = info.gid = 0
    info.mtime = 0
    if entry.kind is Kind.FILE:
        with path.open("rb") as source:
            tar.add_file(info, source)
    else:
        tar.add(info)
