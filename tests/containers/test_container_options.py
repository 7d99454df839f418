"""Variables, files and health checks of an image have no effect under the documented options."""

from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.plain_options import RECOMMENDED
from tests.containers.visitor import WAITS, Container, arrived, assert_visited, build_image, shared
from tests.station import Done, wait_until

VARIABLES = {
    "LD_PRELOAD": "/trap/preload.so",
    "LD_AUDIT": "/trap/audit.so",
    "PYTHONEXECUTABLE": "/trap/bin/python3",
    "__PYVENV_LAUNCHER__": "/trap/bin/python3",
    "OPENSSL_CONF": "/trap/openssl.cnf",
}
"""Variables by which a file of the image takes effect in whatever starts the program."""

SPRUNG = {
    "LD_PRELOAD": "object '/trap/preload.so' from LD_PRELOAD cannot be preloaded",
    "LD_AUDIT": "object '/trap/audit.so' cannot be loaded as audit interface",
    "PYTHONEXECUTABLE": "code of the image",
    "__PYVENV_LAUNCHER__": "code of the image",
}
"""The message by which each of them shows that it works."""

IMAGE = f"""\
COPY trap /trap
ENV {" ".join(f"{name}={value}" for name, value in VARIABLES.items())}
HEALTHCHECK --interval=1ms CMD cat /run/pht/private_key.pem >/opt/train_data/seen
STOPSIGNAL SIGKILL
"""

FILES = {
    "trap/pyvenv.cfg": b"home = /trap/home/bin\n",
    "trap/home/lib/python3.11/os.py": b"",
    "trap/home/lib/python3.11/encodings/__init__.py": (
        b"import posix\nposix.write(2, b'code of the image\\n')\nposix._exit(3)\n"
    ),
}

TELLS_ITS_ENVIRONMENT = "import os\nprint([os.environ.get(name, '') for name in {}])\n" + WAITS


@pytest.fixture(scope="session")
def trap_image(engine: Engine, runner_image: str) -> str:
    """An image for trains that runs code of its own before and beside the program."""
    return build_image(engine, runner_image, name="trap", more=IMAGE, files=FILES)


def emptied(*but: str) -> list[str]:
    """Return the options that set the variables of the image to nothing."""
    return [word for name in VARIABLES if name not in but for word in ("--env", f"{name}=")]


def run_in(engine: Engine, image: str, options: list[str], opt: Path) -> Done:
    return Container.create(engine, image, opt, options).run()


@pytest.mark.parametrize("name", SPRUNG)
def test_a_variable_of_an_image_works_before_the_program_does(
    name: str, engine: Engine, trap_image: str, station: list[str], data: Path, tmp_path: Path
) -> None:
    options = [*station, *shared(data), "--no-healthcheck", *emptied(name)]

    done = run_in(engine, trap_image, options, arrived(tmp_path, WAITS))

    assert SPRUNG[name] in done.stderr, "the trap of this test does not work"


def test_a_health_check_of_an_image_sees_the_key(
    engine: Engine, trap_image: str, station: list[str], data: Path, tmp_path: Path
) -> None:
    opt = arrived(tmp_path, WAITS)
    (data / "hold").touch()
    options = [*station, *shared(data), *emptied()]
    container = Container.create(engine, trap_image, opt, options)
    container.start()

    wait_until((data / "seen").exists)

    assert container.kill().status == 137


def test_with_the_options_nothing_of_that_has_any_effect(
    engine: Engine, trap_image: str, station: list[str], data: Path, tmp_path: Path
) -> None:
    opt = arrived(tmp_path, TELLS_ITS_ENVIRONMENT.format([*VARIABLES]))
    options = [*RECOMMENDED, *station, *shared(data)]

    done = run_in(engine, trap_image, options, opt)

    assert_visited(done)
    assert done.stdout == f"{[''] * len(VARIABLES)}\naboard\n".encode()
    assert not any(sprung in done.stderr for sprung in SPRUNG.values())
    assert not (data / "seen").exists()


def test_with_the_options_a_train_can_still_be_stopped(
    engine: Engine, trap_image: str, station: list[str], data: Path, tmp_path: Path
) -> None:
    opt = arrived(tmp_path, WAITS)
    (data / "hold").touch()
    container = Container.create(engine, trap_image, opt, [*RECOMMENDED, *station, *shared(data)])
    container.start()
    container.wait_until(lambda running: running.said(b"aboard"))

    done = container.stop()

    assert (done.facts["result"], done.status) == ("stopped", 143), done.stderr
