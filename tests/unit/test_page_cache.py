"""Large files are read and written whole, and do not stay in the page cache."""

import ctypes
import io
import mmap
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import pytest

from entrypoint.files import page_cache
from entrypoint.limits import CACHED_TAIL_BYTES, CHUNK_BYTES, WRITE_BYTES
from entrypoint.linux.mounts import mount_of
from tests.faults.strace import Strace, Unavailable
from tests.station import REPOSITORY

SIZE = 3 * CACHED_TAIL_BYTES + 1000


def filled(path: Path) -> bytes:
    """Write a file that is on the disk and in the cache; return its contents."""
    contents = os.urandom(WRITE_BYTES) * (SIZE // WRITE_BYTES) + bytes(SIZE % WRITE_BYTES)
    with path.open("wb") as file:
        file.write(contents)
        file.flush()
        os.fsync(file.fileno())
    return contents


def cached_pages(path: Path) -> int:
    """Return how many pages of a file are in the page cache (mincore(2))."""
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
    view = (ctypes.c_char * len(mapped)).from_buffer(mapped)
    found = (ctypes.c_ubyte * -(-len(mapped) // mmap.PAGESIZE))()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mincore(view, ctypes.c_size_t(len(mapped)), found) == 0, ctypes.get_errno()
    return sum(page & 1 for page in found)


def read_and_drop(path: Path) -> bytes:
    """Read a file and drop its pages, as the runner does."""
    read = []
    with path.open("rb", buffering=0) as file:
        behind = page_cache.DropBehind(file)
        for chunk in page_cache.chunks(file, CHUNK_BYTES):
            read.append(chunk)
            behind.passed(len(chunk))
    return b"".join(read)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, SIZE])
def test_a_file_is_read_whole(size: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = filled(path)[:size]
    os.truncate(path, size)
    assert read_and_drop(path) == contents


@pytest.mark.skipif(sys.platform != "linux", reason="pages are dropped on Linux only")
def test_pages_that_were_read_are_dropped(tmp_path: Path) -> None:
    if mount_of(tmp_path).fs_type == "tmpfs":
        pytest.skip("tests run in memory here")
    path = tmp_path / "file"
    filled(path)
    assert cached_pages(path) * mmap.PAGESIZE >= SIZE
    read_and_drop(path)
    assert cached_pages(path) * mmap.PAGESIZE < 2 * CACHED_TAIL_BYTES


class SlowServer(io.RawIOBase):
    """A file that returns a few bytes a call, as over a network."""

    def __init__(self, contents: bytes) -> None:
        self._contents = io.BytesIO(contents)

    def readinto(self, room: Any, /) -> int:
        return self._contents.readinto(memoryview(room)[:7])


def chunks(file: io.RawIOBase) -> Iterator[bytes]:
    return page_cache.chunks(cast(IO[bytes], file), 100)


def read_pieces(file: io.RawIOBase) -> Iterator[memoryview]:
    return page_cache.pieces(cast(io.FileIO, file), 100, lambda: memoryview(bytearray(150)))


@pytest.mark.parametrize("read", [chunks, read_pieces])
@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 250])
def test_pieces_are_of_one_size_whatever_the_file_system_returns(
    read: Callable[[io.RawIOBase], Iterator[page_cache.Piece]], size: int
) -> None:
    contents = os.urandom(size)
    found = list(read(SlowServer(contents)))
    assert b"".join(found) == contents
    assert [len(piece) for piece in found[:-1]] == [100] * (-(-size // 100) - 1)


@pytest.mark.skipif(sys.platform != "linux", reason="pages are dropped on Linux only")
def test_pages_that_were_written_are_dropped_if_nobody_reads_them(tmp_path: Path) -> None:
    if mount_of(tmp_path).fs_type == "tmpfs":
        pytest.skip("tests run in memory here")
    path = tmp_path / "file"
    with page_cache.new(path, cached=False) as file:
        for _ in range(SIZE // WRITE_BYTES):
            file.write(os.urandom(WRITE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    assert cached_pages(path) * mmap.PAGESIZE < 2 * CACHED_TAIL_BYTES


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    source, copy = tmp_path / "file", tmp_path / "copy"
    contents = filled(source)
    with source.open("rb") as file, page_cache.new(copy, cached=False) as target:
        while piece := file.read(70_001):
            target.write(piece)
    assert copy.read_bytes() == contents


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        page_cache.new(tmp_path / "file", cached=False)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked on Linux only")
def test_the_disk_starts_on_every_piece_at_once(tmp_path: Path) -> None:
    try:
        strace = Strace.find().program
    except Unavailable as reason:
        pytest.skip(str(reason))
    code = """
import sys
from pathlib import Path
from entrypoint.files import page_cache
with page_cache.new(Path(sys.argv[1]), cached=False) as file:
    for _ in range(int(sys.argv[2]) // 4096):
        file.write(bytes(4096))
"""
    log = tmp_path / "log"
    size = str(CACHED_TAIL_BYTES + 2 * WRITE_BYTES)
    program = [sys.executable, "-c", code, str(tmp_path / "file"), size]
    follow = [strace, "--output", str(log), "--trace=/fadvise"]
    subprocess.run([*follow, *program], check=True, cwd=REPOSITORY)
    advice = [line.split("(")[1].split(", ") for line in log.read_text().splitlines()[:-1]]
    starts = [int(start) for _, start, length, what in advice if int(length) == WRITE_BYTES]
    written = [WRITE_BYTES * number for number in range(CACHED_TAIL_BYTES // WRITE_BYTES + 2)]
    assert starts == [*written[:-1], 0, written[-1], WRITE_BYTES]
