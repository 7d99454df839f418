"""A forged journal is refused: it would make this station sign planted files."""

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from entrypoint.crypto.envelopes import wrap
from entrypoint.crypto.keys import PrivateKey
from entrypoint.crypto.mac import journal_key
from entrypoint.files.attributes import Attributes
from entrypoint.model import Paths
from entrypoint.recovery.journal import Journal, Phase
from entrypoint.recovery.state import VisitState
from tests import reference
from tests.faults.second_stop import COMMAND, FIRST, SECOND, SecondStop
from tests.station import snapshot

FORGED = 77
COMMANDS = [["run", "--", *COMMAND], ["pre-run"], ["post-run"], ["undo"], ["check"]]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("phase", Phase)
def test_a_journal_planted_in_any_phase_is_refused_and_nothing_touched(
    phase: Phase, command: list[str], arrived: SecondStop, tmp_path: Path
) -> None:
    train = arrived.copy_to(tmp_path / "train")
    _plant_journal(train, phase)
    before = snapshot(train.root, times=True)
    assert train.ask(*command) == FORGED
    assert snapshot(train.root, times=True) == before
    assert train.runs == 0


def _plant_journal(train: SecondStop, phase: Phase) -> None:
    """Plant a journal as another station of the route could: only its MAC is wrong."""
    paths = Paths(train.root)
    config = paths.config.read_bytes()
    state = VisitState(paths, journal_key(_private_key(FIRST)))
    session_id = reference.load_config(train.opt)["session_id"]
    attributes = Attributes.of(paths.config)
    state.begin(
        Journal(
            phase=Phase.OPENING,
            station=SECOND,
            session_id=session_id,
            config=config,
            attributes=attributes,
            places={".": Attributes(0o40777, 0, 0)},
            train=None,
            backups={"pht_results": None},
        )
    )
    (paths.results / "counts.csv").write_bytes(b"planted")
    if phase is not Phase.OPENING:
        state.results.backup.write_bytes(b"planted")
        state.open({"pht_results": hashlib.sha256(b"planted").digest()})
    if phase is Phase.SEALING:
        state.start_sealing(wrap(_private_key(SECOND).public_key(), b"A" * 43 + b"="))
    elif phase not in (Phase.OPENING, Phase.OPEN):
        state.enter(phase)


def _private_key(station: str) -> PrivateKey:
    key = load_pem_private_key(reference.vector_key(station, private=True), None)
    assert isinstance(key, PrivateKey)
    return key
