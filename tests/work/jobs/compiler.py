"""Work with numba, which keeps what it has compiled."""

import importlib
import os
import sys
import tempfile
from pathlib import Path

FUNCTION = """\
import numba

@numba.njit(cache=True)
def double(number):
    return 2 * number
"""


def _use(folder: Path, name: str) -> None:
    sys.path.insert(0, str(folder))
    assert importlib.import_module(name).double(21) == 42


def cache_beside_the_signed_files() -> None:
    here = Path(__file__).parent
    (here / "beside.py").write_text(FUNCTION)
    _use(here, "beside")
    assert list((here / "__pycache__").glob("beside.double*.nbi"))


def cache_of_a_library_in_home() -> None:
    library = Path(tempfile.mkdtemp())
    (library / "library.py").write_text(FUNCTION)
    library.chmod(0o555)
    _use(library, "library")
    assert list(Path.home().glob(".cache/numba/*/library.double*.nbi"))


def cache_in_a_folder_of_its_own() -> None:
    cache, code = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
    os.environ["NUMBA_CACHE_DIR"] = str(cache)
    (code / "own.py").write_text(FUNCTION)
    _use(code, "own")
    assert list(cache.glob("*/own.double*.nbi"))


def loop_on_all_cores() -> None:
    import numba  # type: ignore[import-not-found]

    @numba.njit(parallel=True)  # type: ignore[untyped-decorator]
    def total(count: int) -> int:
        found = 0
        for number in numba.prange(count):
            found += number
        return found

    assert total(1000) == 499_500
