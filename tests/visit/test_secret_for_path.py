"""A secret that is set where a path belongs is never shown, and the setting is named."""

import json
from pathlib import Path

import pytest

from tests import reference
from tests.station import Done, assert_explained, in_process, new_train, visit

PEM = reference.vector_key("station_1", private=True)
KEY = {"RSA_STATION_PRIVATE_KEY": PEM.hex()}
PASSWORD = "hunter2secret"
VALUES = {
    "hex of the key": PEM.hex(),
    "the key": PEM.decode().rstrip("\n"),
    "a line of the key": PEM.decode().splitlines()[1],
    "a password": PASSWORD,
    "a URL": f"s3://AKIA:{PASSWORD}@bucket/train.tar",
    "a share": f"//user:{PASSWORD}@host/share",
}
KEY_FILES = ["RSA_STATION_PRIVATE_KEY_FILE", "PRIVATE_KEY_PATH"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    new_train(tmp_path, "")
    return tmp_path


def assert_hidden(done: Done, status: int, code: str, *names: str, value: str) -> None:
    if done.stderr.startswith("{"):
        last = json.loads(done.stderr.splitlines()[-1])
        assert (done.status, last["code"]) == (status, code)
    else:
        assert_explained(done, status, code)
    said = done.stderr + done.stdout.decode()
    assert [name for name in names if name not in said] == []
    for secret in (PASSWORD, *value.split("\n")[1:2], value[:40]):
        assert secret not in said


@pytest.fixture(params=["text", "json"])
def log(request: pytest.FixtureRequest) -> dict[str, str]:
    return {"PHT_LOG": request.param, "STATION_ID": "station_1"}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("name", KEY_FILES)
def test_in_the_place_of_a_key_file(name: str, value: str, root: Path, log: dict[str, str]) -> None:
    env = {**log, name: value}
    done = in_process("pre-run", root, env)
    assert_hidden(done, 78, "setting-unreadable", name, value=value)
    twice = in_process("pre-run", root, {**env, **KEY})
    assert_hidden(twice, 78, "setting-twice", name, *KEY, value=value)
    hosted = visit(root, env={**env, "PHT_HOST_PROTOCOL": "1"})
    assert_hidden(hosted, 78, "host-driven-contradicted", name, value=value)


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_in_the_place_of_a_password_file(value: str, root: Path, log: dict[str, str]) -> None:
    name = "PRIVATE_KEY_PASSWORD_FILE"
    done = in_process("pre-run", root, {**log, **KEY, name: value})
    assert_hidden(done, 78, "setting-unreadable", name, value=value)


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_in_the_place_of_the_data(value: str, root: Path, log: dict[str, str]) -> None:
    done = visit(root, env={**log, **KEY, "TRAIN_DATA_PATH": value})
    assert_hidden(done, 66, "data-missing", "TRAIN_DATA_PATH", value=value)


@pytest.mark.parametrize("value", [VALUES["a URL"], VALUES["a share"]])
def test_in_the_place_of_the_export(value: str, root: Path, log: dict[str, str]) -> None:
    done = visit(root, env={**log, **KEY, "PHT_EXPORT": value})
    assert_hidden(done, 78, "setting-malformed", "PHT_EXPORT", value=value)


@pytest.mark.parametrize("name", KEY_FILES)
def test_a_path_is_shown_with_its_setting(name: str, root: Path) -> None:
    done = visit(root, env={"STATION_ID": "station_1", name: "/nowhere/key.pem"})
    assert f"cannot read {name} (/nowhere/key.pem): no such file or directory" in done.stderr
    done = visit(root, env={"STATION_ID": "station_1", name: str(root)})
    assert f"cannot read {name} ({root}): is a directory" in done.stderr
