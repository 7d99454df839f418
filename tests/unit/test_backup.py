"""A tree comes back exactly from its backup, and any change to the backup is noticed."""

import os
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from entrypoint.files.tree import Entry, Kind, walk
from entrypoint.linux.remove import empty
from entrypoint.recovery.backup import Backup, BackupWriter
from tests.other_user import unprivileged
from tests.station import snapshot

KEY = b"k" * 32


@pytest.fixture(autouse=True)
def _every_file_counts_as_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entrypoint.recovery.backup.SMALL_FILE_BYTES", 0)


LINKS = pytest.mark.parametrize("links", [True, False], ids=["linked", "copied"])


def back_up(folder: Path, place: Path, *, links: bool) -> bytes:
    """Back a folder up into `place`, itself included, and return the MAC."""
    (place / "linked").mkdir(parents=True)
    with (place / "backup").open("xb") as file:
        writer = BackupWriter(file, KEY, place / "linked" if links else None)
        writer.add(Entry(".", Kind.DIRECTORY, folder.stat()))
        for entry in walk(folder):
            if entry.kind is Kind.FILE:
                contents = (folder / entry.path).read_bytes()
                with writer.add_streamed(entry, folder / entry.path) as taken:
                    if taken.copy:
                        taken.copy.write(contents)
                    for piece in (contents[:3], memoryview(contents)[3:]):
                        taken.account(piece)
            else:
                writer.add(entry)
        return writer.tag()


def is_authentic(place: Path, tag: bytes) -> bool:
    with closing(Backup(place / "backup", place / "linked")) as backup:
        return backup.is_authentic(tag, KEY)


def restored(place: Path, back: Path) -> bool:
    """Fill an empty folder from a backup, and return whether there was a folder."""
    with closing(Backup(place / "backup", place / "linked")) as backup:
        return backup.restore(back)


@LINKS
def test_everything_comes_back_as_it_was(links: bool, full: Path, tmp_path: Path) -> None:
    before = snapshot(full)
    times = {path: (full / path).stat().st_mtime_ns for path in (".", "a", "a/file")}
    place, back = tmp_path / "place", tmp_path / "back"
    back.mkdir()
    inode = (full / "a" / "file").stat().st_ino
    tag = back_up(full, place, links=links)
    assert is_authentic(place, tag)
    empty(full)

    assert restored(place, back)

    assert snapshot(back) == before
    assert {path: (back / path).stat().st_mtime_ns for path in times} == times
    assert (back / "a" / "again").samefile(back / "a" / "file")
    assert ((back / "a" / "file").stat().st_ino == inode) == links


def test_the_backup_of_a_folder_that_did_not_exist_is_empty(tmp_path: Path) -> None:
    (tmp_path / "linked").mkdir()
    (tmp_path / "backup").touch()
    assert not restored(tmp_path, tmp_path)


def test_folders_lose_their_rights_after_those_in_them() -> None:
    with TemporaryDirectory() as shared:  # where another user may go, unlike below `tmp_path`
        before, back, place = (Path(shared, name) for name in ("before", "back", "place"))
        (before / "locked" / "inner").mkdir(mode=0o700, parents=True)
        (before / "locked").chmod(0o700)
        back.mkdir()
        back_up(before, place, links=False)
        line = b'["locked", "directory", "", 0, "", "", [%d,'
        changed = (place / "backup").read_bytes().replace(line % 0o40700, line % 0o40600)
        (place / "backup").write_bytes(changed)
        Path(shared).chmod(0o755)
        with unprivileged(back):
            assert restored(place, back)
        assert stat.S_IMODE((back / "locked").stat().st_mode) == 0o600
        (back / "locked").chmod(0o700)
        assert (back / "locked" / "inner").is_dir()


def refuse(*_: object, **__: object) -> None:
    """Stand in for os.link where the kernel refuses it."""
    raise PermissionError


def test_a_file_that_cannot_be_linked_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "before" / "large").write_bytes(b"0123456789")
    monkeypatch.setattr(os, "link", refuse)

    tag = back_up(tmp_path / "before", tmp_path / "place", links=True)

    assert is_authentic(tmp_path / "place", tag)
    assert list((tmp_path / "place" / "linked").iterdir()) == []
    assert b"0123456789" in (tmp_path / "place" / "backup").read_bytes()


def test_a_link_that_a_network_reports_as_failed_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def fail_late(source: Path, target: Path, *, follow_symlinks: bool) -> None:
        link(source, target, follow_symlinks=follow_symlinks)
        raise TimeoutError

    (tmp_path / "before").mkdir()
    for name in "ab":
        (tmp_path / "before" / name).write_bytes(b"0123456789")
    monkeypatch.setattr(os, "link", fail_late)

    tag = back_up(tmp_path / "before", tmp_path / "place", links=True)

    assert is_authentic(tmp_path / "place", tag)


