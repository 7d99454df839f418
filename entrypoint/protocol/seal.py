"""Steps 7 to 11: hash and encrypt the new results, sign, extend the chain, wrap the key.

Hash and encryption are one pass, in place and in batches, so that a crash leaves each file either
plain or sealed (docs/crash-safety.md). The IV of a file is derived from the fresh key and the
file's path: unpredictable without the key, never used twice under it, and the mark by which a
continued run knows a sealed file.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from entrypoint.crypto.cipher import InvalidCiphertext, Stream
from entrypoint.crypto.keys import PrivateKey, wrap
from entrypoint.crypto.signatures import sign_pss
from entrypoint.errors import StorageError
from entrypoint.limits import CHUNK_BYTES, SEAL_BATCH_BYTES, SEAL_BATCH_FILES
from entrypoint.linux.disk import syncfs
from entrypoint.model import Visit
from entrypoint.stages import Contents, SealedTrain
from entrypoint.train_config import Seal, TrainConfig, encode
from entrypoint.tree import Entry, Kind, check_entry, create_like, walk

_IV_CONTEXT = b"pht results, IV by path, version 1"
_IV_BYTES = 16


def check_sealable(results: Path, leave_out: str) -> tuple[str, ...]:
    """Check that what the train left can travel, before there is no way back.

    Returns:
        The symlinks, which travel without a signature.

    Raises:
        MalformedTrain: a device, FIFO, socket, too deep folder, or a link that leaves the tree.
    """
    symlinks = []
    for entry in walk(results, leave_out=leave_out):
        check_entry(entry)
        if entry.kind is Kind.SYMLINK:
            symlinks.append(entry.path)
    return tuple(symlinks)


@dataclass(frozen=True)
class Signer:
    """The station that seals: its id on the train and its private key."""

    station: str
    key: PrivateKey


def seal(
    config: TrainConfig,
    signer: Signer,
    symmetric_key: bytes,
    results: Path,
    *,
    batch: Path,
    leave_out: str = "",
    proceed: Callable[[], None] = lambda: None,
) -> SealedTrain:
    """Encrypt the results in place and sign them; continues where an earlier run stopped.

    Args:
        config: the configuration of the stage before.
        signer: this station.
        symmetric_key: the fresh key, which the journal has already recorded.
        results: the folder; its files are plain or, after a crash, already sealed.
        batch: a folder for encrypted files until they are durable, on the same file system.
        leave_out: a name in `results` that is not part of them.
        proceed: called between two chunks; raises to stop.
    """
    sealing = _Sealing(config, symmetric_key, results, batch, proceed)
    contents = sealing.seal_all(leave_out)
    result_hash = sealing.result_hash()
    digest = config.next_digest(result_hash)
    user_envelope = wrap(config.user_key, symmetric_key)
    document = config.sealed(
        Seal(
            result_hash=result_hash,
            result_signature=sign_pss(signer.key, result_hash),
            visit=Visit(signer.station, sign_pss(signer.key, digest), digest),
            envelopes={name: wrap(key, symmetric_key) for name, key in config.stations.items()},
            user_envelope=user_envelope,
        )
    )
    return SealedTrain(encode(document), user_envelope, contents)


class _Sealing:
    """One pass over all files of a results folder."""

    def __init__(
        self,
        config: TrainConfig,
        key: bytes,
        results: Path,
        batch: Path,
        proceed: Callable[[], None],
    ) -> None:
        self._config = config
        self._cipher = config.cipher
        self._key = key
        self._iv_key = HKDF(hashes.SHA256(), 32, salt=None, info=_IV_CONTEXT).derive(key)
        self._digest = hashlib.sha512()
        self._results = results
        self._batch = _Batch(batch, results)
        self._proceed = proceed

    def seal_all(self, leave_out: str) -> Contents:
        """Seal every file in archive order; several names of one file become files of their own."""
        files = size = 0
        for entry in walk(self._results, leave_out=leave_out):
            if entry.kind in (Kind.FILE, Kind.HARD_LINK):
                files += 1
                size += self._seal_file(entry)
        self._batch.put_in_place()
        return Contents(files, size)

    def result_hash(self) -> bytes:
        """Return the hash of everything that was sealed, and the session id."""
        self._digest.update(self._config.session_id)
        return self._digest.digest()

    def _seal_file(self, entry: Entry) -> int:
        iv = hmac.digest(self._iv_key, entry.path.encode(errors="surrogateescape"), "sha256")
        iv = iv[:_IV_BYTES]
        with (self._results / entry.path).open("rb") as source:
            if self._cipher.peek_iv(source.read(self._cipher.head_bytes)) == iv:
                source.seek(0)
                return self._hash_sealed(source, entry.path)
            source.seek(0)
            with self._batch.file(entry) as target:
                size = self._encrypt(source, self._cipher.encryptor(self._key, iv), target)
        self._batch.add(size)
        return size

    def _encrypt(self, source: IO[bytes], stream: Stream, target: IO[bytes]) -> int:
        size = 0
        while chunk := source.read(CHUNK_BYTES):
            self._proceed()
            self._digest.update(chunk)
            target.write(stream.update(chunk))
            size += len(chunk)
        target.write(stream.finalize())
        return size

    def _hash_sealed(self, source: IO[bytes], path: str) -> int:
        """Hash the plaintext of a file that an interrupted run has sealed."""
        size = 0
        stream = self._cipher.decryptor(self._key)
        try:
            while chunk := source.read(CHUNK_BYTES):
                self._proceed()
                size += self._hash(stream.update(chunk))
            return size + self._hash(stream.finalize())
        except InvalidCiphertext:
            raise StorageError(
                "sealed-file-damaged",
                f"{path} was sealed before the interruption and is damaged now",
                hint="check the disk, then start from the image again",
            ) from None

    def _hash(self, plaintext: bytes) -> int:
        self._digest.update(plaintext)
        return len(plaintext)


class _Batch:
    """Encrypted files on their way into place: durable first, then renamed over the plaintext."""

    def __init__(self, folder: Path, results: Path) -> None:
        self._folder = folder
        self._results = results
        self._paths: list[str] = []
        self._bytes = 0

    def file(self, entry: Entry) -> IO[bytes]:
        """Open the next file of the batch, with the mode and owner of the one it replaces."""
        temporary = self._folder / str(len(self._paths))
        temporary.unlink(missing_ok=True)  # of an interrupted run
        self._paths.append(entry.path)
        return create_like(temporary, entry.stat)

    def add(self, size: int) -> None:
        """Count a finished file, and put the batch in place when it is full."""
        self._bytes += size
        if self._bytes >= SEAL_BATCH_BYTES or len(self._paths) >= SEAL_BATCH_FILES:
            self.put_in_place()

    def put_in_place(self) -> None:
        """Make the batch durable, then rename every file of it."""
        syncfs(self._folder)
        for number, path in enumerate(self._paths):
            (self._folder / str(number)).replace(self._results / path)
        self._paths.clear()
        self._bytes = 0
