"""Numbers that the published package encrypts and adds are decrypted here, and the reverse."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from entrypoint.author import paillier
from entrypoint.author.keygen import keygen_paillier
from entrypoint.author.paillier import PrivateKey
from entrypoint.crypto.paillier_key import PaillierKey, paillier_json
from tests import reference
from tests.containers.engine import Engine
from tests.desk import Said, plant
from tests.reference_paillier import (
    LAMBDA,
    SIMPLE,
    SIMPLE_MU,
    N,
    encrypt,
    write_key,
)
from tests.station import PATIENCE_S, pht
from tests.unit.creating import BUILDER_KEY, build_train

TRAIN = Path(__file__).with_name("homomorphic_train.py")
AGES = {"data/s-1/ages.csv": "30\n41\n", "data/s-2/ages.csv": "52\n", "data/s-3/ages.csv": "7\n9\n"}
SUMS = {"analysis": {"secure_age": 139, "secure_pat": 5}, "discovery": {}}

ADDS = """
import json, sys
from train_lib.security.homomorphic_addition import secure_addition
config = json.load(open(sys.argv[1]))
key = json.loads(bytes.fromhex(config["creator"]["paillier_public_key"]).decode())
total = json.loads(sys.argv[2])
for number in (40, 0, 2):
    total = secure_addition(number, total, int(key["n"]), int(key["g"]))
print(total)
"""
ADDS_FLAT = """
import json, sys
from train_lib.security.HomomorphicAddition import secure_addition
from train_lib.security.KeyManager import KeyManager
n = KeyManager(sys.argv[1]).get_security_param(param="user_he_key")
total = json.loads(sys.argv[2])
for number in (40, 0, 2):
    total = secure_addition(number, total, int(n))
print(total)
"""
"""As the published trains add, with the key of the configuration and a sum so far."""

READS = """
import json, sys
from train_lib.security.train_config import TrainConfig
config = TrainConfig(**json.load(open(sys.argv[1])))
print(json.loads(config.json(by_alias=True))["creator"]["paillier_public_key"])
"""


def run(python: Path, script: str, *words: object) -> str:
    done = subprocess.run(
        [python, "-c", script, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="session")
def new_key(tmp_path_factory: pytest.TempPathFactory) -> PrivateKey:
    """A key of `keygen`, read from its file."""
    folder = tmp_path_factory.mktemp("paillier")
    keygen_paillier(folder / "user", bits=2048, password_file=None, report=Said())
    return paillier.read_private(folder / "user.paillier.private.json", None)


@pytest.fixture
def public(new_key: PrivateKey, tmp_path: Path) -> Path:
    path = tmp_path / "public.json"
    path.write_bytes(paillier_json(new_key.public))
    return path


@pytest.fixture
def config(public: Path, tmp_path: Path) -> Path:
    """The configuration of a train with a route that carries the key."""
    train = plant(tmp_path / "train", {"train.py": ""})
    root = tmp_path / "root"
    build_train(train, root, generation="route", builder_key=BUILDER_KEY, paillier_key=public)
    return root / "opt" / "train_config.json"


@pytest.mark.parametrize("before", [None, 100])
def test_sums_of_the_published_package(
    before: int | None, published_route: Path, config: Path, new_key: PrivateKey
) -> None:
    public = new_key.public
    start = None if before is None else encrypt(before, public.n, public.g)
    total = run(published_route, ADDS, config, json.dumps(start))
    assert new_key.decrypt(int(total)) == 42 + (before or 0)


def test_the_published_reader_keeps_the_key(published_route: Path, config: Path) -> None:
    carried = reference.load_config(config.parent)["creator"]["paillier_public_key"]
    assert run(published_route, READS, config) == carried


@pytest.mark.parametrize("before", [None, 100])
def test_sums_of_the_published_flat_packages(
    before: int | None, published: Path, tmp_path: Path
) -> None:
    train = plant(tmp_path / "train", {"train.py": ""})
    key = write_key(tmp_path / "key", SIMPLE)
    build_train(train, tmp_path / "root", paillier_key=key)
    start = None if before is None else encrypt(before, N, N + 1)
    total = run(published, ADDS_FLAT, tmp_path / "root/opt/train_config.json", json.dumps(start))
    private = PrivateKey(public=PaillierKey(N, N + 1), lambda_=LAMBDA, mu=SIMPLE_MU)
    assert private.decrypt(int(total)) == 42 + (before or 0)


@pytest.fixture
def desk(published_route: Path, tmp_path: Path) -> Path:
    """A folder with a train like the published example, its data, and a Paillier key."""
    [module] = published_route.parents[1].glob("lib/*/site-packages/train_lib/security/homo*.py")
    library = tmp_path / "train" / "train_lib" / "security"
    library.mkdir(parents=True)
    shutil.copy(module, library)
    shutil.copy(TRAIN, tmp_path / "train" / "train.py")
    plant(tmp_path, AGES)
    done = pht("keygen", "user", "--paillier", "--bits", "2048", cwd=tmp_path)
    assert done.status == 0, done.stderr
    return tmp_path


def sums_of_a_route(desk: Path, *options: str, env: Mapping[str, str] | None = None) -> object:
    """Return what the user reads after all stops of a simulation."""
    simulate = "simulate train --data data --paillier-key user.paillier.public.json --keep kept"
    command = ["--", "python", "/opt/pht_train/train.py"]
    done = pht(*simulate.split(), *options, *command, cwd=desk, env=env)
    assert done.status == 0, done.stderr
    opens = "decrypt-results kept/03-s-3 --key kept/user.private.pem --output opened"
    key = ["--paillier-key", "user.paillier.private.json"]
    done = pht(*opens.split(), *key, cwd=desk)
    assert done.status == 0, done.stderr
    size = (desk / "opened" / "results.he.json").stat().st_size
    assert f"the decrypted results are in opened: 1 file, {size} bytes\n" in done.stderr
    return json.loads((desk / "opened" / "results.he.json").read_bytes())


def test_a_train_like_the_published_example_travels_on_this_machine(desk: Path) -> None:
    assert sums_of_a_route(desk) == SUMS


def test_a_train_like_the_published_example_travels_in_containers(
    engine: Engine, runner_image: str, desk: Path
) -> None:
    environment = {**os.environ, "DOCKER_HOST": engine.address()}
    assert sums_of_a_route(desk, "--image", runner_image, env=environment) == SUMS