@LINKS
@pytest.mark.parametrize("contents", [b"", b"seven b", b"nine byte"])
def test_a_file_whose_size_changes_while_it_is_read_is_an_error(
    links: bool, contents: bytes, tmp_path: Path
) -> None:
    changed = tmp_path / "changed"
    changed.write_bytes(b"8 bytes.")
    [entry] = walk(tmp_path)
    (tmp_path / "linked").mkdir()
    with (tmp_path / "backup").open("xb") as file:
        writer = BackupWriter(file, KEY, tmp_path / "linked" if links else None)
        with pytest.raises(OSError, match="size changed"):
            writer.add(entry, contents)
        with (
            pytest.raises(OSError, match="size changed"),
            writer.add_streamed(entry, changed) as taken,
        ):
            taken.account(contents)


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "a bit of a line": lambda data: data.replace(b'"file"', b'"fild"', 1),
    "a bit of the contents": lambda data: data.replace(b"undecodable", b"undecodablf"),
    "cut at the end": lambda data: data[:-1],
    "longer": lambda data: data + b"\n",
    "empty": lambda data: b"",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_backup_is_not_authentic(
    change: Callable[[bytes], bytes], full: Path, tmp_path: Path
) -> None:
    tag = back_up(full, tmp_path / "place", links=False)
    backup = tmp_path / "place" / "backup"
    data = backup.read_bytes()
    assert change(data) != data

    backup.write_bytes(change(data))

    assert not is_authentic(tmp_path / "place", tag)


def make_sparse(path: Path) -> None:
    with path.open("xb") as file:
        file.truncate(1 << 43)


REPLACEMENTS: dict[str, Callable[[Path, bytes], object]] = {
    "other contents": lambda path, old: path.write_bytes(bytes(len(old))),
    "more contents": lambda path, old: path.write_bytes(old + b"\n"),
    "a sparse file": lambda path, old: make_sparse(path),
    "nothing": lambda path, old: None,
    "a symbolic link": lambda path, old: path.symlink_to(path.parents[2] / "contents"),
    "a folder": lambda path, old: path.mkdir(),
    "a FIFO": lambda path, old: os.mkfifo(path),
    "a socket": lambda path, old: os.mknod(path, stat.S_IFSOCK | 0o600),
    "one more": lambda path, old: (path.write_bytes(old), path.with_name("x").write_bytes(b"x")),
}
"""What a train may put in the place of a linked file."""


@pytest.mark.parametrize("replacement", REPLACEMENTS.values(), ids=REPLACEMENTS.keys())
def test_a_replaced_linked_file_is_not_authentic(
    replacement: Callable[[Path, bytes], object], full: Path, tmp_path: Path
) -> None:
    tag = back_up(full, tmp_path / "place", links=True)
    linked = tmp_path / "place" / "linked" / "0"
    contents = linked.read_bytes()
    (tmp_path / "contents").write_bytes(contents)
    linked.unlink()
    replacement(linked, contents)

    assert not is_authentic(tmp_path / "place", tag)


ADDITIONS: dict[str, Callable[[Path], object]] = {
    "a name": lambda path: os.link(path, path.parents[2] / "kept"),
    "an attribute": lambda path: os.setxattr(path, "user.stolen", b"plaintext"),
}
"""What a train may give to a linked file."""


@pytest.mark.parametrize("give", ADDITIONS.values(), ids=ADDITIONS.keys())
def test_a_linked_file_with_additions_is_copied_back(
    give: Callable[[Path], object], full: Path, tmp_path: Path
) -> None:
    before = snapshot(full)
    back_up(full, tmp_path / "place", links=True)
    first, second = (tmp_path / "place" / "linked" / name for name in "01")
    empty(full)
    give(first)
    back = tmp_path / "back"
    back.mkdir()

    assert restored(tmp_path / "place", back)

    assert snapshot(back) == before
    files = [path for path in back.rglob("*") if path.is_file()]
    inodes = {path.stat().st_ino for path in files}
    assert first.stat().st_ino not in inodes
    assert second.stat().st_ino in inodes
    assert not any(os.listxattr(path) for path in files)


def test_a_linked_file_that_cannot_be_linked_back_is_copied(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (full / "a" / "again").unlink()  # which the restored tree has as a hard link
    before = snapshot(full)
    back_up(full, tmp_path / "place", links=True)
    back = tmp_path / "back"
    back.mkdir()
    monkeypatch.setattr(os, "link", refuse)

    assert restored(tmp_path / "place", back)

    assert snapshot(back) == before
