"""Changes what the station will sign: configuration, signed files, results after the train."""

import mmap
import os
import signal
import struct
import sys
import time
from pathlib import Path

from .attempts import Absent, Gain, Pending, attempt
from .kernel_calls import first_of
from .station_key import CONFIG, OPT, RESULTS, TRAIN

REPLACED = '"attack": '
VICTIM = "victim"
VICTIM_TEXT = b"written by the train"
PLANTED_TEXT = b"taken from the pack!"
BEATS = "beats"
_WORK = OPT / "pht_results.pht"


@attempt(Gain.SIGNED, "uid", "landlock")
def config_written() -> str:
    with CONFIG.open("r+b", buffering=0) as file:
        data = file.read()
        file.seek(0)
        file.write(data)
    return "in place"


@attempt(Gain.SIGNED, "uid", "landlock")
def config_replaced() -> str:
    """Puts another configuration in its place, and leaves it there."""
    new = CONFIG.with_suffix(".attack")
    _put(new, CONFIG.read_bytes().replace(b"{", b"{" + REPLACED.encode() + b"1, ", 1), CONFIG)
    raise Pending("train_config.json was replaced")


@attempt(Gain.SIGNED, "uid", "landlock")
def config_is_folder() -> str:
    away = CONFIG.with_suffix(".away")
    CONFIG.rename(away)
    CONFIG.mkdir()
    CONFIG.rmdir()
    away.rename(CONFIG)
    return "a folder in its place"


@attempt(Gain.SIGNED, "uid")
def config_mode() -> str:
    mode = CONFIG.stat().st_mode & 0o7777
    CONFIG.chmod(0o600)
    CONFIG.chmod(mode)
    return "its mode"


@attempt(Gain.SIGNED, "uid")
def config_time() -> str:
    info = CONFIG.stat()
    os.utime(CONFIG, ns=(info.st_atime_ns, info.st_mtime_ns))
    return "its time"


@attempt(Gain.SIGNED, "uid", "landlock")
def user_key_planted() -> str:
    """Leaves a file that the next stop takes for the wrapped symmetric key."""
    path = OPT / "user_sym_key.key"
    if path.exists():
        path.write_bytes(path.read_bytes())
    else:
        path.touch()
        path.unlink()
    return "user_sym_key.key"


@attempt(Gain.FAILURE, "uid")
def signed_file_written() -> str:
    path = TRAIN / "train.py"
    with path.open("r+b", buffering=0) as file:
        data = file.read()
        file.seek(0)
        file.write(data)
    return "in place"


@attempt(Gain.FAILURE, "uid")
def signed_file_replaced() -> str:
    path = TRAIN / "train.py"
    _put(TRAIN / "attack", path.read_bytes(), path)
    return "by another file"


def _put(new: Path, contents: bytes, path: Path) -> None:
    """Replace a file by a new one, of which nothing is left if that is refused."""
    new.write_bytes(contents)
    try:
        new.rename(path)
    finally:
        new.unlink(missing_ok=True)


@attempt(Gain.SIGNED, "uid", "landlock")
def signed_folder_replaced() -> str:
    away = OPT / "away"
    TRAIN.rename(away)
    away.rename(TRAIN)
    return "pht_train can be renamed"


@attempt(Gain.SIGNED, "uid", "landlock")
def backup_read() -> str:
    def read(path: str) -> str:
        with open(path, "rb") as file:
            return f"{len(file.read(16))} bytes of ciphertext"

    return first_of(_backups(), read)


@attempt(Gain.SIGNED, "uid", "landlock")
def backup_written() -> str:
    def write(path: str) -> str:
        with open(path, "r+b", buffering=0) as file:
            data = file.read(16)
            file.seek(0)
            file.write(data)
        return "the old state could not come back"

    return first_of(_backups(), write)


def _backups() -> list[str]:
    works = [OPT / "pht_results.pht", OPT / "pht_train.pht", RESULTS / ".pht-visit"]
    folders = [folder for work in works for folder in (work, work / "linked")]
    refused = None
    found = []
    for folder in folders:
        try:
            names = os.listdir(folder)
            found += [str(folder / name) for name in names if (folder / name).is_file()]
        except FileNotFoundError:
            pass
        except OSError as error:
            refused = error
    if refused and not found:
        raise refused
    return found


@attempt(Gain.SIGNED, "uid", "landlock", "work-folder")
def pack_planted() -> str:
    """Leaves a complete pack where sealing keeps its own, with other results in it."""
    (RESULTS / VICTIM).write_bytes(VICTIM_TEXT)
    folder = _WORK / "sealed"
    folder.mkdir(parents=True, exist_ok=True)
    name = VICTIM.encode()
    record = struct.pack("<IQ", len(name), len(PLANTED_TEXT)) + name + PLANTED_TEXT
    (folder / "0.pack").write_bytes(record + struct.pack("<IQ", 0, 0))
    raise Pending("a pack with another result")


@attempt(Gain.SIGNED, "uid", "landlock")
def work_folder_made() -> str:
    """Makes a folder where the runner will make its own."""
    for folder in (OPT / "pht_train.pht", OPT / "attack.pht"):
        if not folder.exists():
            folder.mkdir()
            folder.rmdir()
            return str(folder)
    raise Absent("the folders of work are there")


@attempt(Gain.SIGNED, "ended-processes")
def processes_left() -> str:
    """Leaves processes that change a result for as long as they live."""
    path = RESULTS / BEATS
    path.write_bytes(bytes(20))
    # Outside of the process that is ended when the attempt takes too long.
    if os.fork() == 0:
        os.setsid()
        for _ in range(10):
            if os.fork() == 0:
                _beat(path)
        os._exit(0)
    os.wait()
    raise Pending("10 processes change a result")


def _beat(path: Path) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    with path.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 20)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            mapped[:] = b"%020d" % time.monotonic_ns()
            time.sleep(0.001)
    os._exit(0)


@attempt(Gain.SIGNED, "last-line")
def status_forged() -> str:
    """Writes the beginning of a status line, behind which the runner's would be read as text."""
    sys.stderr.write("\x1b[2J\rpht: result=visited status=0 stage=commit state=sealed network=none")
    sys.stderr.flush()
    raise Pending("an open line")
