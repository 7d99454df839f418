"""Brings the visit of a small train into any phase, for tests of the state on disk."""

import json
import os
from pathlib import Path
from typing import Any

from entrypoint.files.attributes import Attributes, Owner
from entrypoint.files.tree import Kind, walk
from entrypoint.model import Paths
from entrypoint.recovery.journal import Journal, Phase, SavedFile
from entrypoint.recovery.ownership import record
from entrypoint.recovery.state import VisitState
from entrypoint.recovery.work_folder import WorkFolder

KEY = b"k" * 32
OLD_CONFIG = b'{"train_id": "t", "user_he_key": "he"}'
NEW_CONFIG = b'{"train_id": "t", "e_d": "new"}'
JOURNAL = Journal(
    phase=Phase.OPENING,
    station="station_1",
    session_id="5e" * 64,
    config=OLD_CONFIG,
    attributes=Attributes(0o640, os.getuid(), os.getgid()),
    places={},
    train=None,
    backups={"pht_results": None},
    public={"user_he_key": "he"},
)
FOUR_NAMES = ["pht_results", "pht_train", "train_config.json", "user_sym_key.key"]
BEFORE_SEALING = [Phase.OPENING, Phase.OPEN, Phase.WAITING, Phase.SUCCEEDED]


def make_train(root: Path) -> Paths:
    """Make a train that has made a stop."""
    paths = Paths(root)
    (paths.results / "folder").mkdir(parents=True)
    paths.train.mkdir()
    (paths.results / "folder" / "counts").write_bytes(b"sealed counts")
    (paths.results / "tool").write_bytes(b"sealed tool")
    (paths.results / "tool").chmod(0o750)
    os.link(paths.results / "tool", paths.results / "same tool")
    (paths.results / "link").symlink_to("tool")
    paths.config.write_bytes(OLD_CONFIG)
    paths.config.chmod(0o640)
    paths.user_key.write_bytes(b"old envelope")
    return paths


def user_key_of(paths: Paths) -> SavedFile:
    """Return the record of the user's envelope in a journal."""
    return SavedFile(paths.user_key.read_bytes(), Attributes.of(paths.user_key))


def begin(
    paths: Paths,
    phase: Phase = Phase.OPEN,
    *,
    backup: bool = True,
    train: Owner | None = None,
) -> VisitState:
    """Bring a visit into a phase.

    Args:
        paths: of the train.
        phase: the last one that is recorded.
        backup: whether the old results are backed up.
        train: user and group of the train's process, if these are not the runner's.
    """
    state = VisitState(paths, KEY)
    state.begin(
        JOURNAL._replace(
            attributes=Attributes.of(paths.config),
            places=record(paths, [state.results], train),
            train=train,
            user_key=user_key_of(paths),
        )
    )
    (state.results.large / "tool").write_bytes(b"plain tool")
    tag = back_up(state, state.results) if backup else None
    if phase is Phase.OPENING:
        return state
    state.open({"pht_results": tag})
    (state.results.large / "tool").replace(paths.results / "tool")
    state.hand_over()
    if phase in (Phase.WAITING, Phase.SUCCEEDED):
        state.enter(phase)
    if phase is Phase.SEALING:
        state.start_sealing(b"envelope")
    return state


def back_up(state: VisitState, work: WorkFolder) -> bytes:
    """Back an old tree up, as the decryption does, and return the tag."""
    with state.backing_up(work) as backup:
        for entry in walk(work.tree):
            is_file = entry.kind is Kind.FILE
            backup.add(entry, (work.tree / entry.path).read_bytes() if is_file else b"")
    return backup.tag()


def restart(paths: Paths, key: bytes = KEY) -> bytes | Journal:
    """Load the state as the next start of the runner does."""
    return VisitState(paths, key).load()


def document(paths: Paths) -> dict[str, Any]:
    """Return the JSON object in `train_config.json`."""
    found: dict[str, Any] = json.loads(paths.config.read_bytes())
    return found
