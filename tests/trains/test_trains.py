"""What passes at the desk passes at the station: small trains end alike wherever they run."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.linux.namespaces import available
from tests.containers.engine import Engine, Unavailable
from tests.containers.fixtures import or_skip
from tests.reference_paillier import PRIVATE, G, N, decrypt
from tests.trains.routes import Outcome, Train

GONE = (
    "the train has left files in pht_train, which are gone now: Rplots.pdf; only what it writes "
    "into PHT_RESULTS_DIR travels"
)
NOTHING = "the train has left no results, or only empty files: it has to write into PHT_RESULTS_DIR"

SUM = pow(G, 61 + 48 + 70 + 35 + 66, N * N) * pow(2, 2 * N, N * N) % (N * N)
"""An encrypted number."""

ENDS = {
    "hard_coded": Outcome({"ages.json": b"[61, 48, 70, 35, 66]"}),
    "relative": Outcome({"patients.txt": b"3\n2\n"}),
    "workdir": Outcome({"smokers.txt": b"2 of 3\n1 of 2\n"}),
    "caches": Outcome({"oldest.txt": b"70\n66\n"}),
    "plots": Outcome({"median.txt": b"61\n50.5\n"}, warnings={GONE: "1, 2"}),
    "processes": Outcome({"squares.txt": b"179 10925\n101 5581\n"}),
    "umlauts": Outcome({"größte.txt": "JÖRG Mühlgasse 181\nBÄRBEL Süd-Allee 172\n".encode()}),
    "paillier": Outcome({"ages.he.json": json.dumps({"sum": SUM}).encode()}),
    "no_result": Outcome({}, warnings={NOTHING: "1, 2"}),
    "own_query": Outcome({}, ("train-failed", "command", None, "exited")),
}
"""The trains, by their folders, and how each ends."""

IN_PROCESSES = {"own_query": Outcome({}, ("refused", "command", "train-changed-itself", None))}
"""A process has no user of its own: it may write its files, which is noticed when it has ended."""

IN_R = ("plots", "umlauts")

on_each_train = pytest.mark.parametrize("name", ENDS)


@pytest.fixture
def master(name: str, make_runner: Callable[[str], str]) -> str:
    """The tag of a master image that has the language of a train."""
    return or_skip(lambda: make_runner("r" if name in IN_R else "bookworm"))


@on_each_train
def test_at_the_desk_in_processes(name: str, tmp_path: Path) -> None:
    or_skip(lambda: need_processes(name))
    expected = IN_PROCESSES.get(name, ENDS[name])
    assert Train(name).at_the_desk(tmp_path / "results") == expected


@on_each_train
def test_at_the_desk_in_containers(name: str, master: str, tmp_path: Path) -> None:
    assert Train(name).at_the_desk(tmp_path / "results", "--image", master) == ENDS[name]


@on_each_train
def test_in_visits(name: str, engine: Engine, master: str, tmp_path: Path) -> None:
    assert Train(name).in_visits(engine, master, tmp_path) == ENDS[name]


def test_the_user_decrypts_the_sum_of_all_ages() -> None:
    assert decrypt(SUM, PRIVATE) == 280


def need_processes(name: str) -> None:
    """Check that trains can be processes of this machine, in their language.

    Raises:
        Unavailable: they cannot.
    """
    if not available().opt:
        raise Unavailable("processes have no /opt of their own here")
    if name in IN_R and shutil.which("Rscript") is None:
        raise Unavailable("no Rscript on the PATH")
