"""Every attempt of the hostile train succeeds where no layer is in its way."""

from pathlib import Path

from tests import reference
from tests.attacks.hostile.attempts import Outcome
from tests.attacks.hostile.train import in_order
from tests.attacks.visits import STATION, Result, end_of_naive_visit, hostile_train, results_of
from tests.containers.engine import Engine
from tests.containers.fixtures import on_each_libc
from tests.containers.images import PYTHON
from tests.containers.visitor import Container
from tests.station import settle

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
    settle(tmp_path, STATION)
    options = [*EVERY_RIGHT, "--volume", f"{tmp_path}/run/pht:/run/pht"]
    command = ("-B", "/naive_runner.py", KEY.decode())
    # Folders of an image could not be renamed.
    container = Container(engine, engine.create(runner_image, *command, options=options))
    engine.must("cp", str(hostile_train(tmp_path)), f"{container.id}:/")
    engine.must("cp", str(NAIVE), f"{container.id}:/naive_runner.py")
    results = results_of(end_of_naive_visit(container))
    assert [result.name for result in results] == [attempt.name for attempt in in_order()]
    assert [str(result) for result in results if not _is_shown(result)] == []


def _is_shown(result: Result) -> bool:
    """Return whether an attempt has succeeded, or needs what this kernel was built without."""
    return result.outcome == Outcome.SUCCEEDED or result.detail.startswith("ENOSYS")
