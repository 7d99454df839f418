"""A tree comes back exactly from its backup, and any change to the backup is noticed."""

import io
import stat
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from entrypoint.crypto.mac import is_authentic
from entrypoint.files.tree import Entry, Kind, walk
from entrypoint.recovery import backup
from tests.other_user import unprivileged
from tests.station import snapshot

KEY = b"k" * 32


def back_up_folder(folder: Path, file: io.BytesIO) -> bytes:
    """Back a folder up, itself included, and return the MAC."""
    writer = backup.BackupWriter(file, KEY)
    writer.add(Entry(".", Kind.DIRECTORY, folder.stat()))
    for entry in walk(folder):
        is_file = entry.kind is Kind.FILE
        writer.add(entry, [(folder / entry.path).read_bytes()] if is_file else ())
    return writer.tag()


def restored(file: io.BytesIO, tmp_path: Path) -> Path:
    """Return a folder that was empty, filled from a backup."""
    (tmp_path / "back").mkdir()
    file.seek(0)
    backup.restore(file, tmp_path / "back")
    return tmp_path / "back"


def test_everything_comes_back_as_it_was(full: Path, tmp_path: Path) -> None:
    file = io.BytesIO()
    back_up_folder(full, file)

    back = restored(file, tmp_path)

    assert snapshot(back) == snapshot(full)
    for path in (".", "a", "a/file"):
        assert (back / path).stat().st_mtime_ns == (full / path).stat().st_mtime_ns
    assert (back / "a" / "again").samefile(back / "a" / "file")


def test_the_backup_of_a_folder_that_did_not_exist_is_empty(tmp_path: Path) -> None:
    assert not backup.restore(io.BytesIO(), tmp_path)


def test_folders_lose_their_rights_after_those_in_them() -> None:
    with TemporaryDirectory() as shared:  # where another user may go, unlike below `tmp_path`
        before, back = Path(shared, "before"), Path(shared, "back")
        (before / "locked" / "inner").mkdir(mode=0o700, parents=True)
        (before / "locked").chmod(0o700)
        back.mkdir()
        file = io.BytesIO()
        back_up_folder(before, file)
        line = b'["locked", "directory", "", 0, %d,'
        changed = file.getvalue().replace(line % 0o40700, line % 0o40600)
        Path(shared).chmod(0o755)
        with unprivileged(back):
            assert backup.restore(io.BytesIO(changed), back)
        assert stat.S_IMODE((back / "locked").stat().st_mode) == 0o600
        (back / "locked").chmod(0o700)
        assert (back / "locked" / "inner").is_dir()


def test_contents_may_be_written_by_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"0123456789")
    [entry] = walk(tmp_path)
    file = io.BytesIO()
    writer = backup.BackupWriter(file, KEY)

    with writer.adding(entry):
        file.write(b"0123456789")
        for piece in (b"01234", memoryview(b"56789")):
            writer.account(piece)

    assert is_authentic([file.getvalue()], writer.tag(), KEY)
    assert (restored(file, tmp_path) / "large").read_bytes() == b"0123456789"


@pytest.mark.parametrize("contents", [b"", b"seven b", b"nine byte"])
def test_a_file_whose_size_changes_while_it_is_read_is_an_error(
    tmp_path: Path, contents: bytes
) -> None:
    (tmp_path / "changed").write_bytes(b"8 bytes.")
    [entry] = walk(tmp_path)
    with pytest.raises(OSError, match="size changed"):
        backup.BackupWriter(io.BytesIO(), KEY).add(entry, [contents])


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "a bit of a line": lambda data: data.replace(b'"file"', b'"fild"', 1),
    "a bit of the contents": lambda data: data.replace(b"undecodable", b"undecodablf"),
    "cut at the end": lambda data: data[:-1],
    "longer": lambda data: data + b"\n",
    "empty": lambda data: b"",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_was_changed_is_not_authentic(change: Callable[[bytes], bytes], full: Path) -> None:
    file = io.BytesIO()
    tag = back_up_folder(full, file)
    data = file.getvalue()

    assert change(data) != data
    assert not is_authentic([change(data)], tag, KEY)
    assert is_authentic([data[:1000], data[1000:]], tag, KEY)
