"""The rows of `pht doctor` about the station's own files: its folder, settings and key."""

import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from entrypoint.crypto.keys import fingerprint
from entrypoint.errors import SystemFailure
from entrypoint.linux.user import user_in_words
from entrypoint.model import Paths
from entrypoint.process.fork import ask
from entrypoint.process.stop import StopRequest
from entrypoint.report import counted
from entrypoint.settings import load, names, station_folder
from entrypoint.settings.ledger_folder import find_ledger
from entrypoint.settings.private_key import find_key, load_station_key
from entrypoint.settings.settings import Settings
from entrypoint.station.inputs import Inputs
from entrypoint.station.row import Row, Verdict, judged
from entrypoint.station.validate_image import read_masters
from entrypoint.trust.ledger import Ledger

_OTHERS = {stat.S_IRGRP: "its group {gid}", stat.S_IROTH: "everybody"}
"""Names of the others that may read a file, by the bit of its mode."""


def folder_row(check: str, paths: Paths, *, in_container: bool) -> Row:
    """Return the row of the station folder.

    Raises:
        PhtError: a visit would be refused because of it.
    """
    folder = paths.station
    if in_container:
        load.refuse_links_of_image(paths)
        station_folder.check_mount(folder)
    files = [path.name for path in station_folder.list_files(folder)]
    if not files:
        return Row(
            check=check,
            verdict=Verdict.NOT_SET,
            found=f"{folder} is empty or not there",
            advice="mount the station folder with -v /etc/pht:/run/pht:ro",
        )
    mount = ", mounted read-only" if in_container else ""
    return Row(check=check, verdict=Verdict.OK, found=f"{folder}{mount}: {', '.join(files)}")


def settings_row(check: str, inputs: Inputs) -> Row:
    """Return the row of all settings, with everything that is wrong with them.

    Raises:
        SettingsError: station.env cannot be read, or sets no STATION_ID.
    """
    station_folder.read_variables(inputs.paths.station)
    if errors := [error for _, error in inputs.problems()]:
        return Row.failed(check, *errors)
    station = inputs.settings().station()
    others = sorted(names.KNOWN & {*inputs.outside, *inputs.folder})
    more = f"; {', '.join(others)}" if others else ""
    return Row(check=check, verdict=Verdict.OK, found=f"STATION_ID is {station}{more}")


def trust_row(check: str, settings: Settings) -> Row:
    """Return the row of the keys that the station has pinned.

    Raises:
        SettingsError: the file `trust` cannot be read.
    """
    pins = station_folder.read_pins(settings.paths.station)
    required = settings.anchors.required
    if not pins:
        return Row(
            check=check,
            verdict=Verdict.WARNING if required else Verdict.NOT_SET,
            found="no key is pinned" + (", so PHT_TRUST=require refuses every train" * required),
            advice="pin the keys that you know in the file trust of the station folder",
        )
    roles = Counter(holder.role for holder, keys in pins.items() for _ in keys)
    found = ", ".join(counted(roles[role], f"{role} key") for role in roles)
    found += "; other keys are refused" if required else "; other keys are accepted and named"
    return Row(check=check, verdict=Verdict.OK, found=found)


def masters_row(check: str, settings: Settings) -> Row:
    """Return the row of the master images that the station has approved.

    Raises:
        SettingsError: their file cannot be read.
    """
    path = settings.paths.station / names.MASTERS_FILE
    if not station_folder.exists(path):
        return Row(
            check=check,
            verdict=Verdict.NOT_SET,
            found=f"there is no {path}: no image can be compared with its master image",
            advice="make it with pht describe-image MASTER.tar",
        )
    masters = [master.name for master in read_masters(path)]
    found = f"{counted(len(masters), 'master image')}: {', '.join(masters)}"
    return Row(check=check, verdict=Verdict.OK, found=found)


def ledger_row(check: str, settings: Settings) -> Row:
    """Return the row of the ledger, which is locked and read whole.

    Raises:
        PhtError: it cannot be used.
    """
    folder = find_ledger(settings.paths.ledger, in_container=settings.in_container)
    if folder is None:
        return Row(
            check=check,
            verdict=Verdict.NOT_SET,
            found=f"no ledger in {settings.paths.ledger}: a train may come back in an older state",
            advice="mount a folder of the station there that only this user may use",
        )
    ledger = Ledger(folder)
    with ledger.locked():
        entries = [ledger.read(path) for path in ledger.files()]
    access, _ = _access(folder)
    found = f"{folder}: {counted(len(entries), 'train')}, {access}, can be locked and written"
    if settings.replay_allowed:
        return Row(
            check=check,
            verdict=Verdict.WARNING,
            found=f"{found}; PHT_REPLAY=allow lets trains come back in an older state",
            advice="remove PHT_REPLAY when the train that needed it has passed",
        )
    return Row(check=check, verdict=Verdict.OK, found=found)


def key_row(check: str, settings: Settings) -> Row:
    """Return the row of the private key, which a process of its own loads.

    Raises:
        SystemFailure: that process was killed.
    """

    def question() -> Mapping[str, Any]:
        return asdict(judged(check, lambda check: _row_of_key(check, settings)))

    answer = ask(question, StopRequest())
    if answer is None:
        raise SystemFailure(
            "part-killed",
            "the process of the runner that loads the private key was killed",
            hint="most likely memory ran out: give the container more (--memory)",
            retry=True,
        )
    return Row(**{**answer, "verdict": Verdict(answer["verdict"])})


def _row_of_key(check: str, settings: Settings) -> Row:
    found = find_key(settings.key_settings)
    key = load_station_key(settings.key_settings)
    facts = [
        f"{found.source}: {'hex of PEM' if found.is_hex else 'PEM'}, {key.key_size} bits",
        "with a password" if found.is_encrypted else "without a password",
        f"SHA256:{fingerprint(key.public_key())}",
    ]
    if found.path is None:
        return Row(
            check=check,
            verdict=Verdict.WARNING,
            found=", ".join(facts),
            advice="put it into a file of the station folder: the engine keeps variables, and "
            "docker inspect shows them",
        )
    access, others = _access(found.path)
    return Row(
        check=check,
        verdict=Verdict.WARNING if others else Verdict.OK,
        found=", ".join([*facts, access]),
        advice="let only its owner read it: chmod 600 on the host" if others else "",
    )


def _access(path: Path) -> tuple[str, bool]:
    """Return who may read a file, in words, and whether others than its owner may."""
    info = path.stat()
    others = [words.format(gid=info.st_gid) for bit, words in _OTHERS.items() if info.st_mode & bit]
    text = f"mode {stat.S_IMODE(info.st_mode):04o}, of {user_in_words(info.st_uid)}"
    return (f"{text}; {' and '.join(others)} may read it too" if others else text), bool(others)
