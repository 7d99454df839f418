"""A stop of a simulated route, be it a process or a container: its root, its data, and its end."""

import contextlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path, PurePath

from entrypoint.limits import REAP_LIMIT_S, STOP_GRACE_S, WATCH_INTERVAL_S
from entrypoint.model import Paths


def make_root(train: Paths, paths: Paths, station: str, key: Path) -> None:
    """Make a station's root: the train as the stop before left it, settings and key.

    Args:
        train: where the train comes from.
        paths: of the new root.
        station: the station's id.
        key: file of its private key.
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


def data_path(data: Path, place: PurePath) -> str:
    """Return the value of TRAIN_DATA_PATH: the only visible file of the data, else their folder.

    The script for stations has the same rule: desktops and editors leave more than anybody sees.

    Args:
        data: the folder of the data.
        place: where the train sees it.
    """
    visible = [path for path in data.iterdir() if _is_visible(path.name)]
    only = visible[0].name if len(visible) == 1 and visible[0].is_file() else ""
    return (place / only).as_posix()


def _is_visible(name: str) -> bool:
    return not name.startswith((".", "~$")) and name not in ("Thumbs.db", "desktop.ini")


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
