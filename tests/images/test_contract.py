"""What everybody may rely on who builds a train FROM a master image, or runs one."""

import re
from pathlib import Path

from entrypoint import __version__
from tests.containers.engine import Engine, Finished
from tests.containers.images import HOME, PYTHON, START, make
from tests.containers.visitor import (
    COUNTS,
    SECOND,
    Container,
    arrived,
    assert_visited,
    build_image,
    station_folder,
)
from tests.images.conftest import Master
from tests.images.metadata import LABEL, inspect
from tests.station import opened, settle


def shell(engine: Engine, tag: str, script: str, *options: str) -> str:
    """Return what a shell in an image prints."""
    done = engine.run(tag, "-euc", script, options=["--entrypoint", "sh", *options])
    assert done.status == 0, done.stderr.decode()
    return done.stdout.decode()


# --- the image -----------------------------------------------------------------------------------


def test_it_starts_the_runner_in_exec_form_as_root(engine: Engine, master: Master) -> None:
    config = inspect(engine, master.tag)["Config"]
    assert config["Entrypoint"] == START
    assert not config["Cmd"]
    assert config["User"] == "root"


def test_its_labels_say_what_it_is(engine: Engine, master: Master) -> None:
    labels = inspect(engine, master.tag)["Config"]["Labels"]
    assert labels[f"{LABEL}title"].startswith("Personal Health Train, ")
    assert labels[f"{LABEL}description"].startswith(f"Runs trains on {master.base}")
    assert "Debian" not in labels[f"{LABEL}title"]
    assert labels[f"{LABEL}version"] == __version__
    assert labels[f"{LABEL}base.name"] == master.base
    shown = make("--dry-run", "image").stdout
    assert labels[f"{LABEL}revision"] == re.findall(r"REVISION=(\S*)", shown)[0]
    assert labels[f"{LABEL}source"] == re.findall(r"SOURCE='(.*)'", shown)[0]


def test_it_adds_one_layer_to_its_base_without_a_run(engine: Engine, master: Master) -> None:
    layers = inspect(engine, master.tag)["RootFS"]["Layers"]
    below = inspect(engine, master.base)["RootFS"]["Layers"]
    assert layers[:-1] == below
    history = engine.must("history", "--no-trunc", "--format", "{{.CreatedBy}}", master.tag)
    assert b"RUN" not in history


def test_it_adds_25_mb_at_most(engine: Engine, master: Master) -> None:
    added = inspect(engine, master.tag)["Size"] - inspect(engine, master.base)["Size"]
    assert added <= 25_000_000


def test_it_leaves_room_for_a_train(engine: Engine, master: Master) -> None:
    assert shell(engine, master.tag, "ls -A /opt; stat -c '%a %u:%g' /opt") == "1777 0:0\n"


def test_it_has_the_account_of_the_train(engine: Engine, master: Master) -> None:
    accounts = shell(engine, master.tag, "grep pht-train /etc/passwd /etc/group")
    assert "/etc/passwd:pht-train:*:10001:10001:" in accounts
    assert "/etc/group:pht-train:*:10001:" in accounts
    assert shell(engine, master.tag, "id -u", "--user", "pht-train") == "10001\n"
    root = "grep '^root:' /etc/passwd /etc/group"
    assert shell(engine, master.tag, root) == shell(engine, master.base, root)


def test_it_changes_no_folder_of_its_base_but_opt(engine: Engine, master: Master) -> None:
    script = "ls /; stat -c '%n %a %u:%g' / /etc /usr /usr/local /usr/local/bin /usr/local/lib /tmp"
    assert shell(engine, master.tag, script) == shell(engine, master.base, script)


def test_trains_find_python_and_nothing_of_the_runner(engine: Engine, master: Master) -> None:
    script = "python -c 'import sys; print(*sys.path)'; ! python -c 'import cryptography'"
    assert HOME not in shell(engine, master.tag, f"{script} 2>/dev/null")


# --- building on it ------------------------------------------------------------------------------


def test_builders_of_trains_may_be_any_user(engine: Engine, master: Master) -> None:
    dockerfile = f"""\
FROM {master.tag}
USER 1000
RUN mkdir /opt/pht_train && mkdir /opt/pht_results
"""
    built = engine.build(f"user-{master.name}", {"Dockerfile": dockerfile.encode()})
    assert shell(engine, built, "stat -c %u /opt/pht_train /opt/pht_results") == "1000\n1000\n"


def test_the_runner_takes_nothing_from_what_is_built_on_it(engine: Engine, master: Master) -> None:
    dockerfile = f"""\
FROM {master.tag}
ENV PATH=/trap:$PATH PYTHONPATH=/trap PYTHONSTARTUP=/trap/argparse.py PYTHONHOME=/trap
COPY trap /trap
WORKDIR /trap
"""
    modules = ["argparse", "cryptography", "sitecustomize", "usercustomize", "entrypoint"]
    files = {f"trap/{module}.py": b"raise SystemExit('trapped')\n" for module in modules}
    programs = {f"trap/{name}": b"#!/bin/sh\nexit 1\n" for name in ("python", "python3")}
    files |= {"Dockerfile": dockerfile.encode(), **programs}
    built = engine.build(f"trap-{master.name}", files)
    done = engine.run(built, "--version")
    assert (done.status, done.stdout.decode().split()[-1]) == (0, __version__)


# --- starting it ---------------------------------------------------------------------------------


def assert_names_simulate(done: Finished, status: int) -> None:
    assert done.status == status
    assert b"pht simulate" in done.stderr


def test_without_a_train_it_says_how_to_try_one(engine: Engine, master: Master) -> None:
    assert_names_simulate(engine.run(master.tag), 64)
    assert_names_simulate(engine.run(master.tag, "python", "/opt/pht_train/train.py"), 66)


def test_nothing_is_compiled_when_a_visit_starts(engine: Engine, master: Master) -> None:
    verbose = [*PYTHON[1:], "-v", *START[4:], "python", "/opt/pht_train/train.py"]
    done = engine.run(master.tag, *verbose, options=["--entrypoint", PYTHON[0]])
    said = done.stderr.decode()
    assert "[no-train]" in said  # so all modules of a visit have been imported
    assert re.findall(r"^# code object from (?!'.*\.pyc'$)(.*)", said, re.M) == []


def test_the_standard_library_of_an_image_built_on_top_counts(
    engine: Engine, master: Master
) -> None:
    find = "python3 -c 'import json; print(json.__file__)'"
    change = f'RUN echo \'import sys; sys.stderr.write("exchanged")\' >> "$({find})"'
    dockerfile = f"FROM {master.tag}\n{change}\n".encode()
    tag = engine.build(f"exchanged-{master.name}", {"Dockerfile": dockerfile})
    assert b"exchanged" in engine.run(tag, "python", "/opt/pht_train/train.py").stderr
    assert b"exchanged" not in engine.run(master.tag, "python", "/opt/pht_train/train.py").stderr


def test_a_train_goes_on_from_a_published_station(
    engine: Engine, master: Master, tmp_path: Path
) -> None:
    image = build_image(engine, master.tag, name=f"train-{master.name}")
    opt = arrived(tmp_path, COUNTS)
    settle(tmp_path, SECOND)
    container = Container.create(engine, image, opt, station_folder(tmp_path))
    assert_visited(container.run())
    assert opened(container.take(tmp_path / "after")) == {"visits": b"2"}
