"""Whoever opens results at a desk learns which file of the train was changed; a visit tells nobody.

Only where a file shows it by itself: in the route generation nothing but the hash of all files
authenticates them (docs/protocol.md, "AES-256-CBC").
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import reference, reference_route
from tests.station import Done, assert_explained, check, pht, settle

TOGETHER = "every file decrypts, but one was changed, added, removed or renamed"
RESULTS, TRAIN = "pht_results", "pht_train"

LayOut = Callable[[int, Path], Path]
Change = Callable[[Path], object]


def decrypt_by_command(opt: Path) -> Done:
    output = opt.parent / "output"
    key = reference.VECTORS / "keys" / "user.sk.pem"
    done = pht("decrypt-results", opt, "--key", key, "--output", output)
    assert not output.exists()
    return done


def largest(folder: Path) -> Path:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return max(files, key=lambda path: path.stat().st_size)


def add(folder: Path) -> None:
    (folder / "notes.txt").write_text("what I thought of the results")


def shorten(folder: Path) -> None:
    path = largest(folder)
    path.write_bytes(path.read_bytes()[:-1])


def flip_in_the_midst(folder: Path) -> None:
    path = largest(folder)
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)


def remove(folder: Path) -> None:
    largest(folder).unlink()


NAMED: dict[str, tuple[LayOut, str, Change, str]] = {
    "flat, added": (reference.lay_out, RESULTS, add, "notes.txt"),
    "flat, shorter": (reference.lay_out, RESULTS, shorten, "{largest}"),
    "flat, changed inside": (reference.lay_out, RESULTS, flip_in_the_midst, "{largest}"),
    "route, added": (reference_route.lay_out, RESULTS, add, "notes.txt"),
    "route, shorter": (reference_route.lay_out, RESULTS, shorten, "{largest}"),
    "route, code shorter": (reference_route.lay_out, TRAIN, shorten, "{largest}"),
}


@pytest.mark.parametrize(("lay_out", "folder", "change", "name"), NAMED.values(), ids=NAMED.keys())
def test_a_file_that_does_not_decrypt_is_named(
    lay_out: LayOut, folder: str, change: Change, name: str, tmp_path: Path
) -> None:
    opt = lay_out(2, tmp_path)
    name = name.format(largest=largest(opt / folder).relative_to(opt / folder))
    change(opt / folder)

    done = decrypt_by_command(opt)

    assert_explained(done, 77, "results-unverified")
    assert [line for line in done.lines if "does not decrypt" in line] == [
        f"pht:   - {folder}/{name} does not decrypt"
    ]


@pytest.mark.parametrize(
    ("lay_out", "folder", "change"),
    [
        (reference.lay_out, RESULTS, remove),
        (reference_route.lay_out, RESULTS, remove),
        (reference_route.lay_out, RESULTS, flip_in_the_midst),
        (reference_route.lay_out, TRAIN, flip_in_the_midst),
    ],
)
def test_what_only_all_files_together_show_names_the_folder(
    lay_out: LayOut, folder: str, change: Change, tmp_path: Path
) -> None:
    opt = lay_out(2, tmp_path)
    change(opt / folder)

    done = decrypt_by_command(opt)

    assert_explained(done, 77, "results-unverified")
    assert f"the files of {folder} are not what was sealed" in done.stderr
    assert TOGETHER in done.stderr


@pytest.mark.parametrize(("lay_out", "folder", "change", "name"), NAMED.values(), ids=NAMED.keys())
def test_a_visit_names_no_file(
    lay_out: LayOut, folder: str, change: Change, name: str, tmp_path: Path
) -> None:
    opt = lay_out(2, tmp_path)
    settle(tmp_path, reference.STATIONS[2])
    name = name.format(largest=largest(opt / folder).relative_to(opt / folder))
    change(opt / folder)

    done = check(tmp_path)

    assert_explained(done, 77, "results-unverified")
    assert name not in done.stderr
    assert "does not decrypt" not in done.stderr
