"""While the train runs, the process that runs it holds no key, however the key was given."""

import os
import subprocess
import sys
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from entrypoint.crypto.mac import journal_key
from tests import reference, reference_route
from tests.memory import memory_of
from tests.station import (
    RUNS_TRAIN,
    Done,
    assert_explained,
    finish,
    new_route_train,
    new_train,
    pht,
    settle,
    start,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may read this memory")

PEM = reference.vector_key("station_1", private=True)
PASSWORD = "password-of-the-station"
WAITS = """
import os, sys, time
print("aboard", flush=True)
while os.path.exists(os.environ["HOLD"]):
    time.sleep(0.02)
"""


def numbers(pem: bytes) -> list[bytes]:
    """Return the secret numbers of a key in the byte orders in which memory may hold them."""
    key = serialization.load_pem_private_key(pem, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    private = key.private_numbers()
    found = [private.d, private.p, private.q, private.dmp1, private.dmq1, private.iqmp]
    sizes = [(number, (number.bit_length() + 7) // 8) for number in found]
    return [number.to_bytes(size, order) for number, size in sizes for order in ("big", "little")]


def encrypted() -> bytes:
    key = serialization.load_pem_private_key(PEM, None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(PASSWORD.encode()),
    )


GIVEN = {
    "as a file": (None, {}),
    "in the environment": (b"", {"RSA_STATION_PRIVATE_KEY": PEM.hex()}),
    "encrypted, its password in the environment": (encrypted(), {"PRIVATE_KEY_PASSWORD": PASSWORD}),
}


@contextmanager
def running(root: Path, env: dict[str, str]) -> Iterator[tuple[int, list[Done]]]:
    """Make a visit; yield the id of the runner while the train runs, and a list for its end."""
    ended: list[Done] = []
    hold = root / "opt" / "train_data" / "hold"
    hold.parent.mkdir()
    hold.touch()
    process = start("run", "--", *RUNS_TRAIN, root=root, env={"HOLD": str(hold), **env})
    assert process.stdout
    try:
        assert process.stdout.readline() == b"aboard\n"
        yield process.pid, ended
    finally:
        hold.unlink()
        ended.append(finish(process))


@pytest.mark.parametrize("given", GIVEN)
def test_the_runner_holds_no_key_while_the_train_runs(given: str, tmp_path: Path) -> None:
    pem, env = GIVEN[given]
    new_train(tmp_path, WAITS)
    settle(tmp_path, "station_1", pem)
    if pem == b"":
        (tmp_path / "run" / "pht" / "private_key.pem").unlink()

    with running(tmp_path, env) as (pid, ended):
        environ = Path(f"/proc/{pid}/environ").read_bytes()
        everything = memory_of(pid)

    assert ended[0].facts["result"] == "visited"
    assert "key-absent" in ended[0].facts["layers"]
    assert b"HOLD=" in environ
    assert b"PRIVATE_KEY" not in environ
    assert str(tmp_path).encode() in everything
    lines = [line for line in PEM.splitlines() if b"-----" not in line]
    secrets = [*numbers(PEM), *lines, *(line.hex().encode() for line in lines), PASSWORD.encode()]
    assert [secret for secret in secrets if secret in everything] == []


@pytest.mark.parametrize(
    ("build", "wire"),
    [(new_train, reference), (new_route_train, reference_route)],
    ids=["flat", "route"],
)
def test_the_runner_holds_no_key_of_the_journal_and_of_the_train(
    build: Callable[..., Path], wire: ModuleType, tmp_path: Path
) -> None:
    """The opener has used both."""
    opt = build(tmp_path, WAITS)
    first, second = (reference.vector_key(f"station_{n}", private=True) for n in (1, 2))
    if wire is reference_route:
        reference_route.published_pre_run(opt, "station_1", first)
    (opt / "pht_results" / "old").write_bytes(b"old")
    wire.published_post_run(opt, "station_1", first)
    settle(tmp_path, "station_2")
    symmetric = wire.symmetric_key(opt, second, "station_2")
    key = serialization.load_pem_private_key(second, None)
    assert isinstance(key, rsa.RSAPrivateKey)

    with running(tmp_path, {}) as (pid, ended):
        everything = memory_of(pid)

    assert ended[0].facts["result"] == "visited"
    assert b"pht_visit" in everything
    secrets = [journal_key(key), symmetric]
    if wire is reference:
        secrets.append(urlsafe_b64decode(symmetric))
    secrets += [secret.hex().encode() for secret in secrets]
    assert [secret for secret in secrets if secret in everything] == []


def test_a_process_that_has_loaded_a_key_is_found_out() -> None:
    loads = (
        "import sys; from cryptography.hazmat.primitives.serialization import load_pem_private_key;"
        "key = load_pem_private_key(sys.stdin.buffer.readline().replace(b'|', b'\\n'), None);"
        "print(key.key_size, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", loads]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(PEM.replace(b"\n", b"|") + b"\n")
        process.stdin.flush()
        process.stdout.readline()
        everything = memory_of(process.pid)
        process.stdin.close()
    assert [number for number in numbers(PEM) if number in everything]


def test_commands_that_run_no_train_use_a_key_in_the_environment(tmp_path: Path) -> None:
    new_train(tmp_path, "")
    env = {"STATION_ID": "station_1", "RSA_STATION_PRIVATE_KEY": PEM.hex()}
    for command, result in [("check", "verified"), ("pre-run", "opened"), ("undo", "undone")]:
        assert pht(command, root=tmp_path, env=env).facts["result"] == result


@pytest.mark.parametrize(("form", "said"), [('"{}"', "quotes"), ("{} # ours", "a comment")])
def test_decoration_of_a_key_in_the_environment_is_named(
    form: str, said: str, tmp_path: Path
) -> None:
    new_train(tmp_path, "")
    env = {"STATION_ID": "station_1", "RSA_STATION_PRIVATE_KEY": form.format(PEM.hex())}
    done = pht("check", root=tmp_path, env=env)
    assert_explained(done, 78, "setting-malformed")
    assert f"RSA_STATION_PRIVATE_KEY, in the environment, has {said}" in done.stderr


def test_a_key_that_can_be_read_only_once_is_refused(tmp_path: Path) -> None:
    """The closer needs it a second time."""
    new_train(tmp_path, "")
    settle(tmp_path, "station_1")
    (tmp_path / "run" / "pht" / "private_key.pem").unlink()
    env = {"RSA_STATION_PRIVATE_KEY_FILE": "/dev/stdin"}

    done = pht("run", "--", *RUNS_TRAIN, root=tmp_path, env=env, stdin=PEM)

    assert_explained(done, 78, "private-key-unusable")
    assert "cannot be read a second time" in done.stderr
    assert pht("check", root=tmp_path, env=env, stdin=PEM).facts["code"] == "ready"
