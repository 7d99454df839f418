"""What a station's pinned keys do to each of its commands."""

import re
from pathlib import Path

import pytest

from tests import reference, reference_route
from tests.pinned import line, pin
from tests.reference import STATIONS
from tests.station import (
    BUILDER_KEY,
    USER_KEY,
    assert_explained,
    in_process,
    new_train,
    opened,
    pht,
    settle,
    snapshot,
    visit,
)
from tests.visit.conftest import Mount
from tests.visit.flat_train import first_stop

MIB = 2**20
USER = line("user user-1", reference.vector_key("user"))
OTHER_USER = line("user user-1", reference.vector_key("station_3"))
STATION_1, STATION_2, STATION_3 = (
    line(f"station {name}", reference.vector_key(name)) for name in STATIONS
)


def not_pinned(lines: list[str]) -> list[str]:
    """Return the names in the line of the log that says who is not pinned."""
    for said in lines:
        if found := re.fullmatch(r"pht: (\d+) keys? not pinned: (.*)", said):
            names = found[2].split(", ")
            assert int(found[1]) == len(names)
            return names
    return []


# --- ids -----------------------------------------------------------------------------------------

IDS = [
    "../../etc/pht",
    "an id with blanks",
    "#7",
    'say "hi"',
    "Köln",
    "東京",
    "a\u00a0\u202eb\n",
    "",
]


@pytest.mark.parametrize("name", IDS, ids=ascii)
@pytest.mark.parametrize("wire", ["flat", "route"])
def test_the_lines_of_a_train_pin_it(wire: str, name: str, tmp_path: Path) -> None:
    stations = {station: reference.vector_key(station) for station in STATIONS[:2]}
    stations[name] = reference.vector_key(STATIONS[2])
    if wire == "flat":
        reference.build_initial(tmp_path, {}, USER_KEY, stations, user_id=name)
    else:
        creator = {"id": name, "rsa_public_key": reference.vector_key("user").hex()}
        reference_route.build_initial(
            tmp_path, {}, USER_KEY, BUILDER_KEY, stations, creator=creator
        )
    settle(tmp_path, STATIONS[0])
    done = in_process("check", tmp_path)
    assert (done.status, done.facts["trust"]) == (0, "none"), done.stderr
    assert "\n" not in done.lines[-1]

    lines = pht("inspect", "--trust-lines", root=tmp_path).stdout.decode()
    comment, *rest = lines.splitlines()
    assert comment == "# compare each key with its holder, by another way than the train came"
    assert len(rest) == len(stations) + (1 if wire == "flat" else 2)
    pin(tmp_path, lines)

    done = in_process("check", tmp_path)
    assert (done.status, done.facts["trust"]) == (0, "full"), done.stderr


def test_the_lines_of_a_train_need_no_settings_and_change_nothing(tmp_path: Path) -> None:
    reference_route.lay_out(1, tmp_path)
    before = snapshot(tmp_path, times=True)

    done = pht("inspect", "--trust-lines", root=tmp_path, env={"PHT_NONSENSE": "1"})

    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.decode().splitlines()[1:] == [
        line("user test-user-id", reference.vector_key("user")),
        line("builder", reference_route.vector_key("builder")),
        STATION_1,
        STATION_2,
        STATION_3,
    ]
    assert snapshot(tmp_path, times=True) == before


def test_lines_and_json_do_not_go_together(tmp_path: Path) -> None:
    assert_explained(pht("inspect", "--trust-lines", "--json", root=tmp_path), 64, "usage")


# --- each command --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["check", "query", "pre-run"])
def test_a_command_of_the_station_says_whom_it_trusts(command: str, tmp_path: Path) -> None:
    new_train(tmp_path, "", {"query.json": b"{}"})
    settle(tmp_path, "station_1")
    pin(tmp_path, USER, STATION_3)

    done = in_process(command, tmp_path) if command != "query" else pht("query", root=tmp_path)

    assert (done.status, done.facts["trust"]) == (0, "partial"), done.stderr
    assert not_pinned(done.lines) == ["station station_2"]


@pytest.mark.parametrize("command", ["query", "run"])
def test_a_key_that_is_not_the_pinned_one_is_refused(command: str, tmp_path: Path) -> None:
    new_train(tmp_path, "", {"query.json": b"{}"})
    settle(tmp_path, "station_1")
    pin(tmp_path, OTHER_USER)
    before = snapshot(tmp_path)

    done = pht("query", root=tmp_path) if command == "query" else visit(tmp_path)

    assert_explained(done, 77, "key-not-as-pinned")
    assert (done.stdout, done.facts["trust"], done.facts["by"]) == (b"", "none", "station")
    assert snapshot(tmp_path) == before


