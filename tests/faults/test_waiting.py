"""A power cut while an opened train waits for its operator: what was verified is on the disk."""

import pytest

from tests.faults.conftest import Trace
from tests.faults.second_stop import SecondStop, ends_of_phases


@pytest.mark.parametrize("fixture", ["arrived", "arrived_by_route"])
def test_the_plaintext_is_flushed_before_the_train_waits(
    fixture: str, trace: Trace, request: pytest.FixtureRequest
) -> None:
    """`post-run` seals it as it finds it, so that files cut to nothing would be signed."""
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
