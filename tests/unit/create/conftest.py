"""Fixtures of the tests of `create`."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.desk import plant
from tests.unit.creating import FILES, USER_KEY


@pytest.fixture
def train(tmp_path: Path) -> Path:
    return plant(tmp_path / "train", FILES)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """The user's key, encrypted with the password "secret"."""
    key = serialization.load_pem_private_key(USER_KEY.read_bytes(), None)
    path = tmp_path / "locked.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    return path
