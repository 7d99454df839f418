"""Records of strace are read alike for processors with other names of system calls."""

from pathlib import Path

import pytest

from tests.faults.second_stop import ends_of_phases
from tests.faults.strace import read_calls

PATHS = '"/opt/train_config.json.pht", "/opt/train_config.json"'
IN_FOLDERS = PATHS.replace('"/', 'AT_FDCWD</>, "/')


@pytest.mark.parametrize(
    ("line", "change", "ends_phase"),
    [
        (f"rename({PATHS}) = 0", "rename", True),
        (f"renameat({IN_FOLDERS}) = 0", "rename", True),
        (f"renameat2({IN_FOLDERS}, 0) = 0", "rename", True),
        ('unlinkat(5</opt/pht_results>, "old", 0) = 0', "unlink", False),
        ("fsync(5</opt>) = 0", "fsync", False),
    ],
    ids=lambda value: value.partition("(")[0] if isinstance(value, str) else "",
)
def test_a_change_has_one_name(line: str, change: str, ends_phase: bool, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"{line}\n")
    calls = read_calls(tmp_path / "log")
    assert [call.change for call in calls] == [change]
    assert ends_of_phases(calls) == [0] * ends_phase
