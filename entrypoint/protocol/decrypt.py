"""Steps 3 to 5: decrypt the results with the symmetric key, check their hash and signature.

The immutable files, where they travel encrypted, are decrypted by the same pass.

One pass over the files. Plaintext goes to a private folder, from which `recovery` puts it in place
only after every MAC, the hash and the signature have been verified. All failures give the same
error (docs/security.md, "No oracle").
"""

import os
from collections.abc import Container, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cryptography.hazmat.primitives.constant_time import bytes_eq

from entrypoint.crypto.digests import ResultHash
from entrypoint.crypto.file_cipher import InvalidCiphertext, Stream, transform
from entrypoint.errors import RouteError
from entrypoint.files import page_cache, two_processes
from entrypoint.files.attributes import PERMISSIONS, make_like
from entrypoint.files.links import open_real, read_small
from entrypoint.files.pack import PackWriter
from entrypoint.files.tree import Entry, Kind, is_small, walk
from entrypoint.files.two_processes import Item
from entrypoint.limits import LISTED_PROBLEMS, SEALED_CHUNK_BYTES
from entrypoint.protocol.cancellation import CheckStop, never_cancels
from entrypoint.protocol.entry_rules import check_entry
from entrypoint.protocol.stages import Contents, OpenedTrain, VerifiedTrain
from entrypoint.recovery.backup import BackupWriter, SavedContents
from entrypoint.train_config import ResultsUnverified, TrainConfig, immutable_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a decryption writes.

    Attributes:
        plain: an empty, private folder.
        small: a pack for the small files, which otherwise go to `plain`; or None.
        backup: takes the ciphertext, or None.
    """

    plain: Path
    small: PackWriter | None
    backup: BackupWriter | None


def decrypt(
    train: VerifiedTrain,
    results: Path,
    *,
    target: Target | None,
    leave_out: str = "",
    proceed: CheckStop = never_cancels,
) -> OpenedTrain:
    """Decrypt and verify the results of the last stop.

    Args:
        train: the verified train.
        results: the folder with the encrypted files.
        target: where to write, or None to verify only.
        leave_out: a name in `results` that is not part of them.
        proceed: called between two chunks; raises to cancel.

    Raises:
        IntegrityError: the results are not authentic; one code for all reasons.
        RouteError: there are results before the first stop.
    """
    config = train.config
    if config.result_hash is None:
        return OpenedTrain(train=train, contents=_nothing(results, leave_out, target))
    if train.key is None:
        raise ResultsUnverified
    run = _Pass(config, train.key, target, proceed)
    try:
        contents = run.decrypt_all(results, leave_out)
        if not bytes_eq(run.result_hash(), config.result_hash):
            raise InvalidCiphertext
    except InvalidCiphertext:
        raise ResultsUnverified(results.name, run.forged) from None
    config.verify_result_signature()
    return OpenedTrain(train=train, contents=contents)


def decrypt_definition(
    train: VerifiedTrain,
    folder: Path,
    *,
    target: Target,
    leave_out: str,
    proceed: CheckStop,
) -> None:
    """Decrypt the immutable files in `folder`, which `verify` has found to be the signed ones.

    Other files beside them go into the backup and are not decrypted.

    Raises:
        IntegrityError: they do not decrypt; see `decrypt`.
    """
    if train.key is None:
        raise ResultsUnverified
    run = _Pass(train.config, train.key, target, proceed)
    try:
        run.decrypt_all(folder, leave_out, immutable_files(train.config, folder))
    except InvalidCiphertext:
        raise ResultsUnverified(folder.name, run.forged) from None


def _nothing(results: Path, leave_out: str, target: Target | None) -> Contents:
    """Check that there are no results yet; older software passes planted ones to the train."""
    for entry in walk(results, leave_out=leave_out, missing_ok=True):
        if entry.kind is not Kind.DIRECTORY:
            raise RouteError(
                "results-before-first-stop",
                f"there are results before the first stop: {entry.path}",
                hint="do not run this train; a new train comes with an empty pht_results",
                by="author",
                files_differ=True,
            )
        if target and target.backup:
            target.backup.add(entry)
    return Contents(files=0, size=0)


class _Pass:
    """One pass over all files of a tree.

    Attributes:
        forged: the first paths of files that do not decrypt.
    """

    def __init__(
        self,
        config: TrainConfig,
        key: bytes,
        target: Target | None,
        proceed: CheckStop,
    ) -> None:
        self._config = config
        self._key = key
        self._target = target
        self._proceed = proceed
        self._hash = ResultHash(config.session_id)
        self.forged: list[str] = []

    def decrypt_all(
        self, tree: Path, leave_out: str, only: Container[str] | None = None
    ) -> Contents:
        """Decrypt every file, or `only` some paths, in archive order."""
        files = size = 0
        for entry in walk(tree, leave_out=leave_out, missing_ok=True):
            check_entry(entry, tree.name)
            if entry.kind is Kind.FILE and only is not None and entry.path not in only:
                self._back_up(tree, entry)
            elif entry.kind is Kind.FILE:
                size += self._decrypt_file(tree, entry)
                files += 1
            elif self._target:
                _copy(entry, self._target)
        if self.forged:
            raise InvalidCiphertext
        return Contents(files=files, size=size)

    def result_hash(self) -> bytes:
        """Return the hash of everything that was decrypted, as of results."""
        return self._hash.finalize()

    def _back_up(self, tree: Path, entry: Entry) -> None:
        with self._backing_up(tree, entry) as backup:
            if backup:
                with open_real(tree / entry.path) as source:
                    for piece, _ in _read(source, backup):
                        backup.account(piece)

    def _decrypt_file(self, tree: Path, entry: Entry) -> int:
        path = f"{tree}/{entry.path}"
        try:
            if is_small(entry):
                return self._decrypt_small(read_small(path), entry)
            with open_real(path) as source:
                return self._decrypt_large(tree, source, entry)
        except InvalidCiphertext:
            self.forged = [*self.forged, entry.path][:LISTED_PROBLEMS]
            return 0  # read on: timing must not reveal which file failed

    def _decrypt_small(self, token: bytes, entry: Entry) -> int:
        self._proceed()
        target = self._target
        if target and target.backup:
            target.backup.add(entry, token)
        plaintext = b"".join(transform(self._config.cipher.decryptor(self._key), (token,)))
        self._hash.update(plaintext)
        if target and target.small:
            target.small.add(entry.path, plaintext)
        elif target:
            with make_like((target.plain / entry.path).open("xb"), entry.stat) as plain:
                plain.write(plaintext)
        return len(plaintext)

    def _decrypt_large(self, tree: Path, source: IO[bytes], entry: Entry) -> int:
        size = 0
        ahead = self._config.cipher.decrypts_ahead
        stream = self._config.cipher.decryptor(self._key)
        with self._new_plain(entry) as plain, self._backing_up(tree, entry) as backup:

            def opened(pieces: Iterable[Item]) -> Iterable[Item]:
                opened = _opened(pieces, stream)
                return _written(opened, plain) if plain else opened

            read = _read(source, backup)
            handed = opened(read) if ahead else read
            items = two_processes.producer_process(handed, stream.precompute, InvalidCiphertext)
            with items as received:
                for piece, plaintext in received if ahead else opened(received):
                    self._proceed()
                    if backup:
                        backup.account(piece)
                    self._hash.update(plaintext)
                    size += len(plaintext)
        return size

    def _backing_up(self, tree: Path, entry: Entry) -> AbstractContextManager[SavedContents | None]:
        """Return a context that takes a file's contents into the backup, if there is one."""
        backup = self._target.backup if self._target else None
        return backup.add_streamed(entry, tree / entry.path) if backup else nullcontext()

    def _new_plain(self, entry: Entry) -> AbstractContextManager[IO[bytes] | None]:
        if self._target is None:
            return nullcontext()
        plain = page_cache.new(self._target.plain / entry.path, cached=True)
        return make_like(plain, entry.stat)


