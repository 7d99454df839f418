"""A simulated visit by the real runner, as a process of this machine with a root of its own."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from entrypoint.author.visit_result import VisitResult, read_log
from entrypoint.limits import REAP_LIMIT_S, STOP_GRACE_S, WATCH_INTERVAL_S
from entrypoint.model import Paths

_PACKAGE = Path(__file__).parents[1]


def make_root(train: Paths, paths: Paths, station: str, key: Path, data: Path) -> None:
    """Make a station's root: the train as the stop before left it, settings, key and data.

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


def visit(
    leave_network: Callable[[], None] | None,
    paths: Paths,
    command: Sequence[str],
    log: Path,
    watch: Callable[[], None],
) -> VisitResult:
    """Make a whole visit.

    When this is interrupted, the runner is told to end and is gone afterwards.

    Args:
        leave_network: called in the runner's process before it starts, since at a station a train
            has no network; None to keep the network.
        paths: of the root.
        command: of the train.
        log: takes the output of the runner and the train.
        watch: see `wait`.
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
                preexec_fn=leave_network,
            ),
            watch,
        )
    return VisitResult(status=status, seconds=time.monotonic() - began, log=read_log(log))


def wait(process: "subprocess.Popen[bytes]", watch: Callable[[], None]) -> int:
    """Wait for a runner and return its exit status; when interrupted, tell it to end first.

    Args:
        process: the runner, or the client of the engine that runs it.
        watch: called from time to time while the runner runs, and once at its end.
    """
    with process:
        try:
            while (code := _wait_briefly(process)) is None:
                watch()
            watch()
        except BaseException:
            process.terminate()
            try:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_GRACE_S + REAP_LIMIT_S)
            finally:
                process.kill()  # does nothing if it has ended; a train dies with its runner
            raise
    return code if code >= 0 else 128 - code


def _wait_briefly(process: "subprocess.Popen[bytes]") -> int | None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(WATCH_INTERVAL_S)
    return None


def data_path(paths: Paths) -> Path:
    """Return the value of TRAIN_DATA_PATH: the only visible file of the data, else their folder.

    The script for stations has the same rule: desktops and editors leave more than anybody sees.
    """
    visible = [path for path in paths.data.iterdir() if _is_visible(path.name)]
    return visible[0] if len(visible) == 1 and visible[0].is_file() else paths.data


def _is_visible(name: str) -> bool:
    return not name.startswith((".", "~$")) and name not in ("Thumbs.db", "desktop.ini")


def _environment(paths: Paths) -> dict[str, str]:
    """Return a clean environment in which `python` is the interpreter that runs this."""
    programs = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    return {
        "PATH": os.pathsep.join(programs),
        "HOME": str(Path.home()),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "TRAIN_DATA_PATH": str(data_path(paths)),
        "PHT_LOG": "json",
        "PHT_ALLOW_UNPROTECTED_KEY": "1",  # the keys of a simulation are thrown away
    }
