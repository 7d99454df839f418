"""The rules for the entries of a train's layer: which paths, of which kind, with which rights.

Rules that need other layers as well are in `validate.py`; `Paths` collects what they need.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from entrypoint.images.tar_entries import (
    DIRECTORY,
    HARD_LINK,
    REGULAR,
    SYMLINK,
    BadTar,
    Entry,
    as_text,
)

CONFIG = b"opt/train_config.json"
_FILES = (CONFIG, b"opt/user_sym_key.key")
_FOLDERS = (b"opt/pht_train", b"opt/pht_results")
_OWN = {*_FILES, *_FOLDERS}
_BELOW = tuple(folder + b"/" for folder in _FOLDERS)

SHARED_FOLDERS = {b"opt", b"etc", b"run", b"var", b"var/lib"}
"""Folders of the master image that engines write again when something in them is mounted."""

MOUNT_POINTS = {b"opt/train_data", b"run/pht", b"run/secrets", b"var/lib/pht"}
"""Folders that engines make where a station mounts something, and leave empty."""

_ENGINE_FILES = {
    b".dockerenv",
    b"etc/hostname",
    b"etc/hosts",
    b"etc/resolv.conf",
    b"run/.containerenv",
}
"""Empty files that engines leave where they mount their own; they mount them at every start."""

_ENGINE_LINK = (SYMLINK, b"etc/mtab", b"/proc/mounts")

_NAMED = {*_OWN, *SHARED_FOLDERS, *MOUNT_POINTS, *_ENGINE_FILES, _ENGINE_LINK[1]}

_WHITEOUT = b".wh."
_OPAQUE = b".wh..wh..opq"
_REMOVE_ALL = {_OPAQUE, b"opt/" + _OPAQUE, _WHITEOUT + b"opt"}
"""Marks that remove a whole train of the layers below."""

_SET_ID = 0o6000
_PATH_BYTES = 4096
_PATHS_A_LAYER = 100_000
"""Maximum number of paths of a train in one layer, for a check in bounded memory."""

_HARMLESS_ATTRIBUTES = ("security.selinux",)
_ACCESS_LISTS = ("system.posix_acl_access", "system.posix_acl_default")
"""Attributes that share files of the train, and must not share folders of the master image."""

_ENGINE_ATTRIBUTES = ("user.overlay.", "user.containers.", "user.fuseoverlayfs.")
"""Attributes by which rootless engines store owners, set-id bits and links of folders."""

_KINDS = {
    HARD_LINK: "a hard link",
    SYMLINK: "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a FIFO",
}

Finding = tuple[str, str]
"""The code of a difference and its text."""

_OUTSIDE: tuple[Finding] = (("path-outside", "is no path of a train"),)
_REMOVES: tuple[Finding] = (
    ("whiteout-outside", "marks something as removed that a train does not own"),
)


class Rights(NamedTuple):
    """Owner and permissions of a folder."""

    uid: int
    gid: int
    mode: int

    def __str__(self) -> str:
        """Return them in words."""
        return f"owner {self.uid}:{self.gid} and mode {self.mode:04o}"


class TooManyPaths(Exception):
    """A layer has more paths of a train than are compared."""


class Paths:
    """The paths of one layer that the rules remember, as hashes: equal paths have equal ones.

    Two different paths with one hash are as good as impossible, and only refuse an image.

    Args:
        max_links: maximum number of paths in `links` and `real`.

    Attributes:
        links: symlinks.
        real: paths that must not be symlinks.
        folders: those of SHARED_FOLDERS and MOUNT_POINTS.
    """

    def __init__(self, max_links: int) -> None:
        self.links: set[int] = set()
        self.real: set[int] = set()
        self.folders: dict[bytes, Rights] = {}
        self._seen: set[int] = set()
        self._max_links = max_links

    def is_new(self, path: bytes) -> bool:
        """Return whether this is the first entry of the layer with this path, and note it."""
        before = len(self._seen)
        if before == _PATHS_A_LAYER:
            raise TooManyPaths
        self._seen.add(hash(path))
        return len(self._seen) > before

    def add_link(self, path: bytes) -> None:
        """Note a symlink."""
        self.links.add(hash(path))
        self._check()

    def must_be_real(self, path: bytes) -> None:
        """Note that neither this path nor a folder above it may be a symlink."""
        while path and (key := hash(path)) not in self.real:
            self.real.add(key)
            path = path.rpartition(b"/")[0]
        self._check()

    def _check(self) -> None:
        if len(self.links) + len(self.real) > self._max_links:
            raise TooManyPaths


def findings(entry: Entry, paths: Paths) -> Iterable[Finding]:
    """Return every rule that this entry breaks as a part of a train's own layer.

    Raises:
        TooManyPaths: see there.
        BadTar: a number in its header is malformed.
    """
    path = entry.name.removesuffix(b"/") if entry.kind == DIRECTORY else entry.name
    if path.startswith(_BELOW) or path in _NAMED or _removed(path) in _OWN:
        return _findings(path, entry, paths)
    return _REMOVES if _WHITEOUT in path and _name(path).startswith(_WHITEOUT) else _OUTSIDE


def train_path(entry: Entry) -> bytes:
    """Return the path of an entry that is a part of a train or removes one; empty of others.

    Raises:
        BadTar: it is not clear what engines make of it.
    """
    path = entry.name.removesuffix(b"/") if entry.kind == DIRECTORY else entry.name
    if not (path.startswith(_BELOW) or (_removed(path) or path) in _OWN or path in _REMOVE_ALL):
        return b""
    if problem := _unclear(path) or entry.odd:
        raise BadTar(f"{as_text(path)} {problem}")
    return path


def _findings(path: bytes, entry: Entry, paths: Paths) -> Iterator[Finding]:
    if problem := _unclear(path):
        yield "path-unclear", problem
        return
    if entry.odd:
        yield "entry-unclear", entry.odd
    if not paths.is_new(_removed(path) or path):
        yield "path-twice", "is in this layer twice"
    yield from _rights(path, entry)
    if _removed(path) or _name(path) == _OPAQUE:
        if entry.kind != REGULAR or entry.size:
            yield "path-unclear", "has the name of a mark for removed files, and is none"
    elif path.startswith(_BELOW):
        yield from _below(path, entry, paths)
    else:
        yield from _named(path, entry, paths)


def _removed(path: bytes) -> bytes:
    """Return the path that an entry marks as removed, empty if it is no such mark."""
    if _WHITEOUT not in path:  # nearly all
        return b""
    name = _name(path)
    if name.startswith(_WHITEOUT) and name != _OPAQUE:
        return path[: -len(name)] + name.removeprefix(_WHITEOUT)
    return b""


def _name(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def _unclear(path: bytes) -> str:
    """Return why a path is not plain: engines clean paths, in ways of their own."""
    if b"\x00" in path or len(path) > _PATH_BYTES:
        return "has a NUL in its path, or a longer one than Linux has"
    *folders, name = path.split(b"/")
    if any(part in (b"", b".", b"..") for part in (*folders, name)):
        return "is no plain path"
    marked = name.removeprefix(_WHITEOUT)
    nested = marked in (b"", b".", b"..") or marked.startswith(_WHITEOUT)
    if any(part.startswith(_WHITEOUT) for part in folders) or (nested and name != _OPAQUE):
        return "has the name of a mark for removed files in an unusual place"
    return ""


def _rights(path: bytes, entry: Entry) -> Iterator[Finding]:
    if entry.mode & _SET_ID and entry.kind != SYMLINK:
        yield "set-id", f"has the mode {entry.mode:04o}"
    for name in entry.attributes:
        harmless = name.startswith("user.") and not name.startswith(_ENGINE_ATTRIBUTES)
        shares = name in _ACCESS_LISTS and _is_own(path)
        named_only = harmless or shares or name in _HARMLESS_ATTRIBUTES
        yield "attribute" if named_only else "attribute-refused", f"has the attribute {name}"


def _named(path: bytes, entry: Entry, paths: Paths) -> Iterator[Finding]:
    """Yield what is wrong with an entry of _NAMED."""
    if path in _FILES:
        if entry.kind != REGULAR:
            yield _wrong_kind(entry, "a file")
    elif path in _FOLDERS or path in SHARED_FOLDERS or path in MOUNT_POINTS:
        if entry.kind != DIRECTORY:
            yield _wrong_kind(entry, "a folder")
        elif path not in _FOLDERS:
            paths.folders[path] = Rights(entry.uid, entry.gid, entry.mode)
    elif path in _ENGINE_FILES and entry.kind == REGULAR and not entry.size:
        yield "mount-point", "is empty"
    elif (entry.kind, path, entry.link) == _ENGINE_LINK:
        yield "mount-point", "leads to /proc/mounts"
    else:
        yield from _OUTSIDE


def _below(path: bytes, entry: Entry, paths: Paths) -> Iterator[Finding]:
    """Yield what is wrong with an entry below a folder of the train."""
    if entry.kind == SYMLINK:
        paths.add_link(path)
        ups, target = _target(path, entry.link)
        if not _is_own(target):
            yield "link-outside", "leads out of the folders of the train, or not plainly into them"
        if ups:
            paths.must_be_real(path.rpartition(b"/")[0])
    elif entry.kind == HARD_LINK:
        if _unclear(entry.link) or not _is_own(entry.link):
            yield "link-outside", "is a hard link to a file that is not in the train's folders"
        else:
            paths.must_be_real(entry.link)
    elif entry.kind not in (REGULAR, DIRECTORY):
        yield _wrong_kind(entry, "a file, folder or link")


def _is_own(path: bytes) -> bool:
    return path in _OWN or path.startswith(_BELOW)


def _target(path: bytes, link: bytes) -> tuple[int, bytes]:
    """Return how many folders a symlink goes up first, and where it leads; empty if not plain."""
    if link.startswith(b"/"):
        return 0, b"" if _unclear(link[1:]) else link[1:]
    if len(link) > _PATH_BYTES:
        return 0, b""
    parts = [part for part in link.split(b"/") if part not in (b"", b".")]
    ups = 0
    while parts[ups : ups + 1] == [b".."]:
        ups += 1
    above = path.split(b"/")[:-1]
    if ups >= len(above) or b".." in parts[ups:] or not link:
        return ups, b""
    return ups, b"/".join([*above[: len(above) - ups], *parts[ups:]])


def _wrong_kind(entry: Entry, expected: str) -> Finding:
    kind = "a file" if entry.kind == REGULAR else _KINDS.get(entry.kind, "of another kind")
    return "kind-refused", f"is {kind} in the place of {expected}"
