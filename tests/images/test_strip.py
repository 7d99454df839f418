"""Libraries without what only debuggers read: smaller, and the same to whoever loads them."""

import shutil
import subprocess
import sys
from pathlib import Path

import cryptography
import pytest

from master_images.strip import strip

SIGNS = """\
from cryptography.hazmat.primitives.asymmetric import ed25519
key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
print(key.sign(b"message").hex())
"""


def test_a_library_without_its_symbols_does_what_it_did(tmp_path: Path) -> None:
    package = tmp_path / "cryptography"
    shutil.copytree(Path(cryptography.__file__).parent, package)
    [library] = package.rglob("_rust*.so")
    before = library.read_bytes()
    library.write_bytes(strip(before))
    assert library.stat().st_size < len(before) * 0.9
    assert strip(library.read_bytes()) == library.read_bytes()
    outputs = [
        subprocess.run([sys.executable, "-c", SIGNS], cwd=folder, check=True, capture_output=True)
        for folder in (tmp_path, "/")
    ]
    assert outputs[0].stdout == outputs[1].stdout != b""


def test_what_is_no_library_is_refused() -> None:
    with pytest.raises(ValueError, match="ELF"):
        strip(b"#!/bin/sh\n")
