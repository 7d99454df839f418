"""The rules that keep the train's process from files of the station and of the visit.

The train reads everything but hidden paths, and writes to few folders. Landlock can only allow, and
a rule for a folder holds for all that is in it. So each entry of a folder above a hidden path has a
rule of its own. Entries that are made later have none. Folders can be listed everywhere, because
programs list the root, and a rule for it holds for all: the names of hidden files are not secret.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from entrypoint.linux.durable import temporary_file
from entrypoint.linux.mounts import shown_at, writable_mounts
from entrypoint.model import Paths
from entrypoint.process.landlock import Access, Rule
from entrypoint.recovery.work_folder import WorkFolder
from entrypoint.settings.settings import Settings

_ROOT = Path("/")
_DEV = Path("/dev")
_PROC = Path("/proc")
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))
_SHARED_MEMORY = (_DEV / "shm", _DEV / "mqueue", _DEV / "hugepages")

_RAW_MEMORY = {_DEV / "mem", _DEV / "kmem", _DEV / "port"}

_SYSTEM = ("bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "sys")
_SYSTEM_FOLDERS = frozenset(_ROOT / name for name in (*_SYSTEM, "usr"))

_PROGRAM = (Path(__file__).parents[1], Path(sys.prefix), Path(sys.base_prefix))


class _Hidden:
    """Paths that the train may not reach, without links on the way; they need not exist.

    Other paths that mounts give them count too: a rule holds for a folder by whatever path.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        reals = {real for path in paths for real in (_real_name(path), _real(path))}
        self.paths = reals | shown_at(reals)
        self.above = {parent for path in self.paths for parent in path.parents}


def access_rules(settings: Settings, *, scratch: Path, key_hidden: bool = True) -> list[Rule]:
    """Return the rules for the train's process.

    Only files and folders that exist now get a rule, so `pht_results` and `pht_train` have to.

    Args:
        settings: of the visit.
        scratch: the folder of the train's run.
        key_hidden: whether it may not reach the station folder and the files of the key. If it may,
            `/tmp` is writable even if the whole visit, outside a container, lies in there.
    """
    paths, mounts = settings.paths, writable_mounts()
    closed = _Hidden(_hidden_paths(settings, key_hidden=key_hidden))
    rules = [
        Rule(path=_ROOT, access=Access.LIST),
        Rule(path=scratch, access=Access.WRITE),
        *_devices(_DEV),
        *_standard_streams(closed),
        *_reading(closed, mounts),
        *_writing([_real_name(paths.results), _real_name(paths.train)], closed),
    ]
    if settings.in_container:
        # Beside the export of this train lie those of others.
        exports = [settings.export.absolute().parent] if settings.export else []
        given = _folders_of_the_container(paths, mounts)
        rules += _writing(_temporary_folders(paths), closed)
        rules += _writing(given, _Hidden([*closed.paths, *exports]))
    else:
        ledger = [settings.ledger] if settings.ledger else []
        outside = [*closed.paths, paths.root, *_PROGRAM] if key_hidden else ledger
        rules += _writing(_temporary_folders(paths), _Hidden(outside))
    return rules


def _writing(folders: Iterable[Path], closed: _Hidden) -> Iterator[Rule]:
    """Yield the rules for writing to real paths, but for hidden ones in them."""
    for folder in folders:
        yield from _rules(folder, Access.WRITE, closed)


def _reading(closed: _Hidden, mounts: Iterable[Path]) -> Iterator[Rule]:
    """Yield the rules for reading everything but hidden paths and devices.

    Args:
        closed: the hidden paths.
        mounts: those that take writes.
    """
    take_writes = {above for mount in mounts for above in (mount, *mount.parents)}
    for entry in _entries(_ROOT):
        for rule in _rules(entry, Access.READ, closed) if entry != _DEV else ():
            fixed = rule.path not in take_writes and _is_on_read_only(rule.path)
            yield Rule(path=rule.path, access=Access.READ_FIXED) if fixed else rule


def _is_on_read_only(path: Path) -> bool:
    """Return whether a path lies on a mount that takes no writes."""
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:  # of a file system that has gone away
        return False


