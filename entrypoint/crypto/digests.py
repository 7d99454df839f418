"""The hashes of the protocol, all SHA-512 (docs/protocol.md, "Hashes")."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA512, Hash

from entrypoint.files import page_cache
from entrypoint.files.links import open_real
from entrypoint.limits import CHUNK_BYTES


def new_sha512() -> Hash:
    """Return a new SHA-512 context."""
    return Hash(SHA512())


def sha512(*parts: bytes) -> bytes:
    """Return the SHA-512 (64 bytes) of the concatenated parts."""
    digest = new_sha512()
    for part in parts:
        digest.update(part)
    return digest.finalize()


def immutable_hash(
    user_id: str,
    files: Iterable[Iterable[bytes]],
    session_id: bytes,
    query: Iterable[bytes] | None,
) -> bytes:
    """Return the hash of the train definition, 64 bytes.

    Args:
        user_id: the id of the user who signs.
        files: the contents, in chunks, of the immutable files in the order of the file list,
            without the query.
        session_id: 64 bytes.
        query: the contents of `query.json`, if the train has one; hashed last.
    """
    digest = new_sha512()
    digest.update(user_id.encode())
    for chunk in chain.from_iterable(files):
        digest.update(chunk)
    digest.update(session_id)
    for chunk in query or ():
        digest.update(chunk)
    return digest.finalize()


class ResultHash:
    """Hashes plaintext results: the contents of all files in archive order, then the session id."""

    def __init__(self, session_id: bytes) -> None:
        self._session_id = session_id
        self._digest = new_sha512()

    def update(self, data: bytes | memoryview) -> None:
        """Append contents."""
        self._digest.update(data)

    def finalize(self) -> bytes:
        """Return the hash, 64 bytes."""
        self._digest.update(self._session_id)
        return self._digest.finalize()


def chunks(path: Path) -> Iterator[bytes]:
    """Yield the contents of a file, which may not be a link, in chunks."""
    with open_real(path) as file:
        yield from page_cache.chunks(file, CHUNK_BYTES)
