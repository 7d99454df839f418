"""Results open in another language: as in the users' desktop application, and with its modules."""

import base64
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import reference_route
from tests.reference import STAGES, STATIONS, result_files
from tests.station import pht, settle

SCRIPT = Path(__file__).with_name("open_results.mjs")
PATIENCE_S = 60

FIRST = STATIONS[0]
USER_KEY = reference_route.VECTORS / "keys" / "user.sk.pem"


Open = Callable[[Path, Path], dict[str, bytes]]
"""Opens an export with a private key; returns the content of each result."""


@pytest.fixture(params=["with Node.js alone", "with the modules of the application"])
def open_results(node: str, request: pytest.FixtureRequest) -> Open:
    """A function that opens an export in another language."""
    more = [] if "alone" in request.param else [request.getfixturevalue("modules")]

    def run(archive: Path, key: Path) -> dict[str, bytes]:
        done = subprocess.run(
            [node, SCRIPT, archive, key, *more],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout).items()
        return {path: base64.b64decode(content) for path, content in found}

    return run


@pytest.mark.parametrize("stage", range(1, len(STAGES)), ids=STAGES[1:])
def test_published_results_open(open_results: Open, stage: int, tmp_path: Path) -> None:
    opt = reference_route.lay_out(stage, tmp_path)
    expected = result_files(reference_route.lay_out_plain(stage, tmp_path / "plain"))

    opened = open_results(exported(opt), USER_KEY)

    assert opened == {path: content for path, (content, _) in expected.items()}


def test_results_of_any_name_and_size_open(open_results: Open, tmp_path: Path) -> None:
    contents = {
        "empty": b"",
        "one block": bytes(16),
        "large.bin": os.urandom(2_000_001),
        "sum.he.json": b"[1]",
        "/".join(["deep"] * 60) + "/ü": b"inside",
        "n" * 200: b"long name",
    }
    opt = sealed_train(tmp_path, contents)

    assert open_results(exported(opt), USER_KEY) == contents


def test_the_key_of_another_does_not_open(open_results: Open, tmp_path: Path) -> None:
    archive = exported(reference_route.lay_out(1, tmp_path))

    with pytest.raises(AssertionError, match="oaep"):
        open_results(archive, USER_KEY.with_name(f"{FIRST}.sk.pem"))


def sealed_train(folder: Path, results: dict[str, bytes]) -> Path:
    """Return a folder like `/opt`: this program has sealed these results at the first stop."""
    stations = {station: reference_route.vector_key(station) for station in STATIONS}
    keys = {
        name: reference_route.vector_key(name, private=True)
        for name in ("user", reference_route.BUILDER, FIRST)
    }
    opt = reference_route.build_initial(
        folder, {"train.py": b""}, keys["user"], keys[reference_route.BUILDER], stations
    )
    settle(folder, FIRST, keys[FIRST])
    make_half(folder, "pre-run")
    for name, content in results.items():
        path = opt / "pht_results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    make_half(folder, "post-run")
    return opt


def make_half(root: Path, half: str) -> None:
    done = pht(half, root=root)
    assert done.status == 0, done.stderr


def exported(opt: Path) -> Path:
    """Return the tar that a station sends to the user."""
    archive = opt.with_name("export.tar")
    done = pht("export", "--output", archive, root=opt.parent)
    assert done.status == 0, done.stderr
    return archive
