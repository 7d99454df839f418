"""When a batch of sealed files is full; asked where it is sealed and where its room is foretold."""


class BatchSize:
    """The bytes in a batch: of large files their length, of small ones that of their ciphertext."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0

    def begins_next(self, size: int) -> bool:
        """Count a file; return whether it begins the next batch, because this one is full."""
        full = self._bytes >= self._limit
        self._bytes = size if full else self._bytes + size
        return full
