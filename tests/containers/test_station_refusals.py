"""`examples/station/visit.sh`: what is no visit, or another one than was begun, changes nothing."""

import json
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.containers.fixtures import MEMORY_LIMIT
from tests.containers.site import (
    FAILS_ONCE,
    FAKES,
    RENAMES,
    SCRIPT,
    STATUS_LINE,
    Arrive,
    Client,
    begin_and_end,
    begin_and_hold,
    give_up,
)
from tests.containers.visitor import FIRST
from tests.station import edit, finish

# --- what does not work out ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "command", "status"),
    [
        ("raise SystemExit(3)", None, 3),
        ("", 'CMD ["help"]', 1),
        ("", 'CMD ["inspect"]', 1),
        ("", 'ENTRYPOINT ["absent"]', 127),
    ],
    ids=["the train fails", "no visit", "another command", "no program"],
)
def test_what_is_no_visit_changes_nothing(
    script: str, command: str | None, status: int, arrive: Arrive
) -> None:
    site = arrive(script)
    if command:
        change = ["--change", command]
        site.engine.must("commit", *change, site.image("base").id, f"{site.repository}:latest")
    before = site.engine.must("image", "inspect", f"{site.repository}:latest")

    done = site.visit()

    assert done.status == status, done.stderr
    assert "visit.sh: no visit was made" in done.stderr
    assert site.engine.must("image", "inspect", f"{site.repository}:latest") == before
    assert site.containers() == [], "a corrected image could not be tried"


@pytest.mark.parametrize(
    "arguments",
    [[], ["one", "two"], ["one", "two", "--"], ["-x", "one"]],
    ids=["none", "too many", "before the options", "unknown"],
)
def test_arguments_that_make_no_sense_show_the_usage(arguments: list[str]) -> None:
    done = subprocess.run(["sh", SCRIPT, *arguments], capture_output=True, text=True)

    assert done.returncode == 64
    options = "[-s STATION] [-d DATA] [-l LEDGER] [-m MASTER] [-r REVIEW] [-p]"
    assert f"visit.sh {options} REPOSITORY [-- OPTION...]" in done.stderr


@pytest.mark.parametrize("repository", ["ward/train:latest", "127.0.0.1:5000/train@sha256:0"])
def test_a_repository_with_a_tag_or_digest_is_refused(repository: str) -> None:
    done = subprocess.run(["sh", SCRIPT, repository], capture_output=True, text=True)

    assert done.returncode == 64
    assert done.stderr == (
        f"visit.sh: {repository}: give the repository alone, without a tag or digest\n"
    )


def test_a_train_that_was_not_pulled_as_it_was_built_is_not_visited(arrive: Arrive) -> None:
    site = arrive()
    site.engine.must("rmi", f"{site.repository}:base")

    done = site.visit()

    assert (done.status, done.stdout) == (1, b"")
    assert f"No such image: {site.repository}:base" in done.stderr
    assert site.containers() == []


@pytest.mark.parametrize(
    "line",
    [
        STATUS_LINE.format("visited", 0, "sealed"),
        STATUS_LINE.format("visited", 137, "sealed"),
        STATUS_LINE.format("train-failed", 137, "unchanged"),
        STATUS_LINE.format("refused", 137, "spent"),
    ],
)
def test_a_train_that_fakes_the_end_and_is_killed_is_neither_handed_over_nor_removed(
    line: str, arrive: Arrive, data: Path, tmp_path: Path
) -> None:
    site = arrive(FAKES + RENAMES)
    before = site.engine.must("image", "inspect", f"{site.repository}:latest")
    (data / ".fake").write_text(line)
    process = begin_and_hold(site, data)
    container = site.visiting()
    assert container.kill().stderr.splitlines()[-1] == line, "this fakes nothing"

    done = finish(process)

    assert (done.status, "not finished: start this again" in done.stderr) == (137, True)
    assert site.engine.must("image", "inspect", f"{site.repository}:latest") == before
    for path in (".hold", ".fake"):
        (data / path).unlink()
    assert site.visit("-d", data).status == 0
    site.assert_handed_over(tmp_path / "after", FIRST)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (0, STATUS_LINE.format("visited", 0, "sealed")),
        (78, STATUS_LINE.format("refused", 78, "unchanged")),
    ],
)
@pytest.mark.parametrize("text", [FAILS_ONCE, 'exec "{docker}" "$@"'], ids=["cp fails", ""])
def test_what_is_marked_as_unfinished_is_neither_handed_over_nor_removed(
    text: str, status: int, line: str, arrive: Arrive, client: Client, tmp_path: Path
) -> None:
    site = arrive(change=lambda opt: edit(opt, lambda config: config.update(pht_unfinished="")))
    says = json.dumps(["sh", "-c", f"echo '{line}' >&2; exit {status}"])
    change = ["--change", f"ENTRYPOINT {says}"]
    site.engine.must("commit", *change, site.image("base").id, f"{site.repository}:latest")
    before = site.engine.must("image", "inspect", f"{site.repository}:latest")

    done = site.visit(programs=client(text, mark=tmp_path / "mark", command="cp", status=1))

    assert (done.status, "docker rm --volumes pht-" in done.stderr) == (status or 1, True)
    assert site.engine.must("image", "inspect", f"{site.repository}:latest") == before
    assert len(site.containers()) == 1


