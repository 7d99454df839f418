"""The kernel's counter of processes that it killed for want of memory, in either version."""

from pathlib import Path

import pytest

from entrypoint.process import oom

V2 = "low 0\nhigh 0\nmax 31\noom 2\noom_kill 3\noom_group_kill 0\n"
V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"


@pytest.mark.parametrize(
    ("texts", "kills"),
    [
        ([V2, None], 3),
        ([None, V1], 4),
        ([None, "oom_kill_disable 0\nunder_oom 0\n"], None),
        (["low 0\n", None], None),
        (["oom_kill\n", None], None),
        ([None, None], None),
    ],
    ids=["version 2", "version 1", "old version 1", "old version 2", "nonsense", "no cgroups"],
)
def test_the_counter(
    texts: list[str | None],
    kills: int | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = [tmp_path / "memory.events", tmp_path / "memory.oom_control"]
    for place, text in zip(places, texts, strict=True):
        if text is not None:
            place.write_text(text)
    monkeypatch.setattr(oom, "_COUNTERS", places)
    assert oom.oom_kills() == kills
