"""After a power cut in `waiting` the verified plaintext is on the disk."""

import pytest

from tests.faults.conftest import Trace
from tests.faults.second_stop import SecondStop, ends_of_phases


@pytest.mark.parametrize("fixture", ["arrived", "arrived_by_route"])
def test_the_plaintext_is_flushed_before_the_train_waits(
    fixture: str, trace: Trace, request: pytest.FixtureRequest
) -> None:
    """`post-run` does not verify again: it would sign files that were cut to nothing."""
    train: SecondStop = request.getfixturevalue(fixture)
    calls = [call for call in trace(train, "pre-run") if call.succeeded]
    *_, opened, waiting = ends_of_phases(calls)
    for tree in ("pht_results", "pht_train") if train.has_route else ("pht_results",):
        inside = [
            position
            for position in range(opened, waiting)
            if f"/opt/{tree}/" in calls[position].text or f"/opt/{tree}>" in calls[position].text
        ]
        assert calls[inside[-1]].name == "syncfs"
