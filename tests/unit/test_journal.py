"""The journal: what it records, and which one is believed."""

import json
from typing import Any

import pytest

from entrypoint.errors import IntegrityError, SystemFailure
from entrypoint.files.attributes import Attributes
from entrypoint.model import Paths
from entrypoint.recovery.journal import Journal, Phase, SavedFile
from entrypoint.recovery.state import VisitState
from tests.station import snapshot
from tests.unfinished import BEFORE_SEALING, JOURNAL, KEY, OLD_CONFIG, begin, document, restart

FIELDS: dict[str, Any] = {
    "version": 0,
    "phase": "sealing",
    "station": "station_2",
    "session_id": "00" * 64,
    "config": '{"train_id": "other"}',
    "attributes": [0o666, 1, 1],
    "places": {".": [0o40777, 1, 1]},
    "train": [1, 1],
    "backups": {"pht_results": "00" * 32},
    "user_key": ["00", 0o666, 1, 1],
    "key": "00",
}
"""Every field of a journal, each with another value than in these tests."""


def test_a_journal_is_decoded_as_it_was_encoded() -> None:
    saved = SavedFile(b"old envelope", Attributes(0o640, 1, 2))
    backups = {"pht_results": bytes(32), "pht_train": None}
    journal = JOURNAL._replace(
        phase=Phase.SEALING,
        places={".": Attributes(0o40755, 0, 0), "pht_train/\udcff": Attributes(0o40755, 1, 2)},
        train=(10001, 10001),
        backups=backups,
        user_key=saved,
        key=b"envelope",
    )
    data = journal.encode(KEY)
    decoded = Journal.decode(data, KEY)
    assert decoded == journal
    assert decoded.encode(KEY) == data


def test_a_complete_configuration_is_no_journal() -> None:
    assert Journal.decode(OLD_CONFIG, KEY) is None


def assert_forged(paths: Paths, key: bytes = KEY) -> None:
    """Check that the journal is refused and nothing is touched."""
    before = snapshot(paths.opt, times=True)
    with pytest.raises(IntegrityError) as refused:
        restart(paths, key)
    assert refused.value.code == "journal-forged"
    assert snapshot(paths.opt, times=True) == before


def test_a_journal_of_another_version_is_left_to_that_version(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrypoint.recovery.journal._VERSION", 1)
    begin(paths)
    monkeypatch.undo()
    before = snapshot(paths.opt, times=True)
    with pytest.raises(SystemFailure) as refused:
        restart(paths)
    assert refused.value.code == "journal-of-other-version"
    assert snapshot(paths.opt, times=True) == before


def test_the_fields_of_a_journal_are_all_known_here(paths: Paths) -> None:
    begin(paths)
    assert document(paths)["pht_visit"].keys() == FIELDS.keys()


@pytest.mark.parametrize("name", FIELDS)
def test_no_field_of_a_journal_can_be_changed(name: str, paths: Paths) -> None:
    begin(paths)
    forged = document(paths)
    assert forged["pht_visit"][name] != FIELDS[name]
    forged["pht_visit"][name] = FIELDS[name]
    paths.config.write_text(json.dumps(forged))
    assert_forged(paths)


@pytest.mark.parametrize("name", FIELDS)
def test_no_field_of_a_journal_can_be_left_out(name: str, paths: Paths) -> None:
    begin(paths)
    forged = document(paths)
    del forged["pht_visit"][name]
    paths.config.write_text(json.dumps(forged))
    assert_forged(paths)


@pytest.mark.parametrize("name", ["pht_visit", "pht_mac"])
@pytest.mark.parametrize("value", [None, "", "ü", "\ud800", 1, [], {}])
def test_a_journal_of_another_shape_is_forged(name: str, value: Any, paths: Paths) -> None:
    begin(paths)
    paths.config.write_text(json.dumps(document(paths) | {name: value}))
    assert_forged(paths)


@pytest.mark.parametrize("phase", [*BEFORE_SEALING, Phase.SEALING])
def test_a_journal_made_with_another_key_is_forged(phase: Phase, paths: Paths) -> None:
    begin(paths, phase)
    assert_forged(paths, b"other key" * 4)


def test_the_authentication_of_another_journal_does_not_count(paths: Paths) -> None:
    begin(paths, Phase.OPEN)
    open_mac = document(paths)["pht_mac"]
    state = VisitState(paths, KEY)
    state.load()
    state.start_sealing(b"envelope")
    paths.config.write_text(json.dumps(document(paths) | {"pht_mac": open_mac}))
    assert_forged(paths)
