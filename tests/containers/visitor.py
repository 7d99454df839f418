"""A train in a container: put in and taken out with `docker cp`, as published stations do."""

import io
import json
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import reference, reference_route
from tests.containers.engine import Engine
from tests.containers.profiles import without_landlock
from tests.station import (
    PATIENCE_S,
    Done,
    Snapshot,
    assert_explained,
    new_route_train,
    new_train,
    settle,
    snapshot,
)

FIRST, SECOND = reference.STATIONS[:2]

PARTS = ("pht_train", "pht_results", "train_config.json", "user_sym_key.key")
"""The parts of a train, below /opt."""

TRAIN_IMAGE = """\
FROM {runner}
RUN mkdir /opt/pht_train && mkdir /opt/pht_results
CMD {command}
"""
"""As the builders of published trains write it."""

DOCUMENTED_IMAGE = "FROM {runner}\nCOPY opt /opt\nCMD {command}\n"
"""As our documents say."""

RUNS_TRAIN = ("python", "/opt/pht_train/train.py")

COUNTS = """\
import os, pathlib
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
visits = results / "visits"
visits.write_text(str(int(visits.read_text()) + 1 if visits.exists() else 1))
"""
"""A train that counts its stops in its results."""

WAITS = (
    COUNTS
    + """
import time
data = pathlib.Path("/opt/train_data")
print("aboard", flush=True)
while (data / "hold").exists():
    time.sleep(0.02)
with (data / "runs").open("a") as runs:
    runs.write("x")
"""
)
"""Like COUNTS; then it waits while its data has a file `hold`, and counts its successes there."""

TELLS = """\
import signal, sys
def end(*_):
    print("told", flush=True)
    sys.exit(3)
signal.signal(signal.SIGTERM, end)
"""
"""The beginning of a train that says when it is asked to end."""

LARGE = (
    WAITS
    + """
for number in range(4):
    with (results / f"large-{number}").open("wb") as file:
        file.truncate(48 * 1024 * 1024)
"""
)
"""Like WAITS, with results that take some time to be sealed."""


def build_image(
    engine: Engine,
    runner: str,
    command: Sequence[str] = RUNS_TRAIN,
    *,
    name: str,
    more: str = "",
    files: Mapping[str, bytes] | None = None,
) -> str:
    """Build an image for trains on top of the runner, and return its tag.

    Args:
        command: the CMD.
        name: tells the images of the session apart.
        more: further lines of the Dockerfile.
        files: what these lines copy.
    """
    dockerfile = TRAIN_IMAGE.format(runner=runner, command=json.dumps(command)) + more
    return engine.build(name, {"Dockerfile": dockerfile.encode(), **(files or {})})


def build_train(engine: Engine, name: str, runner: str, opt: Path, lines: str = "") -> str:
    """Build the image of a train as our documents say, with more lines, and return its tag."""
    paths = [path for path in opt.rglob("*") if path.is_file()]
    files = {str(path.relative_to(opt.parent)): path.read_bytes() for path in paths}
    dockerfile = DOCUMENTED_IMAGE.format(runner=runner, command=json.dumps(RUNS_TRAIN)) + lines
    return engine.build(name, {**files, "Dockerfile": dockerfile.encode()})


def arrived(root: Path, script: str, files: Mapping[str, bytes] | None = None) -> Path:
    """Build a train that has made its first stop, as published, and return `root/opt`."""
    opt = new_train(root, script, files)
    (opt / "pht_results" / "visits").write_bytes(b"1")
    reference.published_post_run(opt, FIRST, reference.vector_key(FIRST, private=True))
    return opt


def arrived_by_route(root: Path, script: str) -> Path:
    """Like `arrived`, but of the route generation, its code encrypted."""
    opt = new_route_train(root, script)
    key = reference.vector_key(FIRST, private=True)
    reference_route.published_pre_run(opt, FIRST, key)
    (opt / "pht_results" / "visits").write_bytes(b"1")
    reference_route.published_post_run(opt, FIRST, key)
    return opt


def station_folder(root: Path) -> list[str]:
    """Return the options that mount the folder that `tests.station.settle` makes, read-only."""
    return ["--volume", f"{root}/run/pht:/run/pht:ro"]


def unprotected_station(root: Path) -> list[str]:
    """Settle the second station and return the options of a container with an unprotected train.

    As on an old kernel with one user for runner and train, which may do what the runner may, except
    for what needs a capability.
    """
    settle(root, SECOND, PHT_ALLOW_UNPROTECTED_KEY="1")
    return [*station_folder(root), *without_landlock(root), "--cap-drop", "SETUID"]


