"""What a train may leave: checked before there is no way back, with the rights of the runner."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrypoint.errors import MalformedTrain
from entrypoint.protocol.seal import check_sealable
from tests.other_user import unprivileged


@pytest.fixture
def results() -> Iterator[Path]:
    """A results folder in a place that everybody can reach."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        results = Path(place) / "pht_results"
        (results / "folder").mkdir(parents=True)
        (results / "folder" / "file").write_bytes(b"x")
        yield results
        for path in (results, results / "folder"):
            path.chmod(0o755)


def test_readable_results_can_be_sealed(results: Path) -> None:
    (results / "link").symlink_to("folder/file")
    with unprivileged(results):
        assert check_sealable(results, "") == ("link",)


@pytest.mark.parametrize(
    ("path", "mode"),
    [("folder/file", 0o000), ("folder", 0o555), ("folder", 0o666), (".", 0o555)],
)
def test_results_that_nobody_but_root_could_replace_are_refused(
    results: Path, path: str, mode: int
) -> None:
    with unprivileged(results):
        (results / path).chmod(mode)
        with pytest.raises(MalformedTrain) as refused:
            check_sealable(results, "")
    assert refused.value.code == "results-unsafe"
    assert refused.value.by == "author"


@pytest.mark.parametrize("name", [".wh.file", ".wh..wh..opq", ".wh."])
@pytest.mark.parametrize("folder", [".", "folder"])
def test_results_that_a_layer_of_an_image_would_lose_are_refused(
    results: Path, folder: str, name: str
) -> None:
    (results / folder / name).touch()
    with pytest.raises(MalformedTrain, match="deletes") as refused:
        check_sealable(results, "")
    assert refused.value.code == "results-unsafe"
    assert refused.value.by == "author"
