"""The base images of the tests are made of what a mirror serves."""

import hashlib
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.containers.bases import APT_HELPER, Base, fetch_source, install
from tests.containers.engine import Unavailable

FILES = {
    f"pool/z/{name}": hashlib.sha256(name.encode()).hexdigest()
    for name in ("zlib_1.3.orig.tar.gz", "zlib_1.2.orig.tar.gz")
}
NEWER, OLDER = FILES

pytestmark = pytest.mark.skipif(not Path(APT_HELPER).exists(), reason="no apt to download with")


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """The folder of a mirror that serves both files."""
    for path in FILES:
        file = tmp_path / "served" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(file.name)
    return tmp_path / "served"


@pytest.fixture
def mirror(served: Path) -> Iterator[str]:
    """The address of that mirror."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(served))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    """The folder to download to."""
    folder = tmp_path / "fetched"
    folder.mkdir()
    return folder


def test_the_first_file_is_taken(mirror: str, fetched: Path) -> None:
    fetch_source("zlib", FILES, mirror, fetched)
    assert [file.name for file in fetched.iterdir()] == [Path(NEWER).name]


@pytest.mark.parametrize("wrong", [None, "other contents"], ids=["not served", "other contents"])
def test_another_file_stands_behind_one_that_the_mirror_lacks(
    wrong: str | None, served: Path, mirror: str, fetched: Path
) -> None:
    file = served / NEWER
    file.unlink() if wrong is None else file.write_text(wrong)
    fetch_source("zlib", FILES, mirror, fetched)
    assert (fetched / Path(OLDER).name).read_text() == Path(OLDER).name
    assert not (fetched / Path(NEWER).name).exists()


def test_a_failure_says_which_source_and_which_files(
    served: Path, mirror: str, fetched: Path
) -> None:
    for path in FILES:
        (served / path).unlink()
    with pytest.raises(
        Unavailable, match=r"(?s)^no source of zlib: zlib_1\.3\..*404.*; zlib_1\.2\..*404"
    ):
        fetch_source("zlib", FILES, mirror, fetched)


@pytest.mark.skipif(shutil.which("mmdebstrap") is None, reason="no mmdebstrap to make images with")
def test_a_failure_says_which_suite_could_not_be_had(mirror: str, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=rf"'{mirror} trixie Release' does not have a Release"):
        install(Base("trixie", ("python3",)), mirror, tmp_path / "root.tar")
