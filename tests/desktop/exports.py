"""Exports of trains of the route generation, as a station sends them to the user."""

from collections.abc import Callable
from pathlib import Path

from tests import reference_route
from tests.reference import STATIONS, Config
from tests.station import edit, pht, settle

FIRST = STATIONS[0]
USER_KEY = reference_route.VECTORS / "keys" / "user.sk.pem"

Open = Callable[[Path, Path], dict[str, bytes]]
"""Opens an export with a private key; returns the content of each result."""


def sealed_train(
    folder: Path,
    results: dict[str, bytes],
    change: Callable[[Config], object] = lambda config: None,
) -> Path:
    """Return a folder like `/opt`: this program has sealed these results at the first stop.

    Args:
        folder: where to make it.
        results: the content of each, by path.
        change: is made to what nobody signs of the configuration.
    """
    stations = {station: reference_route.vector_key(station) for station in STATIONS}
    keys = {
        name: reference_route.vector_key(name, private=True)
        for name in ("user", reference_route.BUILDER, FIRST)
    }
    opt = reference_route.build_initial(
        folder, {"train.py": b""}, keys["user"], keys[reference_route.BUILDER], stations
    )
    edit(opt, change)
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
