"""What `pht build` refuses before it needs an engine; tests/containers builds real images."""

from pathlib import Path

import pytest

from tests import reference
from tests.station import assert_explained, pht

KEYS = reference.VECTORS / "keys"


@pytest.mark.parametrize(
    ("repository", "status", "code"),
    [
        ("name:latest", 64, "repository-unsuitable"),
        ("registry:5000/name:1", 64, "repository-unsuitable"),
        ("name@sha256:12", 64, "repository-unsuitable"),
        ("registry:5000/name", 71, "container-engine"),
        ("name", 71, "container-engine"),
    ],
)
def test_a_repository_has_no_tag(repository: str, status: int, code: str) -> None:
    words: list[str | Path] = ["--user-key", KEYS / "user.sk.pem", "--user", "u", "--train-id", "t"]
    words += ["--station", f"s={KEYS / 'station_1.pk.pem'}", "--master-image", "m"]
    nowhere = {"DOCKER_HOST": "unix:///nowhere"}
    done = pht("build", *words, "--repository", repository, "--", "python", "x.py", env=nowhere)
    assert_explained(done, status, code)
