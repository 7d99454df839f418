"""containerd, driven by `ctr`: it has no volumes, so `/opt` is a folder of the machine."""

import itertools
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests import reference
from tests.containers.daemon import running
from tests.containers.engine import TIMEOUT_S
from tests.containers.visitor import PARTS, Container
from tests.docs.pages import blocks
from tests.engines.host import DockerLike, Given, Visitor
from tests.engines.page import PAGE
from tests.engines.starting import folder_for_all, program
from tests.station import Done

CONFIGURATION = """\
version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "{folder}/socket"
"""

CREATE, EXPORT = blocks("containerd", pages=(PAGE,))


@dataclass(frozen=True)
class Task:
    """A container of containerd; see `tests.containers.visitor.Container`.

    Attributes:
        client: `ctr` with its options.
        folder: of this container alone; `opt` there is its `/opt`.
    """

    client: list[str]
    folder: Path
    _started: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def run(self) -> Done:
        self.start()
        return self._ended()

    def start(self) -> None:
        command = [*self.client, "task", "start", self.folder.name]
        stdout, stderr = self.folder / "stdout", self.folder / "stderr"
        with stdout.open("ab") as out, stderr.open("ab") as err:
            self._started.append(subprocess.Popen(command, stdout=out, stderr=err))

    def stop(self) -> Done:
        return self._signal("SIGTERM")

    def kill(self) -> Done:
        return self._signal("SIGKILL")

    def said(self, text: bytes) -> bool:
        return text in (self.folder / "stdout").read_bytes()

    def phase(self) -> str | None:
        return reference.phase(self.folder / "opt")

    def take(self, folder: Path) -> Path:
        for part in PARTS:
            if (self.folder / "opt" / part).exists():
                call("cp", "--archive", "--parents", f"opt/{part}", folder, cwd=self.folder)
        return folder / "opt"

    def _signal(self, name: str) -> Done:
        call(*self.client, "task", "kill", "--signal", name, self.folder.name)
        return self._ended()

    def _ended(self) -> Done:
        status = self._started[-1].wait(TIMEOUT_S)
        stdout, stderr = ((self.folder / name).read_bytes() for name in ("stdout", "stderr"))
        return Done(status, stdout, stderr.decode())


@dataclass(frozen=True)
class Containerd:
    """A host with containerd; see `tests.engines.host.Host`.

    Attributes:
        client: `ctr` with its options.
        version: of containerd.
        image: that trains are put onto.
        folder: for the folders of containers.
    """

    client: list[str]
    version: str
    image: str
    folder: Path
    owner: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def arrive(self, opt: Path, root: Path, data: Path) -> Task:
        folder = self.folder / f"visit-{next(self._numbers)}"
        shutil.copytree(opt, folder / "opt")
        (folder / "opt" / "train_data").mkdir()
        (folder / "ledger").mkdir(mode=0o700)
        create = CREATE.removesuffix("visit\nctr task start visit\n") + folder.name
        # The trains of the cases write beside their data.
        create = create.replace("train_data,options=rbind:ro", "train_data,options=rbind:rw")
        called = f"STATION={root}/run/pht DATA={data} LEDGER={folder}/ledger"
        self._run(f"{called}\n{create}", folder)
        return Task(self.client, folder)

    def hand_over(self, visitor: Visitor, to: DockerLike) -> str:
        """Bring the train into an image on another host, as an export."""
        assert isinstance(visitor, Task)
        self._run(EXPORT, visitor.folder)
        next_one = Container(to.engine, to.engine.create(to.image))
        to.engine.copy_in(next_one.id, "/opt", (visitor.folder / "train.tar").read_bytes())
        return to.engine.must("commit", next_one.id).decode().strip()

    def _run(self, commands: str, folder: Path) -> None:
        """Run lines of the page in the folder of a container."""
        client = f'ctr() {{ {shlex.join(self.client)} "$@"; }}'
        given = f"TRAIN={folder}/opt IMAGE={self.image}"
        call("sh", "-euc", f"{client}\n{given}\n{commands}", cwd=folder)


@contextmanager
def running_containerd(given: Given) -> Iterator[Containerd]:
    """Give a host with a containerd of our own."""
    daemon, ctr = program("containerd"), program("ctr")
    with folder_for_all() as folder:
        configuration = folder / "config.toml"
        configuration.write_text(CONFIGURATION.format(folder=folder))
        client = [ctr, "--address", f"{folder}/socket"]
        with running([daemon, "--config", str(configuration)], folder):
            call(*client, "image", "import", "-", stdin=given.base)
            [image] = call(*client, "image", "ls", "--quiet").decode().split()
            version = call(daemon, "--version").decode().split()[2]
            yield Containerd(client, version, image, folder)


def call(*command: str | Path, stdin: bytes = b"", cwd: Path | None = None) -> bytes:
    """Call a program for its output."""
    done = subprocess.run(command, input=stdin, capture_output=True, cwd=cwd, timeout=TIMEOUT_S)
    assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
    return done.stdout
