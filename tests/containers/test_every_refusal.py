"""The refusals of a visit in a container that no other test of this folder shows.

Each with its code and the train as it came. What cannot be brought about from outside (a failing
disk, a kernel that lacks something) is in tests/visit, tests/faults and tests/unit.
"""

import io
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest

from entrypoint.limits import CONFIG_BYTES
from entrypoint.recovery.state import VisitState
from tests import reference
from tests.containers.engine import Engine
from tests.containers.fixtures import not_in_gvisor
from tests.containers.visitor import (
    COUNTS,
    FIRST,
    RUNS_TRAIN,
    SECOND,
    WAITS,
    Container,
    arrived,
    arrived_by_route,
    as_owned_by_root,
    assert_visited,
    shared,
    station_folder,
    unprotected_station,
)
from tests.reference import Config
from tests.station import (
    Snapshot,
    assert_explained,
    edit,
    in_process,
    journal,
    new_route_train,
    new_train,
    settle,
    snapshot,
    visit,
)
from tests.unprotected import UNPROTECTED
from tests.visit.changed_fields import CHANGED_FIELDS
from tests.visit.changed_route_fields import CHANGED_FIELDS as CHANGED_ROUTE_FIELDS

Change = Callable[[Config], object]
LayOut = Callable[[Path], Path]
"""Lays a train out below a root folder whose station is settled, and returns `root/opt`."""

CHANGES_ITSELF = 'open("/opt/pht_train/train.py", "a").write("#")'
LOSES_THE_WAY_BACK = """\
import os, shutil
shutil.rmtree(os.environ["PHT_RESULTS_DIR"] + ".pht")
raise SystemExit(3)
"""


# --- trains --------------------------------------------------------------------------------------


def flat(change: Change) -> LayOut:
    """Return a function that lays out a flat train at its second stop and changes its config."""
    return lambda root: edited(arrived(root, COUNTS), change)


def by_route(change: Change) -> LayOut:
    """Like `flat`, with a train of the route generation."""
    return lambda root: edited(arrived_by_route(root, COUNTS), change)


def edited(opt: Path, change: Change) -> Path:
    edit(opt, change)
    return opt


def with_result(make: Callable[[Path], object]) -> LayOut:
    """Return a function that lays out a train and then makes a file among its results."""

    def lay_out(root: Path) -> Path:
        opt = arrived(root, COUNTS)
        make(opt / "pht_results" / "x")
        return opt

    return lay_out


def with_large_result(root: Path) -> Path:
    opt = new_train(root, COUNTS)
    (opt / "pht_results" / "large").write_bytes(bytes(2**20))
    reference.published_post_run(opt, FIRST, reference.vector_key(FIRST, private=True))
    return opt


