"""Steps 7 to 11: hash and encrypt the new results, sign, extend the chain, wrap the key.

The immutable files, where they travel encrypted, are encrypted again by the same pass.

Hash and encryption are one pass, in place and in batches, so that a crash leaves each file either
plain or sealed (docs/crash-safety.md). The IV of a file is derived from the fresh key and the
file's path: unpredictable without the key, never used twice under it, and the mark by which a
continued run recognises a sealed file.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from typing import IO, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from entrypoint.crypto.digests import ResultHash
from entrypoint.crypto.envelopes import wrap
from entrypoint.crypto.file_cipher import IV_BYTES, InvalidCiphertext, transform
from entrypoint.crypto.mac import hmac_sha256
from entrypoint.errors import MalformedTrain, StorageError
from entrypoint.files import page_cache, two_processes
from entrypoint.files.attributes import (
    PERMISSIONS,
    Attributes,
    Owner,
    drop_special_bits,
    give,
    set_attributes,
)
from entrypoint.files.links import open_real, read_small
from entrypoint.files.pack import PackWriter, apply
from entrypoint.files.page_cache import Piece
from entrypoint.files.tree import Entry, Kind, is_small, walk
from entrypoint.files.two_processes import Item
from entrypoint.limits import CHUNK_BYTES, SEAL_BATCH_BYTES
from entrypoint.linux.access import first_irreplaceable
from entrypoint.linux.durable import flush_file, flush_trees
from entrypoint.linux.remove import remove
from entrypoint.model import Visit
from entrypoint.protocol.batch import BatchSize
from entrypoint.protocol.cancellation import CheckStop
from entrypoint.protocol.entry_rules import check_entry, check_name
from entrypoint.protocol.stages import Contents, SealedTrain
from entrypoint.recovery.work_folder import WorkFolder
from entrypoint.train_config import Seal, TrainConfig, encode

_IV_CONTEXT = b"pht files, IV by path, version 1"


def check_sealable(results: Path, leave_out: str) -> tuple[str, ...]:
    """Check that the results can travel, while the old state can still be restored.

    Returns:
        The symlinks, which travel without a signature.

    Raises:
        MalformedTrain: there is a device, FIFO, socket, too deep folder, a link that leaves the
            tree, a name that is reserved, or a path that this user may not read and replace.
        OSError: the disk cannot be read.
    """
    if path := first_irreplaceable(results, leave_out):
        raise MalformedTrain(
            "results-unsafe",
            f"the train has taken away the permission to read or replace {path}",
            hint="leave results readable and their folders writable; change the train",
        )
    symlinks = []
    for entry in walk(results, leave_out=leave_out):
        check_entry(entry, results.name)
        check_name(entry, results.name)
        if entry.kind is Kind.SYMLINK:
            symlinks.append(entry.path)
    return tuple(symlinks)


def seal(
    config: TrainConfig,
    symmetric_key: bytes,
    results: WorkFolder,
    definition: WorkFolder | None,
    *,
    owner: Owner | None,
    station: str,
    sign: Callable[[bytes], bytes],
    proceed: CheckStop,
) -> SealedTrain:
    """Encrypt the files in place and sign the results; continues where an earlier run stopped.

    Args:
        config: the configuration as it arrived.
        symmetric_key: the fresh key, which the journal has already recorded.
        results: the work folder of the results, some of which a crash may have left sealed.
        definition: the work folder of the immutable files, None if they travel in plaintext.
        owner: user and group of the sealed results; None if files keep theirs.
        station: the id of this station on the train.
        sign: returns this station's signature of a digest.
        proceed: called between two chunks; raises to cancel.
    """
    if definition:
        _Sealing(config, symmetric_key, definition, None, proceed).seal_all()
    sealing = _Sealing(config, symmetric_key, results, owner, proceed)
    contents = sealing.seal_all()
    result_hash = sealing.result_hash()
    digest = config.next_digest(result_hash)
    visit_signature = sign(digest)
    user_envelope = wrap(config.user_key, symmetric_key)
    document = config.sealed(
        Seal(
            result_hash=result_hash,
            result_signature=sign(result_hash),
            visit=Visit(station=station, signature=visit_signature, digest=digest),
            envelopes={name: wrap(key, symmetric_key) for name, key in config.stations.items()},
            user_envelope=user_envelope,
        )
    )
    return SealedTrain(
        document=encode(document),
        user_envelope=user_envelope,
        result_hash=result_hash,
        contents=contents,
    )


class _Sealing:
    """One pass over all files of a tree, which gets an owner, if there is one."""

    def __init__(
        self,
        config: TrainConfig,
        key: bytes,
        work: WorkFolder,
        owner: Owner | None,
        proceed: CheckStop,
    ) -> None:
        self._config = config
        self._cipher = config.cipher
        self._key = key
        self._iv_key = HKDF(hashes.SHA256(), 32, salt=None, info=_IV_CONTEXT).derive(key)
        self._hash = ResultHash(config.session_id)
        self._work = work
        self._batch = _Batch(work.batch(), work.tree, owner)
        self._owner = owner
        self._proceed = proceed

    def seal_all(self) -> Contents:
        """Seal every file in archive order; hard links become separate files."""
        files = size = 0
        self._batch.apply_left_packs()
        self._work.drop_special_bits()
        self._give(self._work.folder())
        with self._batch:
            for entry in walk(self._work.tree, leave_out=self._work.leave_out):
                self._give(entry)
                if entry.kind is Kind.DIRECTORY:
                    drop_special_bits(self._work.tree / entry.path)
                elif entry.has_contents:
                    files += 1
                    size += self._seal_file(entry)
        return Contents(files=files, size=size)

    def result_hash(self) -> bytes:
        """Return the hash of all sealed files, as of results."""
        return self._hash.finalize()

    def _give(self, entry: Entry) -> None:
        if self._owner:
            give(f"{self._work.tree}/{entry.path}", entry.stat, self._owner)

    def _seal_file(self, entry: Entry) -> int:
        path = f"{self._work.tree}/{entry.path}"
        if is_small(entry):
            return self._seal_small(read_small(path), entry)
        with open_real(path) as source:
            return self._seal_large(source, entry)

    def _seal_small(self, contents: bytes, entry: Entry) -> int:
        self._proceed()
        iv = self._iv(entry)
        if self._is_sealed(contents, iv):
            return self._hash_sealed((contents,), entry.path)
        self._hash.update(contents)
        first, second = self._cipher.encryptor(self._key, iv)
        sealed = transform(second, transform(first, (contents,)))
        self._batch.add_small(entry.path, b"".join(sealed))
        return len(contents)

    def _seal_large(self, source: FileIO, entry: Entry) -> int:
        iv = self._iv(entry)
        head = next(page_cache.chunks(source, self._cipher.head_bytes), b"")
        source.seek(0)
        if self._is_sealed(head, iv):
            return self._hash_sealed(self._chunks(source), entry.path)
        with self._batch.file(entry) as target:
            return self._encrypt(source, iv, target)

    def _iv(self, entry: Entry) -> bytes:
        path = f"{self._work.name}/{entry.path}"  # two trees may hold files of the same path
        return hmac_sha256(self._iv_key, os.fsencode(path))[:IV_BYTES]

    def _is_sealed(self, head: bytes, iv: bytes) -> bool:
        return self._cipher.peek_iv(head[: self._cipher.head_bytes]) == iv

    def _chunks(self, source: IO[bytes]) -> Iterator[bytes]:
        for chunk in page_cache.chunks(source, CHUNK_BYTES):
            self._proceed()
            yield chunk

    def _encrypt(self, source: FileIO, iv: bytes, target: IO[bytes]) -> int:
        size = 0
        first, second = self._cipher.encryptor(self._key, iv)

        def write(pieces: Iterable[Item]) -> None:
            behind = page_cache.DropBehind(source)
            for piece, precomputed in pieces:
                target.write(second.update(piece, precomputed))
                behind.passed(len(piece))
            target.write(second.finalize())
            target.flush()

        with two_processes.consumer_process(write, second.precompute) as sender:
            for piece in page_cache.pieces(source, CHUNK_BYTES, sender.next_slot):
                self._proceed()
                size += self._hashed(piece)
                sender.send(Item(first.update(piece)))
            sender.send(Item(first.finalize()))
        return size

    def _hash_sealed(self, chunks: Iterable[bytes], path: str) -> int:
        """Hash the plaintext of a file that an interrupted run has sealed."""
        try:
            return sum(map(self._hashed, transform(self._cipher.decryptor(self._key), chunks)))
        except InvalidCiphertext:
            raise StorageError(
                "sealed-file-damaged",
                f"{path} was sealed before the interruption and is damaged now",
                hint="check the disk, then start from the image again",
            ) from None

    def _hashed(self, plaintext: Piece) -> int:
        """Hash some plaintext; return its length."""
        self._hash.update(plaintext)
        return len(plaintext)


class _Batch:
    """Encrypted files that replace the plaintext once they are durable.

    Small files wait in a pack, from which they are written in place; large ones are separate files,
    which are renamed. A pack stays until the next flush has made the files written from it durable.
    The last batch is put in place at the end of the `with` block.
    """

    def __init__(self, folder: Path, tree: Path, owner: Owner | None) -> None:
        self._folder = folder
        self._tree = tree
        self._owner = owner
        self._number = 0
        self._pack = ExitStack()
        self._writer: PackWriter | None = None
        self._files: list[tuple[Path, str]] = []
        self._size = BatchSize(SEAL_BATCH_BYTES)

    def __enter__(self) -> None:
        pass

    def __exit__(self, error: type[BaseException] | None, *rest: Any) -> None:
        if error is None:
            self.put_in_place()
        else:
            self._pack.__exit__(error, *rest)

    def apply_left_packs(self) -> None:
        """Apply the complete packs of an interrupted run, and remove its other work files."""
        packs = sorted(self._folder.glob("*.pack"))
        for pack in packs:
            apply(pack, self._tree, empty_first=False)
        if packs:
            flush_trees(self._tree)
        for rest in self._folder.iterdir():
            remove(rest)

    def add_small(self, path: str, token: bytes) -> None:
        """Add an encrypted small file."""
        self._make_room(len(token))
        if self._writer is None:
            self._writer = self._pack.enter_context(PackWriter(self._name(self._number)))
        self._writer.add(path, token)

    @contextmanager
    def file(self, entry: Entry) -> Iterator[IO[bytes]]:
        """Yield a new file with the mode of the one that it will replace, and the owner."""
        self._make_room(entry.stat.st_size)
        temporary = self._folder / f"{self._number}.{len(self._files)}"
        uid, gid = self._owner or (entry.stat.st_uid, entry.stat.st_gid)
        with page_cache.new(temporary, cached=False) as file:
            set_attributes(file.fileno(), Attributes(entry.stat.st_mode & PERMISSIONS, uid, gid))
            yield file
            flush_file(file)  # syncfs may report lost data to another process
        self._files.append((temporary, entry.path))

    def put_in_place(self) -> None:
        """Make this batch, and the files of the last one, durable; then replace the plaintext."""
        if not (self._writer or self._files):
            return
        self._pack.close()
        flush_trees(self._folder, self._tree)
        self._name(self._number - 1).unlink(missing_ok=True)
        if self._writer:
            apply(self._name(self._number), self._tree, empty_first=False)
        for temporary, path in self._files:
            temporary.replace(self._tree / path)
        self._number += 1
        self._writer = None
        self._files.clear()

    def _make_room(self, size: int) -> None:
        if self._size.begins_next(size):
            self.put_in_place()

    def _name(self, number: int) -> Path:
        return self._folder / f"{number}.pack"
