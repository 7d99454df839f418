"""Sends a train through a simulated route, for the tests of `simulate`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from entrypoint.author.local_visit import Isolation
from entrypoint.author.plan import Plan
from entrypoint.author.simulate import simulate
from entrypoint.errors import PhtError
from entrypoint.linux.namespaces import Namespaces
from tests.desk import Said

COMMAND = ["python", "/opt/pht_train/train.py"]
TRAIN = """
import json, os, sys
from pathlib import Path

results = Path(os.environ["PHT_RESULTS_DIR"]) / "seen.json"
seen = json.loads(results.read_text()) if results.exists() else []
data = Path(os.environ["TRAIN_DATA_PATH"])
rows = data.read_text() if data.is_file() else sorted(path.name for path in data.iterdir())
print("at", os.environ["STATION_ID"])
if rows == "bad":
    print("first line of trouble", flush=True)
    sys.exit("the data is bad")
results.write_text(json.dumps([*seen, [os.environ["STATION_ID"], rows]]))
"""
DATA = {"s-2/rows.csv": "two", "s-10/rows.csv": "ten", "s-1/rows.csv": "one"}
APART_IN_NOTHING = Namespaces(network=False, opt=False)
"""As where the kernel lets this user have no namespace."""

IN_ORDER = [["s-1", "one"], ["s-2", "two"], ["s-10", "ten"]]


def send(
    train: Path,
    data: Path,
    *,
    exclude: Sequence[str] = (),
    route: list[str] | None = None,
    keys: Path | None = None,
    output: Path | None = None,
    keep: Path | None = None,
    image: str | None = None,
    paillier_key: Path | None = None,
    generation: str = "route",
    command: list[str] | None = None,
    verbose: bool = False,
    workdir: str | None = None,
    isolation: Isolation | None = APART_IN_NOTHING,
) -> tuple[int, str]:
    said = Said()
    plan = Plan(
        train=train,
        exclude=exclude,
        generation=generation,
        command=COMMAND if command is None else command,
        workdir=workdir,
        data=data,
        route=route,
        keys=keys,
        image=image,
        engine_options=(),
        paillier_key=paillier_key,
        output=output,
        keep=keep,
        verbose=verbose,
    )
    status = simulate(plan, isolation, said)
    return status, said.text


def seen(output: Path) -> list[list[object]]:
    found: list[list[object]] = json.loads((output / "seen.json").read_text())
    return found


def assert_not_sent(
    error: type[PhtError], code: str, train: Path, data: Path, **options: Any
) -> PhtError:
    with pytest.raises(error) as refused:
        send(train, data, **options)
    assert refused.value.code == code
    return refused.value