def near_its_limit(root: Path) -> Path:
    filler = "x" * (CONFIG_BYTES * 4 // 5)
    return edited(new_train(root, COUNTS), lambda config: config.update(x=filler))


def half_way(root: Path) -> Path:
    """Open a train as by `pre-run`, which a container refuses; it waits for its other half."""
    opt = arrived(root, COUNTS)
    assert in_process("pre-run", root).status == 0
    shutil.rmtree(opt / "pht_results.pht")  # what it keeps does not matter to who is refused
    return opt


def half_way_of(station: str, key: str) -> LayOut:
    """Return a function that lays out such a train at a station with another id or key."""

    def lay_out(root: Path) -> Path:
        opt = half_way(root)
        settle(root, station, reference.vector_key(key, private=True))
        return opt

    return lay_out


def half_way_of_an_older_version(root: Path) -> Path:
    with patch("entrypoint.recovery.journal._VERSION", 1):
        return half_way(root)


def without_a_way_back(root: Path) -> Path:
    opt = arrived(root, LOSES_THE_WAY_BACK)
    assert visit(root, under=UNPROTECTED).facts["state"] == "spent"
    return opt


def damaged_while_sealing(root: Path) -> Path:
    opt = arrived(root, COUNTS)
    assert in_process("pre-run", root).status == 0
    with patch.object(VisitState, "finish", side_effect=OSError):
        assert in_process("post-run", root).facts["state"] == "unfinished"
    assert journal(root)["phase"] == "sealing"
    (opt / "pht_results.pht" / "sealed" / "0.pack").unlink()  # it would mend the damage
    sealed = opt / "pht_results" / "visits"
    sealed.write_bytes(sealed.read_bytes()[:-1])
    return opt


def as_built(root: Path) -> Path:
    return arrived(root, COUNTS)


def with_a_bad_line(root: Path) -> Path:
    with (root / "run" / "pht" / "station.env").open("a") as file:
        file.write("export A\n")
    return arrived(root, COUNTS)


def no_results_yet(config: Config) -> None:
    names = ("encrypted_key", "e_d", "e_d_sig", "digital_signature", "user_encrypted_sym_key")
    config.update(dict.fromkeys(names))


def pass_over(config: Config) -> None:
    config["route"][2]["signature"] = config["route"][0]["signature"]


# --- refusals ------------------------------------------------------------------------------------


class Refusal(NamedTuple):
    """How a refusal is brought about.

    Attributes:
        status: of the container.
        lay_out: makes the train.
        command: of the container.
        options: of the container.
        unprotected: whether the train may do what the runner may.
    """

    status: int
    lay_out: LayOut
    command: tuple[str, ...] = RUNS_TRAIN
    options: tuple[str, ...] = ()
    unprotected: bool = False


REFUSALS: dict[str, Refusal] = {
    "builder-signature-wrong": Refusal(
        77, by_route(CHANGED_ROUTE_FIELDS["builder's signature"][0])
    ),
    "chain-broken": Refusal(76, flat(CHANGED_FIELDS["signature of the first link"][0])),
    "config-hybrid": Refusal(65, flat(lambda config: config.update(route=None))),
    "config-unfinished": Refusal(65, half_way, ("inspect",)),
    "envelope-missing": Refusal(
        76, by_route(lambda config: config["route"][1].update(encrypted_key=None))
    ),
    "first-stop-contradiction": Refusal(76, flat(lambda config: config.update(e_d=None))),
    "generation-unsupported": Refusal(65, by_route(lambda config: config.pop("build"))),
    "journal-forged": Refusal(77, half_way_of(FIRST, FIRST)),
    "journal-of-other-station": Refusal(78, half_way_of(FIRST, SECOND)),
    "journal-of-other-version": Refusal(71, half_way_of_an_older_version),
    "no-query": Refusal(69, as_built, ("query",)),
    "not-this-stops-turn": Refusal(76, lambda root: new_route_train(root, COUNTS)),
    "results-before-first-stop": Refusal(76, flat(no_results_yet)),
    "results-missing": Refusal(
        65,
        lambda root: arrived(root, "import shutil\nshutil.rmtree('/opt/pht_results')"),
        unprotected=True,
    ),
    "results-unsafe": Refusal(65, with_result(lambda path: path.symlink_to("/etc/passwd"))),
    "route-too-long": Refusal(65, near_its_limit),
    "sealed-file-damaged": Refusal(74, damaged_while_sealing),
    "special-file": Refusal(65, with_result(os.mkfifo), ("export", "--output", "-")),
    "start-from-image": Refusal(74, without_a_way_back),
    "station-env-malformed": Refusal(78, with_a_bad_line),
    "stop-passed-over": Refusal(76, by_route(pass_over)),
    "storage-failed": Refusal(74, with_large_result, options=("--ulimit", "fsize=500000")),
    "train-changed-itself": Refusal(
        65, lambda root: arrived_by_route(root, CHANGES_ITSELF), unprotected=True
    ),
    "user-signature-wrong": Refusal(77, flat(CHANGED_FIELDS["the user's signature"][0])),
    "wrong-half": Refusal(76, half_way),
}

CODES = [
    pytest.param(code, marks=not_in_gvisor("it opens no special file of the host"))
    if code == "special-file"
    else code
    for code in REFUSALS
]


@pytest.mark.parametrize("code", CODES)
def test_a_refusal_is_explained_and_leaves_the_train_as_it_came(
    code: str, engine: Engine, train_image: str, tmp_path: Path
) -> None:
    refusal = REFUSALS[code]
    settle(tmp_path, SECOND)
    opt = refusal.lay_out(tmp_path)
    mounted = unprotected_station if refusal.unprotected else station_folder
    options = [*mounted(tmp_path), *refusal.options]
    container = Container(engine, engine.create(train_image, *refusal.command, options=options))
    container.put(opt)

    assert_explained(container.run(), refusal.status, code)

    assert all_below_opt(container, tmp_path) == as_owned_by_root(snapshot(opt))


def all_below_opt(container: Container, folder: Path) -> Snapshot:
    """Return the tree below /opt of a container; `docker diff` takes longer than a visit."""
    with tarfile.open(fileobj=io.BytesIO(container.engine.copy_out(container.id, "/opt"))) as tar:
        tar.extraction_filter = lambda member, path: member  # exactly as it is
        tar.extractall(folder / "after")
    return as_owned_by_root(snapshot(folder / "after" / "opt"))


def test_a_disk_without_room_for_the_plaintext_is_told_before_anything_is_opened(
    engine: Engine, train_image: str, station: list[str], tmp_path: Path
) -> None:
    opt = arrived(tmp_path, COUNTS)
    large = opt / "pht_results" / "large"
    with large.open("wb") as file:
        file.truncate(2 * shutil.disk_usage(tmp_path).free)
    before = large.stat()
    volume = ["--volume", f"{opt}:/opt"]
    container = Container(engine, engine.create(train_image, options=[*station, *volume]))
    config = (opt / "train_config.json").read_bytes()

    assert_explained(container.run(), 74, "disk-full")

    assert (large.stat().st_size, large.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert (opt / "train_config.json").read_bytes() == config
    assert {path.name for path in (opt / "pht_results").iterdir()} == {"large", "visits"}


@not_in_gvisor("a lock is known only in its own container there")
def test_a_second_container_of_the_same_train_waits_for_its_turn(
    engine: Engine, train_image: str, station: list[str], data: Path, tmp_path: Path
) -> None:
    opt = arrived(tmp_path, WAITS)
    (data / "hold").touch()
    options = [*station, *shared(data), "--volume", f"{opt}:/opt"]
    first, second = (Container(engine, engine.create(train_image, options=options)) for _ in "12")
    first.start()
    first.wait_until(lambda running: running.said(b"aboard"))
    before = as_owned_by_root(snapshot(opt))

    assert_explained(second.run(), 71, "visit-in-progress")

    assert as_owned_by_root(snapshot(opt)) == before
    (data / "hold").unlink()
    assert_visited(first.ended())