def _read(source: IO[bytes], backup: SavedContents | None) -> Iterator[Item]:
    """Yield the contents of a file, and copy them to the backup unless the file is linked."""
    chunks = page_cache.chunks(source, SEALED_CHUNK_BYTES)
    if backup is None:
        yield from map(Item, chunks)
        return
    behind = page_cache.DropBehind(source)  # the train does not read it
    for chunk in chunks:
        if backup.copy:
            backup.copy.write(chunk)
        yield Item(chunk)
        behind.passed(len(chunk))
    if backup.copy:
        backup.copy.flush()


def _opened(pieces: Iterable[Item], stream: Stream) -> Iterator[Item]:
    """Yield the pieces of a file, each with the plaintext that it completes."""
    for piece, precomputed in pieces:
        yield Item(piece, stream.update(piece, precomputed))
    yield Item(b"", stream.finalize())


def _written(pieces: Iterable[Item], plain: IO[bytes]) -> Iterator[Item]:
    """Yield the pieces of a file, and write their plaintext to a new one."""
    for item in pieces:
        plain.write(item.computed)
        yield item
    plain.flush()


def _copy(entry: Entry, target: Target) -> None:
    """Copy an entry that is not a file to the plaintext, and add it to the backup."""
    path = target.plain / entry.path
    match entry.kind:
        case Kind.DIRECTORY:
            path.mkdir(mode=entry.stat.st_mode & PERMISSIONS | 0o700)
        case Kind.HARD_LINK:
            os.link(target.plain / entry.link, path)
        case Kind.SYMLINK:
            path.symlink_to(entry.link)
    if target.backup:
        target.backup.add(entry)