@pytest.mark.parametrize(
    ("command", "status", "reason"),
    [
        ("logs", 0, "does not say how it ended: the train in it may be sealed"),
        ("logs", 1, "does not say how it ended: the train in it may be sealed"),
        ("cp", 1, "not finished: start this again"),
    ],
)
def test_a_train_whose_end_is_not_told_is_kept_and_handed_over_later(
    command: str, status: int, reason: str, arrive: Arrive, client: Client, tmp_path: Path
) -> None:
    site = arrive()
    before = site.ids()
    programs = client(FAILS_ONCE, mark=tmp_path / "mark", command=command, status=status)

    done = site.visit(programs=programs)

    assert (done.status, "result=visited" in done.stderr, reason in done.stderr) == (1, True, True)
    assert (site.ids(), len(site.containers())) == (before, 1)
    done = site.visit()
    assert (done.status, done.stdout) == (0, b""), done.stderr
    site.assert_handed_over(tmp_path / "after", FIRST)


@pytest.mark.parametrize(
    "option", ["--log-driver=none", "--log-opt=mode=non-blocking", "-t", "--rm"]
)
def test_options_that_hide_the_end_are_refused_before_the_visit(
    option: str, arrive: Arrive
) -> None:
    site = arrive()
    before = site.ids()

    done = site.visit(more=["--", option])

    assert (done.status, done.stdout, site.ids()) == (1, b"", before), done.stderr
    assert "visit.sh: no visit was made: leave out -t, --rm " in done.stderr
    assert site.containers() == []
    assert site.visit().status == 0


# --- another line, another train ----------------------------------------------------------------


@pytest.mark.parametrize("tag", ["base", "latest"])
def test_another_train_in_the_place_of_an_unfinished_one_is_left_alone(
    tag: str, arrive: Arrive, data: Path, tmp_path: Path
) -> None:
    site = arrive()
    old = site.ids()
    begin_and_end(site, data, signal.SIGINT)
    (data / ".hold").unlink()
    new = arrive("print('the new one')\n").image("base")
    site.engine.must("commit", new.id, f"{site.repository}:{tag}")
    now = site.ids()
    assert now != old

    done = site.visit("-d", data)

    assert (done.status, done.stdout) == (1, b""), done.stderr
    assert site.ids() == now
    for line in re.findall("docker tag .*", done.stderr):  # one way out
        site.engine.must(*line.split()[1:])
    assert site.ids() == old
    assert site.visit("-d", data).status == 0
    site.assert_handed_over(tmp_path / "after", FIRST)


def test_an_unfinished_train_can_be_given_up_for_another(arrive: Arrive, data: Path) -> None:
    site = arrive()
    begin_and_end(site, data, signal.SIGINT)
    (data / ".hold").unlink()
    site.build(arrive("print('the new one')\n").image("base"))
    refused = site.visit("-d", data)

    give_up(site, refused)

    done = site.visit("-d", data)
    assert (done.status, done.stdout) == (0, b"the new one\n"), done.stderr


def test_a_train_is_not_handed_over_as_one_that_has_come_meanwhile(
    arrive: Arrive, data: Path
) -> None:
    site = arrive()
    process = begin_and_hold(site, data)
    site.build(arrive("").image("base"))
    now = site.ids()
    (data / ".hold").unlink()

    done = finish(process)

    assert (done.status, "visits another train" in done.stderr) == (1, True)
    assert site.ids() == now


@pytest.mark.parametrize("change", ["data", "station", "ledger", "option", "no option"])
def test_a_visit_does_not_go_on_with_other_options(
    change: str, arrive: Arrive, data: Path, tmp_path: Path
) -> None:
    site = arrive(RENAMES + "print(os.environ['WARD'])\n")
    more = ["--", "--env", "WARD=the first"]
    begin_and_end(site, data, signal.SIGINT, more)
    (data / ".hold").unlink()
    other = tmp_path / "other"
    shutil.copytree(site.folder / "run" / "pht", other)
    words: tuple[str | Path, ...] = ("-d", other) if change == "data" else ("-d", data)
    if change == "station":
        words += ("-s", other)
    if change == "ledger":
        words += ("-l", other)
    changed = {"option": ["--", "--env", "WARD=another"], "no option": []}.get(change, more)

    done = site.visit(*words, more=changed)

    assert (done.status, done.stdout) == (1, b""), done.stderr
    assert "WARD" not in done.stderr, "there may be secrets in the options"
    [line] = re.findall("docker container inspect .*", done.stderr)
    shown = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[1:5] == [f"-d {data}", *more]
    assert site.visit("-d", data, more=more).stdout == b"aboard\nthe first\n"
    site.assert_handed_over(tmp_path / "after", FIRST)


@MEMORY_LIMIT
def test_a_train_that_was_killed_for_want_of_memory_can_have_more(
    arrive: Arrive, tmp_path: Path
) -> None:
    site = arrive("bytearray(b'x') * 400_000_000\n" + RENAMES)
    killed = site.visit(more=["--", "--memory", "200m", "--memory-swap", "200m"])
    assert (killed.status, "no visit was made" in killed.stderr) == (137, True), killed.stderr

    assert site.visit(more=["--", "--memory", "1g"]).status == 0
    site.assert_handed_over(tmp_path / "after", FIRST)
