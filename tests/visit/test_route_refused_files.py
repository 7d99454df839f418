"""Changed immutable files and results are refused, also where both travel encrypted.

Everything that depends on the symmetric key is refused with one code, whichever file it is about.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import reference, reference_route
from tests.station import (
    assert_refused,
    assert_refused_quickly,
    edit,
    in_process,
    new_route_train,
    settle,
    visit,
)
from tests.visit.changed_files import PLANTED, change_byte, swap_files
from tests.visit.changed_route_fields import CHANGED_FIELDS, DIFFER, UNVERIFIED

WIRE = reference_route
"""The generation of the trains of the fixtures."""

# --- immutable files -----------------------------------------------------------------------------

NAMES = sorted(path for path in reference.result_files(reference_route.VECTORS / "train"))


def swap_blocks(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:32] + data[48:64] + data[32:48] + data[64:])


def key_of_stage(stage: int) -> bytes:
    return (reference_route.VECTORS / reference.STAGES[stage] / "sym_key.plain").read_bytes()


def seal_other_code(train: Path) -> None:
    """Replace a file as another station of the route could, which knows the key."""
    (train / "a.txt").write_bytes(reference_route.encrypt(key_of_stage(2), b"other code"))


def take_earlier(train: Path) -> None:
    earlier = reference_route.VECTORS / reference.STAGES[1] / "train_encrypted"
    (train / "a.txt").write_bytes((earlier / "a.txt").read_bytes())


DEFINITION: dict[str, Callable[[Path], object]] = {
    "a bit of an IV": lambda train: change_byte(train / "entrypoint.sh", 3),
    "a bit of a block": lambda train: change_byte(train / "entrypoint.sh", 100),
    "a bit of the padding": lambda train: change_byte(train / "entrypoint.sh", -1),
    "a bit of an empty file": lambda train: change_byte(train / "empty.txt", 20),
    "a bit of the query": lambda train: change_byte(train / "query.json", 40),
    "two blocks swapped": lambda train: swap_blocks(train / "entrypoint.sh"),
    "truncated": lambda train: os.truncate(train / "entrypoint.sh", 500),
    "a block less": lambda train: os.truncate(train / "entrypoint.sh", 960),
    "emptied": lambda train: os.truncate(train / "B.txt", 0),
    "only an IV": lambda train: os.truncate(train / "B.txt", 16),
    "two files swapped": lambda train: swap_files(train, "a.txt", "B.txt"),
    "plaintext": lambda train: (train / "B.txt").write_bytes(b"in clear\n"),
    "other code under the right key": seal_other_code,
    "a file of an earlier stop": take_earlier,
    "no query": lambda train: (train / "query.json").unlink(),
    "the query emptied": lambda train: os.truncate(train / "query.json", 0),
}


@pytest.mark.parametrize("change", DEFINITION.values(), ids=DEFINITION.keys())
def test_immutable_files_that_the_user_has_not_signed(
    change: Callable[[Path], object], root: Path
) -> None:
    change(root / "opt" / "pht_train")

    assert_refused_quickly(root, *UNVERIFIED)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "query.json"])
def test_a_missing_immutable_file(name: str, root: Path) -> None:
    (root / "opt" / "pht_train" / name).unlink()

    assert_refused_quickly(root, *DIFFER)


@pytest.mark.parametrize(("change", "named"), PLANTED.values(), ids=PLANTED.keys())
def test_something_beside_the_signed_files(
    change: Callable[[Path], object], named: str, root: Path
) -> None:
    change(root / "opt" / "pht_train")

    said = in_process("check", root).lines
    assert [line for line in said if line.startswith("pht:   - ") and named in line]
    assert_refused_quickly(root, *DIFFER)


def test_two_names_of_one_encrypted_file(root: Path) -> None:
    train = root / "opt" / "pht_train"
    (train / "a.txt").unlink()
    (train / "a.txt").hardlink_to(train / "B.txt")

    assert "pht:   - a.txt is a hard link" in in_process("check", root).lines
    assert_refused_quickly(root, *DIFFER)


def test_a_query_planted_in_a_train_that_has_none(tmp_path: Path) -> None:
    opt = new_route_train(tmp_path, "")
    settle(tmp_path, "station_1")
    key = reference.vector_key("station_1", private=True)
    symmetric = reference_route.symmetric_key(opt, key, "station_1")
    (opt / "pht_train" / "query.json").write_bytes(reference_route.encrypt(symmetric, b"{}"))

    assert_refused_quickly(tmp_path, *UNVERIFIED)


def test_a_train_in_plaintext_is_not_visited_with_a_key(root: Path) -> None:
    for name in NAMES:
        content = (reference_route.VECTORS / "train" / name).read_bytes()
        (root / "opt" / "pht_train" / name).write_bytes(content)

    assert_refused(root, *UNVERIFIED, ("sh", "/opt/pht_train/entrypoint.sh"))


# --- results -------------------------------------------------------------------------------------

RESULTS: dict[str, Callable[[Path], object]] = {
    "a bit of an IV": lambda results: change_byte(results / "counter", 0),
    "a bit of a block": lambda results: change_byte(results / "new/seq.txt", 200),
    "a bit of the padding": lambda results: change_byte(results / "new/seq.txt", -1),
    "a bit of an empty file": lambda results: change_byte(results / "empty.bin", 5),
    "two blocks swapped": lambda results: swap_blocks(results / "new/seq.txt"),
    "truncated": lambda results: os.truncate(results / "new/seq.txt", 500),
    "a block less": lambda results: os.truncate(results / "new/seq.txt", 960),
    "emptied": lambda results: os.truncate(results / "counter", 0),
    "removed": lambda results: (results / "counter").unlink(),
    "moved across the order": lambda results: (results / "counter").rename(results / "A"),
    "two swapped": lambda results: swap_files(results, "a.txt", "counter"),
    "plaintext added": lambda results: (results / "planted").write_bytes(b"x"),
    "an empty file added": lambda results: (results / "planted").touch(),
    "others under the right key": lambda results: (results / "counter").write_bytes(
        reference_route.encrypt(key_of_stage(2), b"9")
    ),
}


@pytest.mark.parametrize("change", RESULTS.values(), ids=RESULTS.keys())
def test_results_that_the_last_stop_did_not_seal(
    change: Callable[[Path], object], root: Path
) -> None:
    change(root / "opt" / "pht_results")

    assert_refused_quickly(root, *UNVERIFIED)


def test_secret_dependent_refusals_look_alike(tmp_path: Path) -> None:
    """A forger who tries variants learns nothing about which check has failed."""
    said = set()
    changes: list[Callable[[Path], object]] = [
        lambda opt: edit(opt, CHANGED_FIELDS["own envelope"][0]),
        lambda opt: edit(opt, CHANGED_FIELDS["hash"][0]),
        lambda opt: DEFINITION["a bit of the padding"](opt / "pht_train"),
        lambda opt: DEFINITION["other code under the right key"](opt / "pht_train"),
        lambda opt: DEFINITION["truncated"](opt / "pht_train"),
    ]
    for number, change in enumerate(changes):
        root = tmp_path / str(number)
        opt = reference_route.lay_out(2, root)
        settle(root, "station_3")
        change(opt)
        said.add(in_process("check", root).stderr)
    assert len(said) == 1

    of_results = set()
    for number, change in enumerate(RESULTS.values(), start=len(changes)):
        root = tmp_path / str(number)
        opt = reference_route.lay_out(2, root)
        settle(root, "station_3")
        change(opt / "pht_results")
        of_results.add(in_process("check", root).stderr)
    assert len(of_results) == 1
    [one], [other] = said, of_results
    assert one.splitlines()[-3:-1] == other.splitlines()[-3:-1]  # error and hint; the stage differs


def test_a_train_that_nobody_has_changed_is_visited(root: Path) -> None:
    """No refusal above comes from the train as it was laid out."""
    assert in_process("check", root).status == 0
    root.joinpath("opt/pht_results/counter").write_bytes(
        reference_route.encrypt(key_of_stage(2), b"2", bytes(16))
    )
    assert in_process("check", root).status == 0, "the same plaintext under another IV"
    assert visit(root, ("sh", "/opt/pht_train/a/b.txt")).status in (2, 127)