def _hidden_paths(settings: Settings, *, key_hidden: bool) -> Iterator[Path]:
    """Yield the paths of the station and of the visit that no train has to reach.

    A work folder within a tree, which is a mount then, is not hidden, since the train could not
    make files beside it. It is closed to other users, and what it holds is authenticated.
    """
    paths = settings.paths
    if key_hidden:
        yield paths.station
        yield from settings.key_settings.files()
    yield paths.ledger
    for work in (WorkFolder(paths.results), WorkFolder(paths.train)):
        if not work.leave_out:
            yield work.path
    yield from map(temporary_file, (paths.config, paths.user_key))


def _temporary_folders(paths: Paths) -> list[Path]:
    """Return the real paths of folders for temporary files and shared memory.

    An image may have a link in the place of one: that makes no folder writable from which the
    system or this program starts.
    """
    found = {path: _real(path) for path in _TEMPORARY}
    temporary = [
        real for path, real in found.items() if real == path or not _is_system(real, paths)
    ]
    return [*_SHARED_MEMORY, *temporary]


def _folders_of_the_container(paths: Paths, mounts: Iterable[Path]) -> list[Path]:
    """Return the mounts of the operator and the working folder of the image, to write there.

    The image chooses its working folder and may have a volume anywhere: neither makes a folder
    writable from which the system or this program starts.
    """
    working = Path.cwd()
    found = [*mounts, *([] if working.is_relative_to(paths.opt) else [working])]
    return [path for path in found if not _is_system(path, paths)]


def _is_system(path: Path, paths: Paths) -> bool:
    """Return whether a path belongs to the system or this program, or is the train's `/opt`."""
    folders = {path, *path.parents}
    if path == paths.opt or folders & {*_SYSTEM_FOLDERS, paths.secrets}:
        return True
    return any(path in program.parents or program in folders for program in _PROGRAM)


def _devices(folder: Path) -> Iterator[Rule]:
    """Yield the rules for the character devices below a folder: terminals, GPUs and the like.

    Device nodes of disks and of the machine's memory would show any file. The driver of NVIDIA
    names its threads by writing below `/proc/PID/task`, for processes that do not exist yet, and
    does not start if it cannot.
    """
    for entry in _entries(folder):
        if entry in _SHARED_MEMORY:
            continue  # they have a rule of their own, and may hold any number of files
        if entry == _DEV / "pts":
            yield Rule(path=entry, access=Access.DEVICE)
        elif entry.is_dir():
            yield from _devices(entry)
        elif not entry.is_block_device() and entry not in _RAW_MEMORY:
            yield Rule(path=entry, access=Access.DEVICE)
            if entry.name == "nvidiactl":
                yield Rule(path=_PROC, access=Access.DEVICE)


def _standard_streams(closed: _Hidden) -> Iterator[Rule]:
    """Yield the rules for files and terminals that `/dev/stdout` and `/dev/stderr` lead to.

    For a pipe this is a path that does not exist; it can be opened without a rule.
    """
    for number in (1, 2):
        stream = _real(_PROC / "self/fd" / str(number))
        yield from _rules(stream, Access.WRITE | Access.DEVICE, closed)


def _rules(path: Path, access: Access, closed: _Hidden) -> Iterator[Rule]:
    """Yield the rules that allow access to all that is below a real path and not hidden."""
    if closed.paths.isdisjoint((path, *path.parents)):
        yield from _rules_below(path, access, closed)


def _rules_below(path: Path, access: Access, closed: _Hidden) -> Iterator[Rule]:
    if path not in closed.above:
        yield Rule(path=path, access=access)
        return
    for entry in _entries(path):
        if entry not in closed.paths:
            yield from _rules_below(entry, access, closed)


def _entries(folder: Path) -> list[Path]:
    """Return the entries of a folder but links, which need no rule; none if it is not readable."""
    try:
        with os.scandir(folder) as found:
            return [Path(entry.path) for entry in found if not entry.is_symlink()]
    except OSError:
        return []


def _real_name(path: Path) -> Path:
    """Return a path whose folders are no links; its last part may be one."""
    return _real(path.parent) / path.name


def _real(path: Path) -> Path:
    """Return the path that links lead to; unlike `resolve` also where they lead in a circle."""
    return Path(os.path.realpath(path))
