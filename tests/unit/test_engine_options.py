"""Options of `docker create` between `--` and the train's command of `simulate`."""

from pathlib import Path

import pytest

from entrypoint.cli.desk_commands import split_options
from tests.station import pht

COMMAND = ["python", "/opt/pht_train/x.py"]


@pytest.mark.parametrize(
    ("words", "options", "command"),
    [
        ([], [], []),
        (COMMAND, [], COMMAND),
        (["sh", "x", "--", "-y"], [], ["sh", "x", "--", "-y"]),
        (["--memory", "4g", "--", *COMMAND], ["--memory", "4g"], COMMAND),
        (["--memory", "4g", "--", "sh", "--", "x"], ["--memory", "4g"], ["sh", "--", "x"]),
        (["--memory", "4g"], ["--memory", "4g"], []),
        (["--", *COMMAND], [], COMMAND),
    ],
)
def test_another_dash_dash_ends_the_options(
    words: list[str], options: list[str], command: list[str]
) -> None:
    assert split_options(words) == (options, command)


def test_options_without_containers_are_refused(tmp_path: Path) -> None:
    done = pht("simulate", "--data", tmp_path, "--", "--memory", "4g", "--", *COMMAND)

    assert (done.status, done.code) == (64, "engine-options-without-image")
    assert "--memory is an option of docker create" in done.stderr
