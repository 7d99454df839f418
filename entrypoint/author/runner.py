"""One stop of a simulated route: the real runner, as its own process in its own root."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from entrypoint.limits import LOG_TAIL_BYTES, LOG_TAIL_LINES, REAP_LIMIT_S, STOP_GRACE_S
from entrypoint.model import Paths
from entrypoint.report import Fact

_PACKAGE = Path(__file__).parents[1]
_MESSAGE = '{"level": '  # how every line of the runner begins with PHT_LOG=json


@dataclass
class Log:
    """What the end of a station's log tells.

    Attributes:
        facts: of the runner's status line.
        error: the runner's refusal, empty if there was none.
        train: the last lines that are not the runner's.
    """

    facts: dict[str, Fact] = field(default_factory=dict)
    error: dict[str, Any] = field(default_factory=dict)
    train: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Ended:
    """How a visit ended: the runner's exit status, how long it took, and what it said."""

    status: int
    seconds: float
    log: Log

    @property
    def visited(self) -> bool:
        """Whether the results were sealed; status 0 alone could be that of another program."""
        return self.status == 0 and self.log.facts.get("result") == "visited"

    @property
    def failure(self) -> dict[str, Fact]:
        """The facts of the runner's status line, of a visit that failed.

        There are none behind a runner that was killed, where the last such line may be the train's,
        and behind another program that ended with 0.
        """
        facts = self.log.facts
        return facts if 0 != self.status == facts.get("status") else {}


def lay_out(train: Paths, paths: Paths, station: str, key: Path, data: Path) -> None:
    """Give a station its root: the train as the stop before left it, settings, key and data.

    Args:
        train: where the train comes from.
        paths: of the new root.
        station: the station's id.
        key: file of its private key.
        data: its folder of data.
    """
    paths.opt.mkdir(parents=True)
    shutil.copytree(train.train, paths.train)
    shutil.copytree(train.results, paths.results, symlinks=True)
    shutil.copy(train.config, paths.config)
    if train.user_key.exists():
        shutil.copy(train.user_key, paths.user_key)
    paths.station.mkdir(parents=True)
    (paths.station / "station.env").write_text(f"STATION_ID={station}\n", "utf-8")
    shutil.copy(key, paths.station / "private_key.pem")  # a link would lead nowhere in a container
    paths.data.symlink_to(data.resolve())


def visit(paths: Paths, command: Sequence[str], log: Path) -> Ended:
    """Let the runner make a whole visit; whatever it and the train write goes to `log`.

    When this is interrupted, the runner is told to end and is gone afterwards.
    """
    arguments = ["run", "--root", str(paths.root), "--", *command]
    began = time.monotonic()
    # Appended to, since the train may open its output again by the name /dev/stdout.
    with log.open("ab") as file:
        status = wait(
            subprocess.Popen(
                [sys.executable, "-I", "-B", str(_PACKAGE), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=_environment(paths),
                cwd=paths.root,
            )
        )
    return Ended(status, time.monotonic() - began, read_log(log))


def wait(process: "subprocess.Popen[bytes]") -> int:
    """Return the status of a runner that has ended; when interrupted, tell it to end first."""
    with process:
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            try:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_GRACE_S + REAP_LIMIT_S)
            finally:
                process.kill()  # nothing to a process that has ended; a train dies with its runner
            raise
    return code if code >= 0 else 128 - code


def data_path(paths: Paths) -> Path:
    """Return what TRAIN_DATA_PATH names: the only file of the data, or their folder."""
    files = list(paths.data.iterdir())
    return files[0] if len(files) == 1 and files[0].is_file() else paths.data


def read_log(path: Path) -> Log:
    """Return what the end of a log tells."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
        lines = file.read().decode(errors="replace").split("\n")
    log = Log()
    for line in lines:
        output, message = _separate(line)
        if output:
            log.train.append(output)
        if message.get("level") == "error":
            log.error = message
        elif message.get("level") == "status":
            # The names of a train that imitates us must not break out of our own status line.
            log.facts = {name: message[name] for name in message if name.isidentifier()}
            del log.facts["level"]
    del log.train[:-LOG_TAIL_LINES]
    return log


def _environment(paths: Paths) -> dict[str, str]:
    """Return a clean environment in which `python` is the interpreter that runs this."""
    programs = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    return {
        "PATH": os.pathsep.join(programs),
        "HOME": str(Path.home()),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "TRAIN_DATA_PATH": str(data_path(paths)),
        "PHT_LOG": "json",
    }


def _separate(line: str) -> tuple[str, dict[str, Any]]:
    """Return what the train wrote on a line, and the runner's message at its end.

    They share a line where the train's output did not end with a newline.
    """
    output, mark, rest = line.rpartition(_MESSAGE)
    if mark:
        with contextlib.suppress(ValueError):
            return output, json.loads(mark + rest)
    return line, {}
