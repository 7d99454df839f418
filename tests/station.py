"""A station on this machine: its folder, its settings, and the program as a process of its own."""

import io
import json
import os
import re
import stat
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from entrypoint.cli import main
from tests import reference, reference_route
from tests.reference import STATIONS, Config

REPOSITORY = Path(__file__).parents[1]
PATIENCE_S = 60
"""Seconds after which a command that should have ended counts as hanging."""

PYTHON = os.path.realpath(sys.executable)
"""The interpreter outside of this clone, where a train's user may have no access."""

RUNS_TRAIN = (PYTHON, "/opt/pht_train/train.py")
"""The command of trains that `new_train` makes."""

USER_KEY = reference.vector_key("user", private=True)
BUILDER_KEY = reference_route.vector_key(reference_route.BUILDER, private=True)


# --- the program ---------------------------------------------------------------------------------


class Done(NamedTuple):
    """The end of a command: its exit status and its output."""

    status: int
    stdout: bytes
    stderr: str

    @property
    def lines(self) -> list[str]:
        """Its lines on stderr, without the last, the status line, and without empty ones."""
        return [line for line in self.stderr.splitlines()[:-1] if line]

    @property
    def facts(self) -> dict[str, str]:
        """The facts of the status line, which is the last one."""
        line = self.stderr.splitlines()[-1]
        pairs = re.findall(r' ([a-z]+)=("(?:[^"\\]|\\.)*"|\S*)', line)
        assert line == "pht:" + "".join(f" {name}={value}" for name, value in pairs)
        facts = {name: json.loads(value) if value[0] == '"' else value for name, value in pairs}
        assert facts["status"] == str(self.status)
        return facts

    @property
    def code(self) -> str:
        """The stable code of a refusal."""
        return self.facts["code"]


