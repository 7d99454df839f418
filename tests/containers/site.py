"""Stations that use `examples/station/visit.sh`, and a train in a repository of its own."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import reference, reference_route
from tests.containers.engine import Engine
from tests.containers.visitor import FIRST, Container
from tests.station import REPOSITORY, USER_KEY, Done, finish, opened, settle

SCRIPT = REPOSITORY / "examples" / "station" / "visit.sh"

RENAMES = """\
import os, pathlib, time
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
old = [*results.iterdir()]
(results / str(1 + sum(int(path.name) for path in old))).write_text("left here")
for path in old:
    path.unlink()
print("aboard", flush=True)
while os.path.exists("/opt/train_data/.hold"):
    time.sleep(0.02)
"""
"""A train that leaves one file, named by the number of the stop, in the place of the last one. It
waits while its data has a hidden file `.hold`."""

STATUS_LINE = "pht: result={} status={} stage=commit state={} network=none runner=0.1.0"
"""A forged status line."""

FAKES = """\
import os, sys
if os.path.exists("/opt/train_data/.fake"):
    print(open("/opt/train_data/.fake").read(), file=sys.stderr, flush=True)
"""
"""The beginning of a train that says what its data has in a hidden file `.fake`."""

CLIENT = """\
#!/bin/sh
"{docker}" "$@"
status=$?
case "$*" in create* | *" create "* | start* | commit* | tag* | "image rm"* | rm*)
    echo "$1" >>"{calls}"
    [ "$(wc -l <"{calls}")" != {number} ] || kill -9 0
esac
exit $status
"""
"""A client that kills the script which calls it, and itself, behind the call of this number."""

FAILS_ONCE = """\
#!/bin/sh
case $1-$3 in
    start-*-next) ;;
    start-*) touch "{mark}" ;;
    {command}-*) if [ -e "{mark}" ]; then rm "{mark}"; exit {status}; fi ;;
esac
exec "{docker}" "$@"
"""
"""A client whose first call behind the train prints nothing."""


@dataclass(frozen=True)
class Site:
    """Stations that use the script, and a train in `repository`."""

    engine: Engine
    repository: str
    folder: Path

    def begin(
        self,
        *options: str | Path,
        at: str = FIRST,
        programs: Path | None = None,
        more: Sequence[str] = (),
    ) -> "subprocess.Popen[bytes]":
        """Start the script at a station; `programs` are found before all others.

        Args:
            options: of the script; the ledger that this machine may have is left out.
            at: the id of the station.
            programs: a folder.
            more: what stands behind the repository.
        """
        settle(self.folder, at)
        if "--user" in more:  # then the runner, as that user, has to read the key
            (self.folder / "run" / "pht" / "private_key.pem").chmod(0o644)
        path = os.pathsep.join([*([str(programs)] if programs else []), os.environ["PATH"]])
        command = ["sh", SCRIPT, "-s", self.folder / "run" / "pht", "-l", ""]
        command += [*options, self.repository, *more]
        return subprocess.Popen(
            [str(word) for word in command],
            env={**os.environ, "PATH": path, "TMPDIR": str(self.folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def visit(
        self,
        *options: str | Path,
        at: str = FIRST,
        programs: Path | None = None,
        more: Sequence[str] = (),
    ) -> Done:
        """Run the script to its end; see `begin`."""
        return finish(self.begin(*options, at=at, programs=programs, more=more))

    def push(self) -> list[str]:
        """Put both images into the registry that the repository names; return their tags."""
        images = [f"{self.repository}:{tag}" for tag in ("base", "latest")]
        for image in images:
            self.engine.must("push", "--quiet", image)
        return images

    def image(self, tag: str) -> Container:
        return Container(self.engine, self.engine.create(f"{self.repository}:{tag}"))

    def build(self, container: Container) -> None:
        """Make the container's train the one that has arrived."""
        for tag in ("base", "latest"):
            self.engine.must("commit", container.id, f"{self.repository}:{tag}")

    def ids(self) -> list[str]:
        """Return the ids of `base` and `latest`."""
        names = [f"{self.repository}:{tag}" for tag in ("base", "latest")]
        form = "{{.Id}}"
        return self.engine.must("image", "inspect", "--format", form, *names).decode().split()

    def containers(self, *more: str) -> list[Container]:
        """Return the script's containers, those that `more` filters let through."""
        name = f"name=^/?pht-{self.repository.translate(str.maketrans('/:', '--'))}-"
        found = self.engine.must("ps", "--all", "--quiet", "--filter", name, *more)
        return [Container(self.engine, container) for container in found.decode().split()]

    def visiting(self) -> Container:
        """Return the container of the visit, beside which there may be others."""
        [container] = self.containers("--filter", "label=pht.options")
        return container

    def assert_handed_over(self, folder: Path, *stations: str) -> None:
        """Check that `latest` is the sealed train of these stops, and nothing else is left."""
        opt = self.image("latest").take(folder)
        assert opened(opt) == {str(len(stations)): b"left here"}
        config = reference.load_config(opt)
        if "route" in config:
            reference_route.decrypt_definition(opt, USER_KEY)
            assert reference_route.verify_chain(config) == list(stations)
        else:
            reference.verify_definition(config, opt / "pht_train")
            assert reference.verify_chain(config) == list(stations)
        assert self.containers() == []


Arrive = Callable[..., Site]
"""Takes the source of a train and, if there is one, the address of a registry; the function that
builds the train, by default as one of the flat generation, and what then changes it."""


Client = Callable[..., Path]
"""Takes the source of a program `docker` and what stands in its braces; gives its folder."""


def begin_and_hold(
    site: Site, data: Path, more: Sequence[str] = (), programs: Path | None = None
) -> "subprocess.Popen[bytes]":
    """Start the script, and return it once its train runs, which waits then."""
    (data / ".hold").touch()
    process = site.begin("-d", data, more=more, programs=programs)
    assert process.stdout is not None
    assert process.stdout.readline() == b"aboard\n"
    return process


def begin_and_end(
    site: Site,
    data: Path,
    number: signal.Signals,
    more: Sequence[str] = (),
    programs: Path | None = None,
) -> None:
    """Start the script and, once the train runs, send a signal to it and to its client."""
    process = begin_and_hold(site, data, more, programs)
    os.killpg(process.pid, number)
    finish(process)


def give_up(site: Site, done: Done) -> None:
    """Remove the container as the script has said."""
    [line] = re.findall("docker (rm --volumes [a-z0-9-]+)", done.stderr)
    site.engine.must(*line.split())
