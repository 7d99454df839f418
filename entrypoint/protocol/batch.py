"""The batches in which results are sealed; the estimate of disk space counts the same batches."""


class BatchSize:
    """Counts the bytes of a batch: large files by their length, small ones by their ciphertext."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0

    def begins_next(self, size: int) -> bool:
        """Count a file; return whether it begins the next batch, because this one is full."""
        full = self._bytes >= self._limit
        self._bytes = size if full else self._bytes + size
        return full
