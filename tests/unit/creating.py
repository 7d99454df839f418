"""Builds trains for the tests of `create`, and checks that nothing is left of a refused one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from entrypoint.author.create import Request, create
from entrypoint.errors import PhtError
from tests import reference, reference_route
from tests.desk import Said

KEYS = reference.VECTORS / "keys"
USER_KEY = KEYS / "user.sk.pem"
STATIONS = [(name, KEYS / f"{name}.pk.pem") for name in reference.STATIONS]
FILES = {"run.py": "print()", "a/z": "", "a-b": "twö", "B/ü.txt": "3", "query.json": "{}"}
IN_ORDER = ["B/ü.txt", "a/z", "a-b", "query.json", "run.py"]
BUILDER_KEY = reference_route.VECTORS / "keys" / "builder.sk.pem"


def build_train(
    train: Path,
    output: Path,
    *,
    exclude: Sequence[str] = (),
    generation: str = "flat",
    user_key: Path = USER_KEY,
    password_file: Path | None = None,
    builder_key: Path | None = None,
    builder_password_file: Path | None = None,
    user: str = "user-1",
    train_id: str = "train-1",
    stations: list[tuple[str, Path]] = STATIONS,
    command: Sequence[str] = (),
    workdir: str | None = None,
    paillier_key: Path | None = None,
) -> str:
    said = Said()
    request = Request(
        train=train,
        exclude=exclude,
        generation=generation,
        user_key=user_key,
        password_file=password_file,
        builder_key=builder_key,
        builder_password_file=builder_password_file,
        user=user,
        train_id=train_id,
        stations=stations,
        proposal="17",
        master_image="python:slim",
        command=command,
        workdir=workdir,
        paillier_key=paillier_key,
    )
    create(request, output, said)
    return said.text


def assert_not_built(
    error: type[PhtError], code: str, train: Path, output: Path, **options: Any
) -> PhtError:
    """Check that nothing can be built and that nothing of the attempt is left."""
    before = {path: sorted(path.parent.iterdir()) for path in (train, output)}
    with pytest.raises(error) as refused:
        build_train(train, output, **options)
    assert refused.value.code == code
    assert {path: sorted(path.parent.iterdir()) for path in (train, output)} == before
    return refused.value


def command(train: Path, output: Path, key: Path) -> list[str | Path]:
    words: list[str | Path] = ["create", train, "--output", output, "--user-key", key]
    words += ["--generation", "flat"]
    words += ["--user", "user-1", "--train-id", "train-1"]
    return [*words, *(word for name, pem in STATIONS for word in ("--station", f"{name}={pem}"))]


def first_reader(opt: Path) -> dict[str, bytes]:
    """Return the files as the first station reads them, decrypted and verified without our code."""
    key = reference.vector_key(STATIONS[0][0], private=True)
    return reference_route.decrypt_definition(opt, key, STATIONS[0][0])
