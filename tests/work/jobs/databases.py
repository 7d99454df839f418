"""Work with SQLite, and with OpenSSL; not every Python has them."""

import sqlite3
import ssl
import tempfile
from pathlib import Path

RESULTS = Path(__file__).parents[2] / "pht_results"


def _write_ahead(folder: Path) -> None:
    database = sqlite3.connect(folder / "rows.db")
    assert database.execute("pragma journal_mode = wal").fetchone() == ("wal",)
    with database:
        database.execute("create table rows (x integer)")
        database.executemany("insert into rows values (?)", [(x,) for x in range(1000)])
    # A large sort uses a temporary file.
    database.execute("pragma temp_store = file")
    assert database.execute("select count(*) from (select x from rows order by -x)").fetchone()
    with sqlite3.connect(folder / "rows.db") as other:
        assert other.execute("select sum(x) from rows").fetchone() == (499_500,)
    other.close()
    database.close()


def in_memory() -> None:
    with sqlite3.connect(":memory:") as database:
        assert database.execute("select 6 * 7").fetchone() == (42,)


def in_results() -> None:
    _write_ahead(RESULTS)


def in_tmpdir() -> None:
    _write_ahead(Path(tempfile.gettempdir()))


def encryption() -> None:
    ssl.create_default_context()