def test_each_of_several_keys_of_one_user_is_accepted(tmp_path: Path) -> None:
    new_train(tmp_path, "")
    settle(tmp_path, "station_1")
    pin(tmp_path, OTHER_USER, USER, STATION_2, STATION_3)

    assert in_process("check", tmp_path).facts["trust"] == "full"


def test_a_second_start_after_the_visit_says_it_too(tmp_path: Path) -> None:
    first_stop(tmp_path, "")
    pin(tmp_path, USER, STATION_2, STATION_3)
    assert visit(tmp_path).status == 0

    done = visit(tmp_path)

    assert (done.status, done.facts["trust"]) == (79, "full")


def test_where_no_container_runs_the_operators_environment_counts(tmp_path: Path) -> None:
    first_stop(tmp_path, "")

    done = visit(tmp_path, env={"PHT_TRUST": "require"})

    assert_explained(done, 77, "key-not-pinned")


# --- results that are there ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "trust", "named"),
    [
        ([OTHER_USER], "none", ["user user-1", "station station_2", "station station_3"]),
        ([OTHER_USER, STATION_3], "partial", ["user user-1", "station station_2"]),
        ([USER, STATION_2, STATION_3], "full", []),
    ],
)
def test_results_are_sealed_whatever_is_pinned_by_then(
    lines: list[str], trust: str, named: list[str], tmp_path: Path
) -> None:
    opt = new_train(tmp_path, "")
    settle(tmp_path, "station_1")
    assert in_process("pre-run", tmp_path).status == 0
    (opt / "pht_results" / "result").write_bytes(b"precious")
    settle(tmp_path, "station_1", PHT_TRUST="require")
    pin(tmp_path, *lines)

    done = in_process("post-run", tmp_path)

    assert (done.status, done.facts["trust"]) == (0, trust), done.stderr
    assert not_pinned(done.lines) == named
    assert opened(opt) == {"result": b"precious"}


def test_a_second_start_seals_what_waited_for_space(tmp_path: Path, mount: Mount) -> None:
    root = tmp_path / "root"
    root.mkdir()
    mount(root, "-t", "tmpfs", "-o", "size=16m", "tmpfs")
    (root / "others").write_bytes(bytes(10 * MIB))
    opt = first_stop(root, f"(results / 'result').write_bytes(bytes({3 * MIB}))")
    assert_explained(visit(root), 74, "disk-full")
    settle(root, "station_1", PHT_TRUST="require")
    pin(root, OTHER_USER)
    (root / "others").unlink()

    done = visit(root)

    assert (done.status, done.facts["trust"]) == (0, "none"), done.stderr
    assert opened(opt) == {"result": bytes(3 * MIB)}


# --- host-driven visits --------------------------------------------------------------------------

SAID_SO = {"PHT_HOST_PROTOCOL": "1"}


@pytest.mark.parametrize(
    ("lines", "trust", "named"),
    [
        ([], "none", ["user user-1", *(f"station {name}" for name in STATIONS)]),
        ([USER, STATION_2, STATION_3], "partial", ["station station_1"]),
        ([USER, STATION_1, STATION_2, STATION_3], "full", []),
    ],
)
def test_a_host_driven_visit_knows_no_key_by_itself(
    lines: list[str], trust: str, named: list[str], tmp_path: Path
) -> None:
    new_train(tmp_path, "")
    (tmp_path / "run" / "pht").mkdir(parents=True)
    pin(tmp_path, *lines)

    done = visit(tmp_path, env=SAID_SO)

    assert (done.status, done.facts["result"], done.facts["trust"]) == (0, "hosted", trust)
    assert not_pinned(done.lines) == named


@pytest.mark.parametrize(
    ("lines", "env", "code"),
    [
        ([OTHER_USER], {}, "key-not-as-pinned"),
        ([USER], {"PHT_TRUST": "require"}, "key-not-pinned"),
    ],
)
def test_a_host_driven_visit_refuses_keys(
    lines: list[str], env: dict[str, str], code: str, tmp_path: Path
) -> None:
    new_train(tmp_path, "print('ran')")
    (tmp_path / "run" / "pht").mkdir(parents=True)
    pin(tmp_path, *lines)
    before = snapshot(tmp_path)

    done = visit(tmp_path, env={**SAID_SO, **env})

    assert_explained(done, 77, code)
    assert done.stdout == b""
    assert snapshot(tmp_path) == before
