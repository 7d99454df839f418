"""The container tests stand on this harness, so it is tested first."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.containers.engine import Engine, pack, regular_files
from tests.containers.fixtures import not_in_gvisor

REPOSITORY = Path(__file__).parents[2]
STARTS = """
import os
from tests.containers.daemon import working_engine
from tests.containers.engine import Unavailable
try:
    with working_engine() as engine:
        print(os.environ.get("DOCKER_HOST"), engine.must("info", "--format", "{{.Images}}"))
except Unavailable as reason:
    print(reason)
print("DOCKER_HOST" in os.environ)
"""


def starts(**variables: str) -> list[str]:
    """Return the lines that `STARTS` prints where only these variables speak of engines."""
    asking = ("DOCKER_HOST", "PHT_TEST_REQUIRE_ALL")
    environment = {name: value for name, value in os.environ.items() if name not in asking}
    command = [sys.executable, "-c", STARTS]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment | variables,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def commands_with(text: str) -> Iterator[bytes]:
    """Yield the command lines of running processes that hold a text."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            if text.encode() in (command := path.read_bytes()):
                yield command


def test_an_engine_is_started_where_everything_has_to_be_there(engine: Engine) -> None:
    if os.geteuid() != 0 or shutil.which("dockerd", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("needs root and dockerd to start an engine")
    (said, still_set) = starts(PHT_TEST_REQUIRE_ALL="1")
    address, images = said.split()
    assert (images, still_set) == ("b'0\\n'", "False")
    folder = Path(address.removeprefix("unix://")).parent
    assert not folder.exists()
    assert list(commands_with(str(folder))) == []


@not_in_gvisor("that needs an engine of the tests themselves")
def test_no_engine_is_started_unasked(engine: Engine) -> None:
    (said, still_set) = starts()
    # The machine may run one at the usual place.
    assert said.startswith(("no container engine answers", "None "))
    assert still_set == "False"


def test_an_engine_that_was_named_is_not_replaced(tmp_path: Path) -> None:
    named = f"unix://{tmp_path}/nobody"
    (reason, still_set) = starts(DOCKER_HOST=named, PHT_TEST_REQUIRE_ALL="1")
    assert (reason.startswith("no container engine answers"), still_set) == (True, "True")


def test_status_and_both_streams_of_a_container_are_reported(
    engine: Engine, base_image: str
) -> None:
    program = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    done = engine.run(base_image, "python3", "-c", program)
    assert (done.status, done.stdout, done.stderr) == (3, b"out\n", b"err\n")


def test_a_container_reads_what_it_is_given(engine: Engine, base_image: str) -> None:
    program = "print(input().upper())"
    options = ["--interactive"]
    done = engine.run(base_image, "python3", "-c", program, options=options, stdin=b"lung\n")
    assert done.stdout == b"LUNG\n"


def test_a_container_has_no_network(engine: Engine, base_image: str) -> None:
    program = "import socket; print([name for _, name in socket.if_nameindex()])"
    assert engine.run(base_image, "python3", "-c", program).stdout == b"['lo']\n"


def test_an_absent_image_is_not_looked_for_in_a_registry(engine: Engine) -> None:
    done = engine.run("pht-test-absent:nothing")
    assert done.status == 125
    assert b"No such image" in done.stderr


def test_the_base_image_has_a_python_that_trains_and_the_runner_can_use(
    engine: Engine, base_image: str
) -> None:
    program = "import ctypes, sys; print(sys.version_info >= (3, 11))"
    assert engine.run(base_image, "python", "-c", program).stdout == b"True\n"


def test_the_runner_image_holds_the_runner_and_its_dependency(
    engine: Engine, runner_image: str
) -> None:
    program = (
        "import sys; sys.path[:0] = ['/usr/local/lib/pht', '/usr/local/lib/pht/site'];"
        "import entrypoint; from cryptography.hazmat.primitives.asymmetric import rsa;"
        "print(entrypoint.__version__, rsa.generate_private_key(65537, 2048).key_size)"
    )
    options = ["--entrypoint", "python3"]
    done = engine.run(runner_image, "-I", "-S", "-B", "-c", program, options=options)
    assert done.stdout.split()[1:] == [b"2048"], done.stderr.decode()


def test_a_container_keeps_its_files_between_two_starts(engine: Engine, base_image: str) -> None:
    program = "f = open('/opt/log/visits', 'a+'); f.write('x'); f.seek(0); print(f.read())"
    container = engine.create(base_image, "python3", "-c", program)
    engine.copy_in(container, "/opt", pack({"log/visits": b"old "}))
    assert engine.start(container).stdout == b"old x\n"
    assert engine.start(container).stdout == b"old xx\n"
    assert regular_files(engine.copy_out(container, "/opt/log")) == {"log/visits": b"old xx"}


def test_what_is_copied_in_keeps_its_owner(engine: Engine, base_image: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("owned")
        entry.uid = 4321
        archive.addfile(entry)
    program = "import os; print(os.stat('/opt/owned').st_uid)"
    options = ["--user", "root"]
    container = engine.create(base_image, "python3", "-c", program, options=options)

    engine.copy_in(container, "/opt", packed.getvalue())

    assert engine.start(container).stdout == b"4321\n"


def test_nothing_of_a_test_session_is_left(engine: Engine, base_image: str) -> None:
    session = Engine(engine.client)
    dockerfile = f"FROM {base_image}\nCOPY note /note\nCMD cat /note\n"
    tag = session.build("note", {"Dockerfile": dockerfile.encode(), "note": b"here"})
    container = session.create(tag)
    assert session.start(container).stdout == b"here"
    session.remove_all()
    assert not session.has_image(tag)
    assert session.call("container", "inspect", container).status != 0
    assert engine.has_image(base_image)
