"""One train on its whole route, with everything that stations and users have.

Its image is made as builders make them; it stops at stations that use `docker run`, the published
software, and the script; and its user opens the results at a desk.
"""

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests import reference
from tests.containers.engine import Engine
from tests.containers.fixtures import or_skip
from tests.containers.images import make_master
from tests.containers.visitor import Container, assert_visited
from tests.interop.authors import USER
from tests.interop.conftest import Depart
from tests.interop.journey import STATIONS, THEIRS, Journey
from tests.station import REPOSITORY, pht, settle

pytestmark = pytest.mark.parametrize("published", ["1.0.0"], indirect=True)

SCRIPT = REPOSITORY / "examples" / "station" / "visit.sh"
FIRST, SECOND, THIRD = STATIONS[:3]
PASSWORD = b"password-of-the-third-station"
PROXY_PASSWORD = b"password-of-the-proxy"
CARRIED = ("opt/pht_train/", "opt/pht_results/", "opt/train_config.json", "opt/user_sym_key.key")


@pytest.fixture(
    params=[("buster", "bookworm"), ("buster", "trixie"), ("slim", "musl")], ids="-on-".join
)
def runner_image(request: pytest.FixtureRequest, engine: Engine) -> str:
    """The master image from which the train is built, on each of the bases."""
    master, base = request.param
    return or_skip(lambda: make_master(engine, master, base))


def test_a_train_as_the_field_builds_it_visits_three_stations_of_three_kinds(
    depart: Depart, engine: Engine, keys: dict[str, bytes], tmp_path: Path
) -> None:
    train = depart()
    rows = {station: patients(tmp_path, number) for number, station in enumerate(STATIONS[:3])}

    careless = by_docker_run(train, rows[FIRST])
    train.visit(THEIRS, SECOND, rows[SECOND])
    by_the_script(train, rows[THIRD])

    assert opened_by_the_user(train, keys[USER]) == content(rows[THIRD])
    secrets = [PASSWORD, PROXY_PASSWORD, *map(content, rows.values())]
    secrets += [form for station in STATIONS[:3] for form in forms(keys[station])]
    secrets += lines_of((train.folder / "run" / "pht" / "private_key.pem").read_bytes())
    symmetric = reference.symmetric_key(train.folder / "arrived" / "opt", keys[USER])
    secrets += [symmetric, symmetric.hex().encode()]
    saved = engine.must("save", f"{train.repository}:latest")
    assert found(secrets, saved) == []
    assert found(secrets, careless) != [], "this search finds nothing"
    added = layers(engine, f"{train.repository}:latest")
    built = layers(engine, f"{train.repository}:base")
    assert [layer for layer in added if layer in built] == built
    names = [name for layer in added if layer not in built for name in files(saved, layer)]
    assert {"opt/train_config.json", "opt/user_sym_key.key"} <= set(names)
    assert [name for name in names if not name.startswith(CARRIED)] == []


# --- the stations --------------------------------------------------------------------------------


def patients(folder: Path, number: int) -> Path:
    """Make the data of a station, which the train copies into its results."""
    data = folder / f"data-{number}"
    data.mkdir()
    (data / "patients.csv").write_bytes(b"rows of patients that nobody else may see: %d" % number)
    return data


def content(data: Path) -> bytes:
    return (data / "patients.csv").read_bytes()


def by_docker_run(train: Journey, data: Path) -> bytes:
    """Visit with plain `docker run`, the key in the environment, and hand over by hand.

    Returns:
        The saved image that a careless station would have handed over: the container as it was.
    """
    options = ["--env", f"STATION_ID={FIRST}", "--env", "TRAIN_DATA_PATH=/opt/train_data"]
    options += ["--env", f"RSA_STATION_PRIVATE_KEY={train.keys[FIRST].hex()}"]
    options += ["--volume", f"{data}:/opt/train_data:ro"]
    engine = train.engine
    ran = Container(engine, engine.create(f"{train.repository}:latest", options=options))
    assert_visited(ran.run())
    onto = Container(engine, engine.create(f"{train.repository}:base"))
    ran.hand_over(onto)
    engine.must("commit", onto.id, f"{train.repository}:latest")
    return engine.must("save", engine.must("commit", ran.id).decode().strip())


def by_the_script(train: Journey, data: Path) -> None:
    """Visit with the script, the key encrypted, where the docker client has a proxy."""
    settle(train.folder, THIRD, encrypted_pem(train.keys[THIRD]))
    station = train.folder / "run" / "pht"
    (station / "private_key.password").write_bytes(PASSWORD)
    proxies = {"default": {"httpProxy": f"http://user:{PROXY_PASSWORD.decode()}@proxy:3128"}}
    client = train.folder / "client"
    client.mkdir()
    (client / "config.json").write_text(json.dumps({"proxies": proxies}))
    variables = {"DOCKER_CONFIG": str(client), "DOCKER_HOST": train.engine.address()}
    done = subprocess.run(
        ["sh", SCRIPT, "-s", station, "-d", data, train.repository],
        env={**os.environ, **variables, "TMPDIR": str(train.folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "pht: result=visited status=0 " in done.stderr


def opened_by_the_user(train: Journey, key: bytes) -> bytes:
    """Decrypt the results of a train's image as its user does, and return them."""
    pem, output = train.folder / "user.pem", train.folder / "opened"
    pem.write_bytes(key)
    opt = train.take(train.folder / "arrived")
    done = pht("decrypt-results", opt, "--key", pem, "--output", output)
    assert done.status == 0, done.stderr
    assert [path.name for path in output.iterdir()] == ["patients.csv"]
    return content(output)


# --- what an image holds -------------------------------------------------------------------------


def encrypted_pem(pem: bytes) -> bytes:
    key = serialization.load_pem_private_key(pem, None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(PASSWORD),
    )


def forms(pem: bytes) -> list[bytes]:
    """Return a private key in every form that could leak: lines of PEM, hex, and bare bytes."""
    key = serialization.load_pem_private_key(pem, None)
    bare = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    lines = lines_of(pem)
    return [*lines, *(line.hex().encode() for line in lines), bare[-512:]]


def lines_of(pem: bytes) -> list[bytes]:
    """Return lines of a key that no other has: the first begins as those of all others do."""
    return pem.splitlines()[2:-2]


def found(secrets: list[bytes], saved: bytes) -> list[bytes]:
    """Return which secrets stand somewhere in a saved image."""
    return [secret for part in parts(saved) for secret in secrets if secret in part]


def parts(saved: bytes) -> Iterator[bytes]:
    """Yield every file of a saved image: configuration, history, and layers, which are tars."""
    with tarfile.open(fileobj=io.BytesIO(saved)) as image:
        for member in image:
            if (file := image.extractfile(member)) is not None:
                yield file.read()


def layers(engine: Engine, image: str) -> list[str]:
    form = "{{json .RootFS.Layers}}"
    found: list[str] = json.loads(engine.must("image", "inspect", "--format", form, image))
    return found


def files(saved: bytes, layer: str) -> list[str]:
    """Return the names of the files in a layer, by the digest of its tar."""
    for part in parts(saved):
        if f"sha256:{hashlib.sha256(part).hexdigest()}" == layer:
            with tarfile.open(fileobj=io.BytesIO(part)) as tar:
                return [member.name for member in tar if not member.isdir()]
    raise AssertionError(f"{layer} is not in the saved image")
