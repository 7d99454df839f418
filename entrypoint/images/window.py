"""Reads a stream in order: pieces of exact length, or as they come, without copying the bulk."""

from collections.abc import Iterator


class Window:
    """A position in a stream of chunks, of which only the current one is held.

    Args:
        chunks: the stream; empty ones are allowed.
    """

    def __init__(self, chunks: Iterator[bytes | memoryview]) -> None:
        self._chunks = chunks
        self._view = memoryview(b"")
        self._at = 0
        self._before = 0

    def tell(self) -> int:
        """Return the number of bytes passed so far."""
        return self._before + self._at

    def take(self, length: int) -> bytes:
        """Return the next `length` bytes, fewer only at the end of the stream."""
        end = self._at + length
        if end <= len(self._view):
            taken = bytes(self._view[self._at : end])
            self._at = end
            return taken
        return b"".join(self.pieces(length))

    def skip_to(self, place: int) -> bool:
        """Go on to a place that `tell` would return; return whether the stream has it."""
        at = place - self._before
        if at <= len(self._view):
            self._at = at
            return True
        for _ in self.pieces(at - self._at):
            pass
        return self.tell() == place

    def pieces(self, length: int) -> Iterator[memoryview]:
        """Yield the next `length` bytes in pieces, fewer bytes only at the end of the stream."""
        while length and self._fill():
            piece = self._view[self._at : self._at + length]
            self._at += len(piece)
            length -= len(piece)
            yield piece

    def rest(self) -> Iterator[memoryview]:
        """Yield everything up to the end of the stream."""
        while self._fill():
            piece = self._view[self._at :]
            self._at = len(self._view)
            yield piece

    def _fill(self) -> bool:
        """Go to the next chunk if the current one is used up; return False at the end."""
        while self._at == len(self._view):
            chunk = next(self._chunks, None)
            if chunk is None:
                return False
            self._before += len(self._view)
            self._view = memoryview(chunk)
            self._at = 0
        return True
