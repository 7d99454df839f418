"""What the stages expect of a file cipher; each wire generation brings its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class InvalidCiphertext(Exception):
    """A file does not decrypt. There is one such error without detail, so that it tells nothing."""


class Stream(Protocol):
    """One file on its way through a cipher."""

    def update(self, data: bytes, /) -> bytes:
        """Take the next bytes and return what is ready."""

    def finalize(self) -> bytes:
        """Return the rest; a decryptor raises InvalidCiphertext unless everything was authentic."""


@dataclass(frozen=True)
class Cipher:
    """A way to encrypt files, each under the train's symmetric key and an IV of its own.

    Attributes:
        generate_key: returns a fresh random key in the form that envelopes carry.
        encryptor: starts to encrypt one file, given the key and a 16-byte IV.
        decryptor: starts to decrypt one file, given the key; what it returns is unverified until
            `finalize` has succeeded.
        peek_iv: returns the IV of an encrypted file from its head, or None if it is no such file.
        head_bytes: how long the head is that `peek_iv` needs.
    """

    generate_key: Callable[[], bytes]
    encryptor: Callable[[bytes, bytes], Stream]
    decryptor: Callable[[bytes], Stream]
    peek_iv: Callable[[bytes], bytes | None]
    head_bytes: int
