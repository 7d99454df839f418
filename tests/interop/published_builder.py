"""A train of the route generation, made with the published package as its builder makes it.

Run in an environment that has the package; nothing of this project is imported here. The package
has no builder: this puts its own hash, cipher, envelope and configuration together, in the way
that its tests do. Reads one JSON object from stdin: the PEMs of `user` and `builder`, and
`stations`, the public ones by station id.
"""

import argparse
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from train_lib.security.encryption import FileEncryptor
from train_lib.security.hashing import hash_immutable_files
from train_lib.security.key_manager import KeyManager
from train_lib.security.train_config import TrainConfig

USER_ID = 42
QUERY = "query.json"


def main() -> None:
    """Make `OUTPUT/pht_train`, an empty `OUTPUT/pht_results` and `OUTPUT/train_config.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train", type=Path, help="folder of the files of the train")
    parser.add_argument("output", type=Path, help="a folder that is not there yet")
    options = parser.parse_args()
    files = {path.name: path.read_bytes() for path in sorted(options.train.glob("*.*"))}
    key = KeyManager.generate_symmetric_key()
    config = _config(files, json.load(sys.stdin), key)
    (options.output / "pht_results").mkdir(parents=True)
    (options.output / "pht_train").mkdir()
    encryptor = FileEncryptor(key)
    for name, content in files.items():
        (options.output / "pht_train" / name).write_bytes(encryptor.encrypt(content))
    text = config.json(indent=2, by_alias=True)
    (options.output / "train_config.json").write_text(text)


def _config(files: dict[str, bytes], keys: Any, key: bytes) -> TrainConfig:
    session_id = os.urandom(64)
    digest = hash_immutable_files(
        immutable_files=[io.BytesIO(content) for content in files.values()],
        binary_files=True,
        user_id=str(USER_ID),
        session_id=session_id,
        ordered_file_list=[*files],
        immutable_file_names=[*files],
    )
    signature = _sign(keys["user"], digest)
    return TrainConfig(
        **{
            "@id": "d8a3c7c1-5d0f-4c7e-8a39-3f1f0d1f7d55",
            "@context": {"link": "https://www.w3.org/2018/credentials/v1", "more": [1, None]},
            "session_id": session_id.hex(),
            "proposal_id": 12,
            "source": {"type": "docker_repository", "tag": "latest", "address": "journey"},
            "creator": {"id": USER_ID, "rsa_public_key": _public(keys["user"])},
            "route": _route(keys["stations"], key),
            "file_list": [name for name in files if name != QUERY],
            "hash": digest.hex(),
            "signature": signature.hex(),
            "build": {
                "signature": _sign(keys["builder"], digest + signature).hex(),
                "rsa_public_key": _public(keys["builder"]),
            },
        }
    )


def _route(stations: dict[str, str], key: bytes) -> list[dict[str, Any]]:
    """Return the stops in order; only the first gets the key."""
    stops: list[dict[str, Any]] = [
        {
            "station": station,
            "eco_system": "tue",
            "rsa_public_key": pem.encode().hex(),
            "index": index,
        }
        for index, (station, pem) in enumerate(stations.items())
    ]
    envelope = KeyManager(None).encrypt_symmetric_key(key, stops[0]["rsa_public_key"])
    stops[0]["encrypted_key"] = envelope
    return stops


def _sign(pem: str, data: bytes) -> bytes:
    key: Any = serialization.load_pem_private_key(pem.encode(), password=None)
    signature: bytes = key.sign(data, padding.PKCS1v15(), hashes.SHA512())
    return signature


def _public(private: str) -> str:
    key = serialization.load_pem_private_key(private.encode(), password=None)
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem.hex()


if __name__ == "__main__":
    main()
