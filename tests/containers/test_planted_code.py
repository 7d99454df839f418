"""Code that a train or an image plants, to be loaded into the runner before it reads the key."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from tests.containers.engine import Engine
from tests.containers.fixtures import on_each_libc
from tests.containers.images import HOME, PYTHON
from tests.containers.visitor import (
    COUNTS,
    Container,
    arrived,
    assert_visited,
    build_image,
)
from tests.planted_library import STATUS, planted_library
from tests.station import opened

CONFIGURATION = """\
openssl_conf = start
[start]
providers = providers
[providers]
planted = planted
[planted]
activate = 1
"""
"""Makes OpenSSL load a provider, from where it says or else from the place for modules."""

ASKS = f"""\
import sys
sys.path[:0] = ["{HOME}/site"]
from cryptography.hazmat.bindings.openssl.binding import Binding
for what in 4, 8:  # OPENSSL_DIR, OPENSSL_MODULES_DIR
    print(Binding.ffi.string(Binding.lib.OpenSSL_version(what)).decode().split('"')[1])
"""

ASKS_OPENSSL = (*PYTHON, "-c", ASKS)

PLANTS = """\
import os, pathlib, sys
folder, library = pathlib.Path({folder!r}), pathlib.Path({library!r})
if folder.exists():
    sys.exit(3)
folder.mkdir(parents=True)
library.parent.mkdir(parents=True, exist_ok=True)
library.write_bytes({code!r})
(folder / "openssl.cnf").write_text({configuration!r})
sys.exit(3)
"""

TELLS_OPENSSL = f"""\
{COUNTS}
told = os.environ["OPENSSL_CONF"], os.environ["OPENSSL_MODULES"]
(results / "told").write_text(" ".join(told))
"""


@dataclass(frozen=True)
class Trap:
    """A configuration of OpenSSL, and a train that plants it where OpenSSL looks for it."""

    engine: Engine
    image: str
    path: str
    train: str

    @classmethod
    def set(cls, engine: Engine, image: str) -> Self:
        """Ask the OpenSSL of the runner in an image for its paths."""
        asked = engine.run(image, *ASKS_OPENSSL[1:], options=["--entrypoint", ASKS_OPENSSL[0]])
        folder, modules = asked.stdout.decode().split()
        planted = {"folder": folder, "library": f"{modules}/planted.so"}
        train = PLANTS.format(**planted, configuration=CONFIGURATION, code=planted_library())
        return cls(engine, image, f"{folder}/openssl.cnf", train)

    def is_loaded(self, container: Container) -> bool:
        """Return whether an OpenSSL that nothing protects loads what a container has now."""
        image = self.engine.must("commit", container.id).decode().strip()
        options = ["--entrypoint", ASKS_OPENSSL[0]]
        return self.engine.run(image, *ASKS_OPENSSL[1:], options=options).status == STATUS


@on_each_libc
def test_a_configuration_that_a_train_has_planted_is_not_read(
    engine: Engine, train_image: str, unprotected: list[str], tmp_path: Path
) -> None:
    trap = Trap.set(engine, train_image)
    container = Container.create(engine, train_image, arrived(tmp_path, trap.train), unprotected)
    for _ in range(2):  # it plants, and then has the chance to be loaded
        done = container.run()
        assert (done.status, done.facts["result"]) == (3, "train-failed"), done.stderr
    assert trap.path in container.changes()
    assert trap.is_loaded(container), "the trap of this test does not work"


@on_each_libc
def test_a_train_cannot_plant_a_configuration(
    engine: Engine, train_image: str, station: list[str], tmp_path: Path
) -> None:
    trap = Trap.set(engine, train_image)
    container = Container.create(engine, train_image, arrived(tmp_path, trap.train), station)
    done = container.run()
    assert "PermissionError" in done.stderr
    assert (done.status, done.facts["result"]) == (1, "train-failed")
    assert trap.path not in container.changes()


@on_each_libc
def test_a_configuration_that_an_image_names_is_for_the_train(
    engine: Engine, runner_image: str, station: list[str], tmp_path: Path
) -> None:
    """The train here loads no OpenSSL; one that does gets what its image wants."""
    files = {"planted/openssl.cnf": CONFIGURATION.encode(), "planted/planted.so": planted_library()}
    more = "COPY planted /planted\nENV OPENSSL_CONF=/planted/openssl.cnf OPENSSL_MODULES=/planted\n"
    name = f"openssl-{runner_image.partition(':')[2]}"
    image = build_image(engine, runner_image, name=name, more=more, files=files)
    container = Container.create(engine, image, arrived(tmp_path, TELLS_OPENSSL), station)
    assert_visited(container.run())
    told = b"/planted/openssl.cnf /planted"
    assert opened(container.take(tmp_path / "after")) == {"visits": b"2", "told": told}


LOADING = ["LD_PRELOAD", "LD_AUDIT", "GCONV_PATH", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__"]


@on_each_libc
@pytest.mark.parametrize("name", [*LOADING, "LD_LIBRARY_PATH"])
def test_a_variable_that_loads_code_is_refused(
    name: str, engine: Engine, train_image: str, station: list[str], tmp_path: Path
) -> None:
    options = [*station, "--env", f"{name}={PYTHON[0]}"]
    container = Container.create(engine, train_image, arrived(tmp_path, COUNTS), options)
    done = container.run()
    assert (done.status, done.code) == (78, "environment-loads-code"), done.stderr
    assert f"--env {name}= of docker run" in done.stderr
    assert not [path for path in container.changes() if path.startswith("/opt")]


CONVERTER = """\
alias ISO-10646/UTF8/ PLANTED//
alias UTF-8// PLANTED//
module PLANTED// INTERNAL planted 1
module INTERNAL PLANTED// planted 1
"""
"""Makes glibc load a library as soon as Python decodes its command line (see iconv(3))."""


@pytest.mark.parametrize(
    ("runner_image", "name", "value"),
    [
        ("bookworm", "LD_PRELOAD", "/planted/planted.so"),
        ("bookworm", "LD_AUDIT", "/planted/planted.so"),
        ("bookworm", "GCONV_PATH", "/planted"),
        ("musl", "LD_PRELOAD", "/planted/planted.so"),
    ],
    indirect=["runner_image"],
)
def test_a_variable_that_loads_code_can_be_emptied(
    name: str,
    value: str,
    engine: Engine,
    runner_image: str,
    station: list[str],
    tmp_path: Path,
) -> None:
    """It acts before the first line of the runner, so only whoever starts that can prevent it."""
    planted = {"planted.so": planted_library(), "gconv-modules": CONVERTER.encode()}
    files = {f"planted/{path}": contents for path, contents in planted.items()}
    more = f"COPY planted /planted\nENV {name}={value}\n"
    tag = f"{name.lower()}-{runner_image.partition(':')[2]}"
    image = build_image(engine, runner_image, name=tag, more=more, files=files)
    opt = arrived(tmp_path, f"{COUNTS}assert {name!r} not in os.environ\n")
    assert Container.create(engine, image, opt, station).run().status == STATUS
    emptied = [*station, "--env", f"{name}="]
    assert_visited(Container.create(engine, image, opt, emptied).run())
