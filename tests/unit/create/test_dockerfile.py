"""`create` writes the Dockerfile of the train's image once it knows all that it says."""

from pathlib import Path

import pytest

from entrypoint.errors import IntegrityError
from tests.unit.creating import assert_not_built, build_train


@pytest.mark.parametrize(
    ("command", "workdir", "expected"),
    [
        (["python", "/opt/pht_train/run.py"], None, 'CMD ["python", "/opt/pht_train/run.py"]\n'),
        (
            ["Rscript", "--vanilla", "B/ü.txt", 'a "quoted"\nword'],
            "/opt/pht_train",
            "WORKDIR /opt/pht_train\n"
            'CMD ["Rscript", "--vanilla", "B/\\u00fc.txt", "a \\"quoted\\"\\nword"]\n',
        ),
        (["/opt/pht_train/a/z"], None, 'CMD ["/opt/pht_train/a/z"]\n'),
    ],
)
def test_the_dockerfile(
    command: list[str], workdir: str | None, expected: str, train: Path, output: Path
) -> None:
    said = build_train(train, output, command=command, workdir=workdir)
    text = (output / "Dockerfile").read_text()
    assert text == f"FROM python:slim\nCOPY opt /opt\n{expected}"
    assert f"docker build --tag REPOSITORY:base --tag REPOSITORY:latest {output}\n" in said


def test_without_a_command_there_is_none(train: Path, output: Path) -> None:
    said = build_train(train, output)
    assert [path.name for path in output.iterdir()] == ["opt"]
    assert f"then build the train's image in {output}: FROM a master image" in said


@pytest.mark.parametrize(
    ("command", "workdir"),
    [
        (["python", "/opt/pht_train/absent.py"], None),
        (["python", "run.py"], None),
        (["python", "query.json"], "/opt/pht_train"),
        (["python", "-c", "import run"], "/opt/pht_train"),
        (["run.py"], "/opt/pht_train"),
        (["/opt/pht_train"], None),
    ],
)
def test_a_command_that_stations_refuse(
    command: list[str], workdir: str | None, train: Path, output: Path
) -> None:
    assert_not_built(
        IntegrityError, "command-not-signed", train, output, command=command, workdir=workdir
    )
