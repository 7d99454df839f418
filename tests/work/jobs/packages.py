"""Work with joblib and matplotlib."""

import os
import tempfile
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / "pht_results"


def _sum(numbers: Any) -> float:
    return float(numbers.sum())


def _parallel(backend: str) -> None:
    import joblib  # type: ignore[import-not-found]
    import numpy  # type: ignore[import-not-found]

    # More than joblib sends through a pipe: the workers map a file in /dev/shm or TMPDIR.
    numbers = numpy.ones(400_000)
    jobs = [joblib.delayed(_sum)(numbers) for _ in range(4)]
    assert joblib.Parallel(n_jobs=2, backend=backend)(jobs) == [400_000.0] * 4


def joblib_by_loky() -> None:
    _parallel("loky")


def joblib_by_multiprocessing() -> None:
    _parallel("multiprocessing")


def joblib_by_threads() -> None:
    _parallel("threading")


def joblib_cache() -> None:
    import joblib

    memory = joblib.Memory(tempfile.mkdtemp(), verbose=0)
    assert [memory.cache(len)("abc") for _ in range(2)] == [3, 3]


def forest_on_all_cores() -> None:
    from sklearn.ensemble import RandomForestClassifier  # type: ignore[import-not-found]

    rows = [[x, x % 3] for x in range(100)]
    forest = RandomForestClassifier(n_estimators=20, n_jobs=-1).fit(
        rows, [x % 2 for x in range(100)]
    )
    assert len(forest.predict(rows)) == 100


def plot_without_a_display() -> None:
    from matplotlib import get_cachedir, pyplot  # type: ignore[import-not-found]

    pyplot.plot([1, 2, 3])
    pyplot.title("größer")
    for name in ("plot.png", "plot.pdf", "plot.svg"):
        pyplot.savefig(RESULTS / name)
        assert (RESULTS / name).stat().st_size > 1000
    assert Path(get_cachedir()).is_relative_to(os.environ["HOME"])


def arrays_in_files() -> None:
    import numpy

    array = numpy.lib.format.open_memmap(RESULTS / "array.npy", mode="w+", shape=(1000, 10))
    array[:] = 1
    array.flush()
    assert numpy.load(RESULTS / "array.npy", mmap_mode="r").sum() == 10_000


def tables_in_files() -> None:
    import pandas  # type: ignore[import-untyped]

    table = pandas.DataFrame({"x": range(10)})
    table.to_parquet(RESULTS / "table.parquet")
    assert pandas.read_parquet(RESULTS / "table.parquet").equals(table)
