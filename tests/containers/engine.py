"""A container engine, driven through the `docker` client.

Every container runs without a network and from an image that is already on the machine. Whatever is
made here carries the label of its test session, by which `remove_all` finds it again.
"""

import io
import json
import os
import shlex
import shutil
import subprocess
import tarfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

TIMEOUT_S = 120
"""Seconds after which a call of the client counts as hung."""


class Unavailable(Exception):
    """This machine lacks what a test needs; the message is the reason to skip it."""


@dataclass(frozen=True)
class Finished:
    """How a container, or a call of the client, ended: exit status and both streams."""

    status: int
    stdout: bytes
    stderr: bytes


def client() -> str:
    """Return the path of the docker client, or raise Unavailable."""
    found = shutil.which("docker")
    if found is None:
        raise Unavailable("no docker client on the PATH")
    return found


def as_program(command: Sequence[str], path: Path) -> str:
    """Write a program that runs a command with further arguments, and return its path.

    It runs in `/`, since another user may not be let into this clone.
    """
    path.write_text(f'#!/bin/sh\ncd / && exec {shlex.join(command)} "$@"\n')
    path.chmod(0o755)
    return str(path)


@dataclass(frozen=True)
class Engine:
    """The engine that `client` reaches, by DOCKER_HOST or at its usual place."""

    client: str
    session: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    @classmethod
    def connect(cls) -> Self:
        """Find the engine of this machine, or raise Unavailable."""
        engine = cls(client())
        answer = engine.call("version", "--format", "{{.Server.Version}}")
        if answer.status != 0:
            raise Unavailable(f"no container engine answers: {answer.stderr.decode().strip()}")
        return engine

    @property
    def label(self) -> str:
        """The label of everything that this test session makes."""
        return f"pht-test-session={self.session}"

    def call(self, *arguments: str, stdin: bytes = b"") -> Finished:
        """Call the client, whatever the outcome."""
        done = subprocess.run(
            [self.client, *arguments],
            input=stdin,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def must(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Call the client for its output; a failure of the call is a failure of the test."""
        done = self.call(*arguments, stdin=stdin)
        assert done.status == 0, f"docker {' '.join(arguments)}: {done.stderr.decode()}"
        return done.stdout

    def run(
        self, image: str, *command: str, options: Sequence[str] = (), stdin: bytes = b""
    ) -> Finished:
        """Run a container to its end and remove it.

        Args:
            image: a tag that is on this machine.
            command: takes the place of the image's CMD.
            options: further ones of `docker run`.
            stdin: what the container reads, if `--interactive` is among the options.
        """
        arguments = ["run", "--rm", *self._fixed_options(), *options, image, *command]
        return self.call(*arguments, stdin=stdin)

    def create(self, image: str, *command: str, options: Sequence[str] = ()) -> str:
        """Make a container, to be started any number of times, and return its id."""
        arguments = ["create", *self._fixed_options(), *options, image, *command]
        return self.must(*arguments).decode().strip()

    def start(self, container: str, *, stdin: bytes = b"") -> Finished:
        """Start a created or stopped container and follow it to its end."""
        return self.call("start", "--attach", "--interactive", container, stdin=stdin)

    def build(self, name: str, files: Mapping[str, bytes]) -> str:
        """Build an image of this test session and return its tag.

        Args:
            name: tells the images of the session apart.
            files: path to contents; `Dockerfile` is one of them.
        """
        tag = f"pht-test-{self.session}:{name}"
        options = ["--quiet", "--network", "none", "--label", self.label, "--tag", tag]
        self.must("build", *options, "-", stdin=pack(files))
        return tag

    def has_image(self, tag: str) -> bool:
        """Return whether an image is on this machine."""
        return self.call("image", "inspect", tag).status == 0

    def has_runtime(self, name: str) -> bool:
        """Return whether containers can be started with a runtime of this name."""
        return name in json.loads(self.must("info", "--format", "{{json .Runtimes}}"))

    def default_runtime(self) -> str:
        """Return the name of the runtime of containers that name none."""
        return self.must("info", "--format", "{{.DefaultRuntime}}").decode().strip()

    def address(self) -> str:
        """Return where the engine is, for a program that does not read the client's contexts."""
        form = "{{.Endpoints.docker.Host}}"
        return self.must("context", "inspect", "--format", form).decode().strip()

    def copy_in(self, container: str, folder: str, archive: bytes) -> None:
        """Unpack a tar into a folder of a container, with the owners that the tar names."""
        # With --archive all of it would belong to the user of the container.
        self.must("cp", "-", f"{container}:{folder}", stdin=archive)

    def copy_out(self, container: str, path: str) -> bytes:
        """Return a path of a container as a tar, in the order that the engine archives it."""
        return self.must("cp", f"{container}:{path}", "-")

    def remove_all(self) -> None:
        """Remove every container and image of this test session."""
        marked = ["--filter", f"label={self.label}"]
        containers = self.must("ps", "--all", "--quiet", *marked).decode().split()
        if containers:
            self.must("rm", "--force", "--volumes", *containers)
        prune = ["image", "prune", "--all", "--force", *marked]
        deadline = time.monotonic() + TIMEOUT_S
        # The engine prunes for one client at a time, and another worker may be at it.
        while b"already running" in self.call(*prune).stderr and time.monotonic() < deadline:
            time.sleep(0.5)
        assert not self.must("image", "ls", "--quiet", *marked)

    def _fixed_options(self) -> list[str]:
        # Without `never`, a mistyped tag would go out to a registry.
        return ["--network", "none", "--pull", "never", "--label", self.label]


def engine_address() -> dict[str, str]:
    """Return the variables by which a client of the engine finds it."""
    return {name: os.environ[name] for name in ("DOCKER_HOST", "HOME") if name in os.environ}


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return a tar of regular files, mode 0644, owned by root and dated 1970."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, contents in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(contents)
            archive.addfile(entry, io.BytesIO(contents))
    return packed.getvalue()


def regular_files(archive: bytes) -> dict[str, bytes]:
    """Return the regular files of a tar as path to contents."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        files = {entry.name: opened.extractfile(entry) for entry in opened if entry.isfile()}
        return {path: contents.read() for path, contents in files.items() if contents is not None}
