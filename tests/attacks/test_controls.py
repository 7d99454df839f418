"""Every attempt of the hostile train succeeds where no layer is in its way."""

from pathlib import Path

import pytest

from tests import reference
from tests.attacks.endings import ENDINGS
from tests.attacks.hostile.attempts import Outcome
from tests.attacks.hostile.train import in_order
from tests.attacks.visits import (
    STATION,
    Ending,
    Result,
    end_of_naive_visit,
    hostile_train,
    results_of,
)
from tests.containers.engine import Engine
from tests.containers.fixtures import on_each_libc
from tests.containers.images import PYTHON
from tests.containers.visitor import Container
from tests.station import new_train, settle

NAIVE = Path(__file__).with_name("naive_runner.py")
KEY = reference.vector_key(STATION, private=True)

CAPABILITIES = (
    *("DAC_READ_SEARCH", "SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_NICE", "SYS_PTRACE"),
    "SYSLOG",
)
EVERY_RIGHT = (
    # Not --privileged, which an engine that lacks one capability refuses.
    *(f"--cap-add={name}" for name in CAPABILITIES),
    *(f"--security-opt={name}=unconfined" for name in ("apparmor", "seccomp", "systempaths")),
    *("--env", f"RSA_STATION_PRIVATE_KEY={KEY.hex()}"),
    *("--env", "PRIVATE_KEY_PATH=/keys/private_key.pem"),
    *("--entrypoint", PYTHON[0]),
)


@on_each_libc
def test_every_attempt_succeeds_without_layers(
    engine: Engine, runner_image: str, tmp_path: Path
) -> None:
    """Otherwise an attempt that cannot succeed would count as one that is blocked."""
    ending = naive_visit(engine, runner_image, hostile_train(tmp_path), tmp_path)
    assert ending.done.status == 0, ending.done.stderr
    results = results_of(ending)
    assert [result.name for result in results] == [attempt.name for attempt in in_order()]
    not_shown = [str(result) for result in results if not _is_shown(result)]
    assert not not_shown, "\n".join(not_shown)


def _is_shown(result: Result) -> bool:
    """Return whether an attempt has succeeded, or needs what this kernel was built without."""
    return result.outcome == Outcome.SUCCEEDED or result.detail.startswith("ENOSYS")


@pytest.mark.parametrize("layer", ["uid", "caps", "landlock", "seccomp"])
def test_a_layer_alone_stops_the_attempts_that_name_it(
    layer: str, engine: Engine, runner_image: str, tmp_path: Path
) -> None:
    opt = hostile_train(tmp_path)
    ending = naive_visit(engine, runner_image, opt, tmp_path, layer=layer)
    results = {result.name: result for result in results_of(ending)}
    assert len(results) == len(in_order()), ending.done.stderr
    meant = [results[one.name] for one in in_order() if layer in one.layers]
    passed = [str(result) for result in meant if result.outcome == Outcome.SUCCEEDED]
    assert not passed, "\n".join(passed)


@pytest.mark.parametrize("name", ENDINGS)
def test_every_ending_does_harm_without_layers(
    name: str, engine: Engine, runner_image: str, tmp_path: Path
) -> None:
    ending = ENDINGS[name]
    opt = new_train(tmp_path, ending.script)
    left = naive_visit(engine, runner_image, opt, tmp_path, *ending.options)
    assert ending.is_harmful(left), left.done


def naive_visit(
    engine: Engine, image: str, opt: Path, folder: Path, *more: str, layer: str = ""
) -> Ending:
    """Let the naive runner make a visit, in a container with every right.

    Args:
        engine: where the container runs.
        image: a master image.
        opt: the train.
        folder: for the station.
        more: further options of `docker create`.
        layer: the only one that the train's process has.
    """
    settle(folder, STATION)
    (folder / "run/pht/private_key.pem").chmod(0o400)
    mode = ":ro" if layer else ""  # as the settings are only read then
    options = [*EVERY_RIGHT, "--volume", f"{folder}/run/pht:/run/pht{mode}", *more]
    command = ("-B", "/naive_runner.py", KEY.decode(), *([layer] if layer else []))
    # Folders of an image could not be renamed.
    container = Container(engine, engine.create(image, *command, options=options))
    engine.must("cp", str(opt), f"{container.id}:/")
    engine.must("cp", str(NAIVE), f"{container.id}:/naive_runner.py")
    return end_of_naive_visit(container)
