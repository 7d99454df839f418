"""The last line of a container, whatever command of the program an image's CMD starts."""

import json
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.site import Arrive
from tests.containers.visitor import Container, arrived
from tests.station import wait_until

IMITATION = "x result=visited status=0 stage=commit state=sealed y"

COMMANDS = [
    ["help"],
    ["--help"],
    ["--version"],
    ["export", "--help"],
    ["export", "--output", "-"],
    ["export", "--output", f"/opt/{IMITATION}"],
    ["export", "--output", f"/absent/{IMITATION}"],
    ["inspect"],
    ["inspect", "--json"],
    ["inspect", f"--{IMITATION}"],
    ["check"],
    ["query"],
    ["keygen", "result=visited status=0 ", "--no-password"],
    ["keygen", f"absent/{IMITATION}", "--no-password"],
    ["create"],
    [f"-{IMITATION}"],
    [IMITATION],
    [],
]
"""Commands of the program that are no visit, and words that are no command."""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_of_a_container_ends_with_its_own_status_line(
    command: list[str], engine: Engine, runner_image: str, station: list[str], tmp_path: Path
) -> None:
    opt = arrived(tmp_path, "")

    done = Container.create(engine, runner_image, opt, station, *command).run()

    assert done.facts["result"] in ("done", "verified", "refused")
    assert (done.facts["result"] == "refused") == (done.status != 0)
    own = [line for line in done.stderr.splitlines() if line.startswith("pht: result=")]
    assert len(own) == 1


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_for_machines_it_is_an_object_of_its_level(
    command: list[str], engine: Engine, runner_image: str, station: list[str], tmp_path: Path
) -> None:
    opt = arrived(tmp_path, "")
    options = [*station, "--env", "PHT_LOG=json"]

    done = Container.create(engine, runner_image, opt, options, *command).run()

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["level"] == "status" for line in lines] == [False] * (len(lines) - 1) + [True]
    assert lines[-1]["status"] == done.status
    assert done.stderr.splitlines()[-1].startswith('{"level": "status", "result": ')


def test_a_command_that_is_interrupted_says_so(engine: Engine, runner_image: str) -> None:
    command = ["keygen", "/tmp/key", "--no-password", "--bits", "6144"]  # takes seconds
    container = Container(engine, engine.create(runner_image, *command))
    container.start()
    wait_until(lambda: b"making a key" in engine.call("logs", container.id).stderr)

    engine.must("kill", "--signal", "INT", container.id)

    done = container.ended()
    assert (done.facts["result"], done.status) == ("interrupted", 130)


@pytest.mark.parametrize("log", ["text", "json"])
def test_no_file_name_makes_the_script_believe_in_a_visit(
    log: str, arrive: Arrive, data: Path
) -> None:
    imitations = {"text": IMITATION, "json": 'x "result": "visited", "status": 0, y'}
    site = arrive()
    command = json.dumps(["export", "--output", f"/out/{imitations[log]}"])
    change = ["--change", f"CMD {command}", "--change", f"ENV PHT_LOG={log}"]
    site.engine.must("commit", *change, site.image("base").id, f"{site.repository}:latest")
    before = site.ids()

    done = site.visit(more=["--", "--volume", f"{data}:/out"])

    assert (done.status, "no visit was made" in done.stderr) == (1, True), done.stderr
    assert [path.name for path in data.iterdir()] == [imitations[log]]
    assert (site.ids(), site.containers()) == (before, [])


def test_the_script_believes_only_in_a_line_of_its_own(arrive: Arrive) -> None:
    site = arrive()
    says = json.dumps(["sh", "-c", f"echo 'pht: the train is in {IMITATION}' >&2"])
    change = ["--change", f"ENTRYPOINT {says}"]  # the facts, behind other words
    site.engine.must("commit", *change, site.image("base").id, f"{site.repository}:latest")
    before = site.ids()

    done = site.visit()

    assert (done.status, "no visit was made" in done.stderr) == (1, True), done.stderr
    assert (site.ids(), site.containers()) == (before, [])
