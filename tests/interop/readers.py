"""Results of a train that has arrived, as its user reads them."""

from pathlib import Path

from tests.interop.train.listing import Listing, listing
from tests.station import pht


def assert_user_reads(opt: Path, left: Listing, key: bytes, folder: Path) -> None:
    """Check that the user can decrypt the results with `pht`."""
    pem = folder / "reader.pem"
    pem.write_bytes(key)
    done = pht("decrypt-results", opt, "--key", pem, "--output", folder / "opened")
    assert done.status == 0, done.stderr
    assert contents(listing(folder / "opened")) == contents(left)


def contents(tree: Listing) -> dict[str, str]:
    """Return digests of files and targets of links: on a desk set-id bits are taken away."""
    return {path: what for path, (kind, _, what) in tree.items() if kind != "folder"}
