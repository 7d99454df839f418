"""Paillier keys and encrypted numbers of the users' desktop application, with its own modules."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entrypoint.author import paillier
from entrypoint.author.encrypted_numbers import decrypt_numbers
from entrypoint.author.keygen import keygen_paillier
from entrypoint.crypto.paillier_key import PaillierKey
from tests.desk import Said, plant
from tests.desktop.exports import USER_KEY, Open, exported, sealed_train
from tests.reference_paillier import (
    PRIVATE,
    PUBLIC,
    RECORDED,
    G,
    N,
    encrypt,
    write_key,
)
from tests.station import pht

SCRIPT = Path(__file__).with_name("paillier.mjs")
PATIENCE_S = 60

Application = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def application(node: str, modules: Path) -> Application:
    """A function that runs the script with the modules of the application."""

    def run(*words: object, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        command: list[str | Path] = [node, SCRIPT, modules, *map(str, words)]
        return subprocess.run(
            command, input=stdin, capture_output=True, timeout=PATIENCE_S, check=False
        )

    return run


def opened_here(folder: Path, private: Path, of_train: PaillierKey) -> bytes:
    decrypt_numbers(folder, paillier.read_private(private, of_train), Said())
    return (folder / "sum.he.json").read_bytes()


def test_keys_and_numbers_of_the_application(application: Application, tmp_path: Path) -> None:
    done = application("keys", 0, 42, 10**30)
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    public = write_key(tmp_path / "public", made["public"])
    key = paillier.read_public(public, Said())
    result = plant(tmp_path / "results", {"sum.he.json": json.dumps(made["encrypted"])})
    private = write_key(tmp_path / "private", made["private"])
    assert opened_here(result, private, key) == f"[0,42,{10**30}]".encode()


@pytest.mark.parametrize(
    "written",
    [
        {"sum": encrypt(42), "text": str(encrypt(7)), "of": [[encrypt(1)], {"n": RECORDED}]},
        {"plain": [1, 123456789012345, -12345678901234, 1.5, None, True], "short": "12"},
        {"long": 1234567890123456, "text": "0" * 20 + str(RECORDED)},
    ],
    ids=["numbers", "plain ones", "looks encrypted"],
)
def test_the_application_gives_the_same_numbers(
    written: object, application: Application, tmp_path: Path
) -> None:
    text = json.dumps(written)
    public = write_key(tmp_path / "public", PUBLIC)
    private = write_key(tmp_path / "private", PRIVATE)
    there = application("decrypt", public, private, stdin=text.encode())
    assert there.returncode == 0, there.stderr
    result = plant(tmp_path / "results", {"sum.he.json": text})
    assert opened_here(result, private, PaillierKey(N, G)) == there.stdout


@pytest.mark.parametrize("as_text", [False, True], ids=["bare", "text"])
def test_under_a_long_key_the_application_reads_numbers_as_text_only(
    as_text: bool, application: Application, tmp_path: Path
) -> None:
    keygen_paillier(tmp_path / "user", bits=2048, password_file=None, report=Said())
    public, private = (tmp_path / f"user.paillier.{half}.json" for half in ("public", "private"))
    key = paillier.read_public(public, Said())
    number = encrypt(42, key.n, key.g)
    text = json.dumps([str(number) if as_text else number])
    there = application("decrypt", public, private, stdin=text.encode())
    expected = (b"[42]", b"") if as_text else (b"", b"Bad number\n")
    assert (there.stdout, there.stderr) == expected
    result = plant(tmp_path / "results", {"sum.he.json": text})
    assert opened_here(result, private, key) == b"[42]"


def test_numbers_of_an_export_are_the_same_in_the_application(
    application: Application, open_results: Open, tmp_path: Path
) -> None:
    public = write_key(tmp_path / "public", PUBLIC)
    private = write_key(tmp_path / "private", PRIVATE)
    carried = public.read_bytes().hex()
    archive = exported(
        sealed_train(
            tmp_path / "station",
            {"sum.he.json": json.dumps({"ages": encrypt(280)}).encode()},
            lambda config: config["creator"].update(paillier_public_key=carried),
        )
    )
    sealed = open_results(archive, USER_KEY)["sum.he.json"]
    there = application("decrypt", public, private, stdin=sealed)
    keys: list[str | Path] = ["--key", USER_KEY, "--paillier-key", private]
    done = pht("decrypt-results", archive, *keys, "--output", tmp_path / "here")
    assert done.status == 0, done.stderr
    here = (tmp_path / "here" / "sum.he.json").read_bytes()
    assert here == there.stdout == b'{"ages":280}'