@dataclass(frozen=True)
class Container:
    """A container that can be started any number of times."""

    engine: Engine
    id: str

    @classmethod
    def create(
        cls, engine: Engine, image: str, opt: Path, options: Sequence[str], *command: str
    ) -> "Container":
        """Make the container of a train that comes in the layers of an image, as pushed and pulled.

        Args:
            image: what the image is built on.
            opt: a folder like `/opt`.
            options: of `docker create`.
            command: takes the place of the image's CMD.
        """
        builder = cls(engine, engine.create(image))
        builder.put(opt)
        train = engine.must("commit", builder.id).decode().strip()
        return cls(engine, engine.create(train, *command, options=options))

    def put(self, opt: Path) -> None:
        """Copy a train in, owned by root."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for part in PARTS:
                if (opt / part).exists():
                    archive.add(opt / part, part, filter=_owned_by_root)
        self.engine.copy_in(self.id, "/opt", packed.getvalue())

    def take(self, folder: Path) -> Path:
        """Copy the train out and return `folder/opt`."""
        opt = folder / "opt"
        opt.mkdir(parents=True)
        for part in PARTS:
            copied = self.engine.call("cp", f"{self.id}:/opt/{part}", "-")
            if copied.status != 0:
                assert part == "user_sym_key.key", copied.stderr.decode()
                continue
            with tarfile.open(fileobj=io.BytesIO(copied.stdout)) as archive:
                archive.extraction_filter = lambda member, path: member  # exactly as it is
                archive.extractall(opt)
        return opt

    def hand_over(self, container: "Container") -> None:
        """Copy the train into another container as the engine archives it."""
        for part in PARTS:
            container.engine.copy_in(
                container.id, "/opt", self.engine.copy_out(self.id, f"/opt/{part}")
            )

    def run(self, stdin: bytes = b"") -> Done:
        """Start the container and follow it to its end."""
        status, stdout, stderr = vars(self.engine.start(self.id, stdin=stdin)).values()
        return Done(status, stdout, stderr.decode())

    def start(self) -> None:
        """Start the container and leave it running."""
        self.engine.must("start", self.id)

    def stop(self) -> Done:
        """Ask the container to end, as an engine does that shuts down."""
        self.engine.must("stop", self.id)
        return self.ended()

    def kill(self) -> Done:
        """End the container at once, as a power cut does."""
        self.engine.must("kill", self.id)
        return self.ended()

    def ended(self) -> Done:
        """Wait for the end and return all that the container has said, of every start."""
        status = int(self.engine.must("wait", self.id))
        said = self.engine.call("logs", self.id)
        return Done(status, said.stdout, said.stderr.decode())

    def wait_until(self, condition: Callable[["Container"], bool]) -> None:
        """Wait for something to happen in the running container."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition(self):
            running = self.engine.must("inspect", "--format", "{{.State.Running}}", self.id)
            assert running.strip() == b"true", self.ended().stderr
            assert time.monotonic() < deadline, self.engine.call("logs", self.id)

    def said(self, text: bytes) -> bool:
        """Return whether the train has written something."""
        return text in self.engine.call("logs", self.id).stdout

    def phase(self) -> str | None:
        """Return the phase of the visit, None if the configuration is complete.

        While it is replaced the engine copies the new one as far as the old one was long.
        """
        archive = self.engine.copy_out(self.id, "/opt/train_config.json")
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            file = opened.extractfile("train_config.json")
            assert file is not None
            try:
                config = json.loads(file.read())
            except json.JSONDecodeError:
                return "between two phases"
        phase: str | None = config.get("pht_visit", {}).get("phase")
        return phase

    def changes(self) -> set[str]:
        """Return every path that is not as in the image, with the folders that hold it."""
        lines = self.engine.must("diff", self.id).decode().splitlines()
        return {line.partition(" ")[2] for line in lines}


def shared(data: Path) -> list[str]:
    """Return the options that share a folder with the train."""
    return ["--volume", f"{data}:/opt/train_data"]


def assert_visited(done: Done) -> None:
    """Check that a visit has succeeded, and says so."""
    assert done.status == 0, done.stderr
    assert (done.facts["result"], done.facts["state"]) == ("visited", "sealed")
    assert done.facts["network"] == "none"


def assert_visit_refused(container: Container, status: int, code: str) -> str:
    """Check that a visit is refused and leaves the files of the train; return what is said.

    The configuration may be another file with the same content, if the visit had begun.
    """
    done = container.run()
    assert_explained(done, status, code)
    assert not [path for path in container.changes() if path.startswith("/opt/pht_")]
    return done.stderr


def assert_taken_back(container: Container, before: Path, folder: Path) -> None:
    """Check that a container holds the train as it was put in, and no work files."""
    assert as_owned_by_root(snapshot(container.take(folder))) == as_owned_by_root(snapshot(before))
    work = {path for path in container.changes() if ".pht" in path}
    assert not work


def as_owned_by_root(tree: Snapshot) -> Snapshot:
    """Return a tree without its owners and without its uppermost folder."""
    return {path: node._replace(owner=(0, 0)) for path, node in tree.items() if path != "."}


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