def start(
    *arguments: str | Path,
    root: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path = REPOSITORY,
    under: Sequence[str] = (),
) -> "subprocess.Popen[bytes]":
    """Start the program with pipes and an environment that has only PATH of the tester's.

    Args:
        arguments: of the program; `--root` is put behind the first if `root` is given.
        root: the station's root folder.
        env: more of the environment.
        cwd: the working directory.
        under: a program, with its options, that starts this one, such as UNPROTECTED.
    """
    command, *rest = arguments
    rooted = ["--root", root] if root else []
    return subprocess.Popen(
        [*under, sys.executable, "-m", "entrypoint", *map(str, [command, *rooted, *rest])],
        cwd=cwd,
        env={
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(REPOSITORY),
            **(env or {}),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


MEASURES = """
import resource, subprocess, sys
status = subprocess.run([sys.executable, "-m", "entrypoint", *sys.argv[1:]]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
sys.exit(status)
"""
"""A small process measures, since the peak of memory of a child begins with that of its parent."""


def most_memory(command: str, *arguments: str, root: Path) -> tuple[int, int, str]:
    """Return the status of the program, its peak of memory in bytes, and what it says.

    The peak is that of one process: the program, its train, or another one of them.
    """
    done = subprocess.run(
        [sys.executable, "-c", MEASURES, command, "--root", root, *arguments],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    return done.returncode, int(done.stdout.splitlines()[-1]), done.stderr


def finish(process: "subprocess.Popen[bytes]", stdin: bytes = b"") -> Done:
    """Wait for the program to end."""
    try:
        stdout, stderr = process.communicate(stdin, timeout=PATIENCE_S)
    finally:
        process.kill()
    return Done(process.returncode, stdout, stderr.decode())


def wait_until(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Wait until a condition holds; fails if it does not within that many seconds."""
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def is_read(path: Path, pid: int) -> bool:
    """Return whether a process, or a part of it that is a process of its own, has a file open."""
    for process in with_children(pid):
        with suppress(OSError):  # closed, or ended, meanwhile
            for descriptor in Path(f"/proc/{process}/fd").iterdir():
                with suppress(OSError):
                    if descriptor.readlink() == path:
                        return True
    return False


def with_children(pid: int) -> list[int]:
    """Return a process and its children."""
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def pht(
    *arguments: str | Path,
    root: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    cwd: Path = REPOSITORY,
    under: Sequence[str] = (),
) -> Done:
    """Run the program to its end; see `start`."""
    return finish(start(*arguments, root=root, env=env, cwd=cwd, under=under), stdin)


def check(root: Path) -> Done:
    """Run `check` in this process, which is quicker."""
    return in_process("check", root)


def in_process(command: str, root: Path, env: Mapping[str, str] | None = None) -> Done:
    """Run a command that starts no train in this process."""
    out, err = io.StringIO(), io.StringIO()
    environment = {"PATH": os.environ["PATH"], **(env or {})}
    variables = patch.dict(os.environ, environment, clear=True)
    with variables, redirect_stdout(out), redirect_stderr(err):
        status = main.main([command, "--root", str(root)])
    return Done(status, out.getvalue().encode(), err.getvalue())


def visit(
    root: Path,
    command: Sequence[str] = RUNS_TRAIN,
    *,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    under: Sequence[str] = (),
) -> Done:
    """Run the whole visit of the station that is settled below `root`."""
    return pht("run", "--", *command, root=root, env=env, stdin=stdin, under=under)


def export(root: Path, output: Path | str = "-") -> Done:
    """Export the train below `root` to a file, or to stdout."""
    return pht("export", "--output", output, root=root)


# --- its place -----------------------------------------------------------------------------------


def settle(root: Path, station: str, private_key: bytes | None = None, **variables: str) -> None:
    """Make, or make again, the station folder below `root`.

    Args:
        root: the station's root folder.
        station: its id.
        private_key: PEM; by default the vectors' key for this id.
        variables: more lines of station.env.
    """
    folder = root / "run" / "pht"
    folder.mkdir(parents=True, exist_ok=True)
    key = private_key or reference.vector_key(station, private=True)
    (folder / "private_key.pem").write_bytes(key)
    (folder / "private_key.pem").chmod(0o600)  # else a train could read it, without Landlock
    lines = {"STATION_ID": station, **variables}
    (folder / "station.env").write_text("".join(f"{name}={lines[name]}\n" for name in lines))


def new_train(
    root: Path, script: str, files: Mapping[str, bytes] | None = None, **fields: object
) -> Path:
    """Build a train of the stations of the vectors and return `root/opt`.

    Args:
        root: the station's root folder.
        script: the source of its `train.py`.
        files: more immutable files.
        fields: put into the configuration; see `reference.build_initial`.
    """
    return reference.build_initial(
        root,
        {"train.py": script.encode(), **(files or {})},
        USER_KEY,
        {station: reference.vector_key(station) for station in STATIONS},
        **fields,
    )


def new_route_train(
    root: Path, script: str, files: Mapping[str, bytes] | None = None, **fields: object
) -> Path:
    """Like `new_train`, but of the route generation, with the vectors' builder."""
    return reference_route.build_initial(
        root,
        {"train.py": script.encode(), **(files or {})},
        USER_KEY,
        BUILDER_KEY,
        {station: reference.vector_key(station) for station in STATIONS},
        **fields,
    )


def opened(opt: Path, station: str | None = None) -> dict[str, bytes]:
    """Return the plaintext of all results, decrypted and verified without our code.

    Args:
        opt: a folder like `/opt` with a sealed train of either generation.
        station: whose key of the vectors opens it; None for the user's.
    """
    key = reference.vector_key(station or "user", private=True)
    reader = reference_route if "route" in reference.load_config(opt) else reference
    results = reader.decrypt_results(opt, key, station)
    return {path: result.content for path, result in results.items()}


def unpack(archive: Path, folder: Path) -> Path:
    """Extract an export and return the folder, which is then one like `/opt`."""
    with tarfile.open(archive) as tar:
        # Exactly as recorded; the keyword for this came only with Python 3.11.4.
        tar.extraction_filter = lambda member, path: member
        tar.extractall(folder)
    return folder


def edit(opt: Path, change: Callable[[Config], object]) -> None:
    """Change the configuration of a train without signing it again."""
    config = reference.load_config(opt)
    change(config)
    (opt / "train_config.json").write_text(json.dumps(config, indent=2))


# --- what the disk holds -------------------------------------------------------------------------


class Node(NamedTuple):
    """Everything about one file, folder or link that a visit must not change by accident.

    Attributes:
        kind: of the file: the upper bits of its mode.
        mode: permission bits.
        owner: user and group.
        first_name: the first path with the same inode.
        content: of a regular file, or the target of a link.
        written: when it was last written, or its entries changed; nothing if nobody asked.
    """

    kind: int
    mode: int
    owner: tuple[int, int]
    first_name: str
    content: bytes | str
    written: int | None


Snapshot = dict[str, Node]


def snapshot(folder: Path, *, times: bool = False) -> Snapshot:
    """Return everything below a folder, and itself, by path.

    Args:
        folder: where to look.
        times: whether times of writing count, to show that nothing at all was written.
    """
    names: dict[tuple[int, int], str] = {}
    found = {}
    for path in [".", *reference.archive_order(folder)]:
        info = (folder / path).lstat()
        found[path] = Node(
            stat.S_IFMT(info.st_mode),
            stat.S_IMODE(info.st_mode),
            (info.st_uid, info.st_gid),
            names.setdefault((info.st_dev, info.st_ino), path),
            _content(folder / path, info.st_mode),
            info.st_mtime_ns if times else None,
        )
    return found


def _content(path: Path, mode: int) -> bytes | str:
    if stat.S_ISLNK(mode):
        return os.readlink(path)
    return path.read_bytes() if stat.S_ISREG(mode) else b""


def journal(root: Path) -> dict[str, Any]:
    """Return the journal that stands in the place of the configuration; fails if none does."""
    document = json.loads((root / "opt" / "train_config.json").read_bytes())
    fields: dict[str, Any] = document["pht_visit"]
    return fields


# --- refusals ------------------------------------------------------------------------------------


def assert_explained(done: Done, status: int, code: str) -> None:
    """Check a refusal: its status and code, one hint, no secret and no traceback."""
    assert (done.status, done.facts.get("code")) == (status, code), done.stderr
    errors = [line for line in done.lines if line.startswith("pht: error: ")]
    hints = [line for line in done.lines if line.startswith("pht: hint: ")]
    assert len(errors) == len(hints) == 1
    assert errors[0].endswith(f"[{code}]")
    assert all(line.startswith("pht: ") for line in done.lines)
    assert "Traceback" not in done.stderr
    assert not leaked(done.stdout.decode(errors="replace") + done.stderr)


def assert_refused(root: Path, status: int, code: str, command: Sequence[str] = RUNS_TRAIN) -> None:
    """Check that `check` and `run` refuse a train alike and leave the disk as it is."""
    before = snapshot(root)
    for done in (check(root), visit(root, command)):
        assert_explained(done, status, code)
        assert (done.facts["result"], done.facts["state"]) == ("refused", "unchanged")
        assert snapshot(root) == before


def assert_refused_quickly(root: Path, status: int, code: str) -> None:
    """Like `assert_refused`, but in this process: with `check` and `pre-run`."""
    before = snapshot(root)
    for command in ("check", "pre-run"):
        done = in_process(command, root)
        assert_explained(done, status, code)
        assert (done.facts["result"], done.facts["state"]) == ("refused", "unchanged")
        assert snapshot(root) == before


def leaked(output: str) -> list[str]:
    """Return the lines of the vectors' keys and plaintext that some output holds."""
    keys = [reference.vector_key(name, private=True).decode() for name in ("user", *STATIONS)]
    secrets = [line for key in keys for line in key.splitlines() if "-----" not in line]
    secrets += [*PLAINTEXT, *(key.encode().hex() for key in keys)]
    return [secret for secret in secrets if secret in output]


PLAINTEXT = ("inside a", "0123456789abcdef", '{"mean": 1.5}', "#!/bin/sh", "499\n500")
"""Pieces of the results of the vectors."""
