"""The whole visit: what the train sees, what is sealed, and what everyone can decrypt."""

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import reference
from tests.reference import STATIONS
from tests.station import (
    REPOSITORY,
    RUNS_TRAIN,
    assert_explained,
    edit,
    most_memory,
    new_train,
    opened,
    pht,
    settle,
    snapshot,
    unpack,
    visit,
)

IMPORTS = """
import json, os, sys, pathlib
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
"""

COUNTS = (
    IMPORTS
    + """
counter = results / "counter"
before = int(counter.read_text()) if counter.exists() else 0
counter.write_text(str(before + 1))
(results / f"visit-{before + 1}").write_bytes(os.urandom(100_000))
"""
)


def first_stop(root: Path, script: str, **fields: object) -> Path:
    """Build a train that is about to make its first stop, at station_1."""
    opt = new_train(root, IMPORTS + script, None, **fields)
    settle(root, "station_1")
    return opt


# --- what is sealed ------------------------------------------------------------------------------


def test_a_route_of_three_stops(tmp_path: Path) -> None:
    opt = new_train(tmp_path, COUNTS)
    results = {}
    for number, station in enumerate(STATIONS, start=1):
        settle(tmp_path, station)

        done = visit(tmp_path)

        assert done.status == 0
        results = opened(opt)
        assert results["counter"] == b"%d" % number
        assert len(results) == number + 1
        for reader in STATIONS:
            assert opened(opt, reader) == results
        assert done.facts["files"] == str(number + 1)
        assert done.facts["bytes"] == str(number * 100_000 + 1)
    assert reference.verify_chain(reference.load_config(opt)) == list(STATIONS)
    assert len({results[f"visit-{number}"] for number in (1, 2, 3)}) == 3


def test_what_is_said_about_a_visit(tmp_path: Path) -> None:
    first_stop(tmp_path, "(results / 'a').write_bytes(b'12345')")

    done = visit(tmp_path)

    assert done.lines == [
        "pht: step 1: 1 immutable files are what the user signed",
        "pht: step 2: the chain of 0 station signatures is valid",
        "pht: steps 3 to 5: no results to decrypt, this is the first stop",
        "pht: step 6: the train runs",
        "pht: steps 7 to 11: sealed 1 files, 5 bytes",
        "pht: step 12: committed stop 1",
    ]
    facts = done.facts
    assert facts.pop("network") in ("none", "open")
    assert facts.pop("runner").count(".") == 2
    assert facts == {
        "result": "visited",
        "status": "0",
        "stage": "commit",
        "state": "sealed",
        "files": "1",
        "bytes": "5",
        "changed": "pht_results,train_config.json,user_sym_key.key",
        "trust": "none",
        "layers": "none",
    }


def test_nothing_but_the_documented_paths_is_left(tmp_path: Path) -> None:
    opt = first_stop(tmp_path, "(results / 'a').write_bytes(b'x')")
    before = snapshot(tmp_path)

    assert visit(tmp_path).status == 0

    after = snapshot(tmp_path)
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert changed == {"opt/train_config.json", "opt/user_sym_key.key", "opt/pht_results/a"}
    assert stat.S_IMODE((opt / "user_sym_key.key").stat().st_mode) & 0o400


def test_unknown_fields_stay_in_their_place(tmp_path: Path) -> None:
    unknown = {"ü": ["\ud83d\ude82", None, 1.5, {"b": 1, "a": -0.0}], "2": 10**30, "<": "\x7f"}
    opt = first_stop(tmp_path, "", **unknown)
    edit(opt, lambda config: config.update(train_id=config.pop("train_id")))  # to the end
    before = reference.load_config(opt)

    assert visit(tmp_path).status == 0

    after = reference.load_config(opt)
    assert list(after) == [*before, "user_encrypted_sym_key"]
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"encrypted_key", "e_d", "e_d_sig", "digital_signature"}
    assert (opt / "train_config.json").read_text() == json.dumps(after, indent=2)


def test_the_config_keeps_its_mode_and_owner(tmp_path: Path) -> None:
    opt = first_stop(tmp_path, "")
    (opt / "train_config.json").chmod(0o640)
    if os.geteuid() == 0:
        os.chown(opt / "train_config.json", 1000, 1001)
    before = snapshot(opt)["train_config.json"]

    assert visit(tmp_path).status == 0

    after = snapshot(opt)["train_config.json"]
    assert (after.mode, after.owner) == (0o640, before.owner)


def test_no_time_is_told(tmp_path: Path) -> None:
    opt = first_stop(tmp_path, "(results / 'a').write_bytes(b'x')")

    assert visit(tmp_path).status == 0

    # Version 0x80 and a timestamp of zeros, in base64.
    assert (opt / "pht_results" / "a").read_bytes().startswith(b"gAAAAAAAAAAA")


def test_every_visit_has_a_key_of_its_own_and_every_file_an_iv(tmp_path: Path) -> None:
    opt = first_stop(tmp_path, "[(results / n).write_bytes(b'same') for n in ('a', 'b')]")
    keys, tokens = set(), set()
    for station in STATIONS[:2]:
        settle(tmp_path, station)
        assert visit(tmp_path).status == 0
        key = reference.vector_key("user", private=True)
        keys.add(reference.symmetric_key(opt, key))
        tokens |= {(opt / "pht_results" / name).read_bytes() for name in ("a", "b")}

    assert len(keys) == 2
    assert len({token[12:33] for token in tokens}) == 4


SHAPES: dict[str, str] = {
    "nothing": "",
    "one empty file": "(results / 'a').touch()",
    "empty folders": "(results / 'a' / 'b').mkdir(parents=True); (results / 'c').mkdir(0o700)",
    "sizes around a block": (
        "[(results / str(n)).write_bytes(bytes(n)) for n in (15, 16, 17, 47, 48, 49)]"
    ),
    "sizes around a chunk": (
        "[(results / str(n)).write_bytes(b'x' * n) for n in (2**20 - 1, 2**20, 2**20 + 1, 2**21)]"
    ),
    "Unicode": "(results / 'ü 🚂').mkdir(); (results / 'ü 🚂' / '\u2028\\n\\t').write_bytes(b'x')",
    "undecodable names": (
        "d = os.fsdecode(b'\\xff'); (results / d).mkdir(); (results / d / d).write_bytes(b'x')"
    ),
    "names that sort differently": (
        "(results / 'a').mkdir(); [(results / n).write_bytes(n.encode())"
        " for n in ('a/z', 'a-b', 'a.txt', 'B', 'a/é', 'a/z.')]"
    ),
    "deep": "p = results.joinpath(*['d'] * 60); p.mkdir(parents=True); (p / 'f').write_bytes(b'x')",
    "long names": "(results / ('n' * 255)).write_bytes(b'x')",
    "modes": (
        "[((results / f'{m:o}').write_bytes(b'x'), (results / f'{m:o}').chmod(m))"
        " for m in (0o600, 0o755, 0o440, 0o666, 0o711)]"
    ),
    "what looks sealed": (
        "import base64; (results / 'a').write_bytes(base64.urlsafe_b64encode(b'\\x80' + bytes(90)))"
    ),
    "our own names": "(results / '.pht').mkdir(); (results / '.pht' / 'backup').write_bytes(b'x')",
    "an own mode of the folder": "results.chmod(0o751); (results / 'a').write_bytes(b'x')",
}


@pytest.mark.parametrize("script", SHAPES.values(), ids=SHAPES.keys())
def test_results_of_any_shape(script: str, tmp_path: Path) -> None:
    """Sealed by us, opened at the next stop and sealed again, they are what the train has left."""
    plain = tmp_path / "plain"
    plain.mkdir()
    environment = {**os.environ, "PHT_RESULTS_DIR": str(plain)}
    subprocess.run([sys.executable, "-c", IMPORTS + script], env=environment, check=True)
    once = f"if not list(results.iterdir()):\n    {script or 'pass'}\n"
    opt = new_train(tmp_path / "root", IMPORTS + once)

    for station in STATIONS[:2]:
        settle(tmp_path / "root", station)
        assert visit(tmp_path / "root").status == 0

        user_key = reference.vector_key("user", private=True)
        assert reference.decrypt_results(opt, user_key) == reference.result_files(plain)
        sealed, expected = snapshot(opt / "pht_results"), snapshot(plain)
        assert list(sealed) == list(expected)
        for path, node in sealed.items():
            assert (node.kind, node.mode, node.owner) == expected[path][:3]


def test_a_thousand_files_and_more_fill_several_batches(tmp_path: Path) -> None:
    opt = first_stop(tmp_path, "[(results / f'{n}').write_text(f'{n}') for n in range(2500)]")

    done = visit(tmp_path)

    assert (done.status, done.facts["files"]) == (0, "2500")
    assert opened(opt) == {name: name.encode() for name in map(str, range(2500))}


# --- links ---------------------------------------------------------------------------------------


def test_hard_links_become_files_of_their_own(tmp_path: Path) -> None:
    opt = first_stop(
        tmp_path,
        """
(results / "m").write_bytes(b"twice")
(results / "z").hardlink_to(results / "m")
(results / "a").mkdir()
(results / "a" / "x").hardlink_to(results / "m")
""",
    )

    done = visit(tmp_path)

    assert (done.status, done.facts["files"], done.facts["bytes"]) == (0, "3", "15")
    assert opened(opt) == {"a/x": b"twice", "m": b"twice", "z": b"twice"}
    tokens = [(opt / "pht_results" / name) for name in ("a/x", "m", "z")]
    assert [token.stat().st_nlink for token in tokens] == [1, 1, 1]
    assert len({token.read_bytes() for token in tokens}) == 3


def test_hard_links_in_what_arrives_are_opened_and_kept(tmp_path: Path) -> None:
    """A published stop encrypts each file once; an engine hands its second name over as a link."""
    opt = new_train(tmp_path, IMPORTS + "(results / 'a').open('ab').write(b'!')")
    (opt / "pht_results" / "a").write_bytes(b"once")
    reference.published_post_run(opt, "station_1", reference.vector_key("station_1", private=True))
    (opt / "pht_results" / "b").hardlink_to(opt / "pht_results" / "a")
    settle(tmp_path, "station_2")
    before = snapshot(tmp_path)

    assert pht("pre-run", root=tmp_path).status == 0
    assert (opt / "pht_results" / "b").read_bytes() == b"once"
    assert (opt / "pht_results" / "b").stat().st_nlink == 2
    assert pht("undo", root=tmp_path).status == 0
    assert snapshot(tmp_path) == before

    assert visit(tmp_path).status == 0
    assert opened(opt) == {"a": b"once!", "b": b"once!"}


def test_symlinks_inside_travel_with_a_warning(tmp_path: Path) -> None:
    opt = first_stop(
        tmp_path,
        """
(results / "a").mkdir()
(results / "a" / "file").write_bytes(b"x")
(results / "latest").symlink_to("a/file")
(results / "a" / "up").symlink_to("../latest")
(results / "folder").symlink_to("a")
(results / "absolute").symlink_to("/opt/pht_results/a/file")
(results / "dangling").symlink_to("nowhere")
""",
    )

    done = visit(tmp_path)

    assert (done.status, done.facts["files"]) == (0, "1")
    links = ["a/up", "absolute", "dangling", "folder", "latest"]
    warned = [line for line in done.lines if line.startswith("pht: warning: ")]
    assert [line.split()[4] for line in warned] == links
    assert opened(opt) == {"a/file": b"x"}
    targets = {name: os.readlink(opt / "pht_results" / name) for name in links}
    assert targets == {
        "a/up": "../latest",
        "absolute": "/opt/pht_results/a/file",
        "dangling": "nowhere",
        "folder": "a",
        "latest": "a/file",
    }


# --- what the train sees -------------------------------------------------------------------------


def test_the_environment_of_the_train(tmp_path: Path) -> None:
    opt = first_stop(tmp_path, "print(json.dumps(dict(os.environ)))")
    data = tmp_path / "a=b.csv"
    data.touch()
    settle(tmp_path, "station_1", TRAIN_DATA_PATH=str(data), PHT_TIMEOUT="50")

    done = visit(tmp_path, env={"MODEL": "linear", "EMPTY": "", "PHT_LOG": "text"})

    assert json.loads(done.stdout) == {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(REPOSITORY),
        "MODEL": "linear",
        "EMPTY": "",
        "STATION_ID": "station_1",
        "TRAIN_DATA_PATH": str(data),
        "PHT_TIMEOUT": "50",
        "PHT_LOG": "text",
        "PHT_TRAIN_DIR": str(opt / "pht_train"),
        "PHT_RESULTS_DIR": str(opt / "pht_results"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.mark.parametrize(
    "name", ["RSA_STATION_PRIVATE_KEY", "RSA_STATON_PRIVATE_KEY", "PRIVATE_KEY_PATH"]
)
def test_the_train_never_gets_the_key(name: str, tmp_path: Path) -> None:
    first_stop(tmp_path, "print(json.dumps(dict(os.environ)))")
    file = tmp_path / "run" / "pht" / "private_key.pem"
    pem = file.read_bytes()
    file.rename(tmp_path / "key")
    value = str(tmp_path / "key") if name == "PRIVATE_KEY_PATH" else pem.hex()

    done = visit(tmp_path, env={name: value})

    assert done.status == 0
    assert name not in json.loads(done.stdout)
    assert value.encode() not in done.stdout


def test_the_train_reads_stdin_and_writes_stdout_alone(tmp_path: Path) -> None:
    first_stop(
        tmp_path,
        "data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data[::-1]);"
        " print('by the train', file=sys.stderr)",
    )

    done = visit(tmp_path, stdin=b"\0\xffabc")

    assert (done.status, done.stdout) == (0, b"cba\xff\0")
    assert [line for line in done.lines if not line.startswith("pht: ")] == ["by the train"]


def test_the_train_gets_its_arguments_and_working_directory(tmp_path: Path) -> None:
    first_stop(tmp_path, "print(json.dumps([sys.argv, os.getcwd()]))")
    arguments = ["--root", "/", "--", "run", "", "ü", "a b"]

    done = pht("run", "--", *RUNS_TRAIN, *arguments, root=tmp_path, cwd=tmp_path)

    path = str(tmp_path / "opt" / "pht_train" / "train.py")
    assert json.loads(done.stdout) == [[path, *arguments], str(tmp_path)]


def test_the_command_may_name_the_file_as_it_lies_below_the_root(tmp_path: Path) -> None:
    opt = first_stop(tmp_path, "(results / 'a').touch()")

    assert visit(tmp_path, [sys.executable, str(opt / "pht_train" / "train.py")]).status == 0


def test_a_signed_file_may_itself_be_the_command(tmp_path: Path) -> None:
    script = b"#!/bin/sh\necho x > $PHT_RESULTS_DIR/a\n"
    opt = new_train(tmp_path, "", {"run.sh": script})
    (opt / "pht_train" / "run.sh").chmod(0o755)
    settle(tmp_path, "station_1")

    assert visit(tmp_path, ["/opt/pht_train/run.sh"]).status == 0
    assert opened(opt) == {"a": b"x\n"}


def test_the_train_finds_the_field_that_it_may_read_and_no_finished_config(tmp_path: Path) -> None:
    look = "config = json.loads((results.parent / 'train_config.json').read_text())"
    first_stop(
        tmp_path,
        f"{look}; print(json.dumps([config['user_he_key'], 'e_h' in config]))",
        user_he_key={"n": "12345678901234567890"},
    )

    assert json.loads(visit(tmp_path).stdout) == [{"n": "12345678901234567890"}, False]


def test_modules_of_the_train_leave_no_cache(tmp_path: Path) -> None:
    opt = new_train(tmp_path, "import helper", {"helper.py": b"X = 1"})
    settle(tmp_path, "station_1")

    assert visit(tmp_path).status == 0
    assert sorted(path.name for path in (opt / "pht_train").iterdir()) == ["helper.py", "train.py"]


def test_what_the_train_leaves_running_changes_nothing(tmp_path: Path) -> None:
    opt = first_stop(
        tmp_path,
        """
import time
for name in "ab":
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            (results / f"{name}.pid").write_text(str(os.getpid()))
            while True:
                with (results / name).open("a") as file:
                    file.write("x")
        os._exit(0)
while len(list(results.glob("*.pid"))) < 2 or not (results / "a").exists():
    time.sleep(0.01)
""",
    )

    assert visit(tmp_path).status == 0

    sealed = snapshot(tmp_path)
    results = opened(opt)
    for name in "ab":
        assert not Path(f"/proc/{int(results[f'{name}.pid'])}").exists()
    time.sleep(0.2)
    assert snapshot(tmp_path) == sealed


# --- afterwards ----------------------------------------------------------------------------------


def test_a_second_visit_is_refused(tmp_path: Path) -> None:
    first_stop(tmp_path, "(results / 'a').touch()")
    assert visit(tmp_path).status == 0
    before = snapshot(tmp_path)

    for done in (visit(tmp_path), pht("pre-run", root=tmp_path)):
        assert_explained(done, 79, "already-visited")
        assert done.facts["retry"] == "no"
        assert snapshot(tmp_path) == before
    done = pht("check", root=tmp_path)
    assert (done.status, done.code) == (0, "already-visited")


def test_the_export_opens_with_the_users_key(tmp_path: Path) -> None:
    root, tar = tmp_path / "root", tmp_path / "train.tar"
    first_stop(root, "(results / 'a').mkdir(); (results / 'a' / 'b').write_bytes(b'x')")

    done = visit(root, env={"PHT_EXPORT": str(tar)})

    assert (done.status, done.facts["state"]) == (0, "sealed")
    assert f"pht: the sealed train is in {tar}" in done.lines
    assert opened(unpack(tar, tmp_path / "out")) == {"a/b": b"x"}
    assert not list(tmp_path.glob("*.part"))


def test_no_export_of_a_train_that_failed(tmp_path: Path) -> None:
    root, tar = tmp_path / "root", tmp_path / "train.tar"
    first_stop(root, "sys.exit(1)")

    assert visit(root, env={"PHT_EXPORT": str(tar)}).status == 1
    assert not tar.exists()


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [("there", 74, "output-exists"), ("nowhere/x.tar", 66, "output-folder-missing")],
)
def test_an_export_that_has_no_place_is_refused_before_the_visit(
    name: str, status: int, code: str, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    first_stop(root, "(results / 'a').touch()")
    (tmp_path / "there").write_bytes(b"mine")
    before = snapshot(tmp_path)

    done = visit(root, env={"PHT_EXPORT": str(tmp_path / name)})

    assert_explained(done, status, code)
    assert done.facts["state"] == "unchanged"
    assert snapshot(tmp_path) == before


def test_an_export_that_fails_after_the_visit_does_not_unsay_it(tmp_path: Path) -> None:
    root, tar = tmp_path / "root", tmp_path / "out" / "train.tar"
    (tmp_path / "out").mkdir()
    opt = first_stop(root, "(results.parents[2] / 'out').rmdir(); (results / 'a').touch()")

    done = visit(root, env={"PHT_EXPORT": str(tar)})

    assert_explained(done, 66, "output-folder-missing")
    assert (done.facts["stage"], done.facts["state"]) == ("export", "sealed")
    assert opened(opt) == {"a": b""}


def test_an_export_that_was_not_begun_is_made_by_the_next_start(tmp_path: Path) -> None:
    root, tar = tmp_path / "root", tmp_path / "train.tar"
    first_stop(root, "(results / 'a').write_bytes(b'x')")
    assert visit(root).status == 0

    done = visit(root, env={"PHT_EXPORT": str(tar)})
    assert_explained(done, 79, "already-visited")
    assert f"pht: the sealed train is in {tar}" in done.lines
    assert opened(unpack(tar, tmp_path / "out")) == {"a": b"x"}


def test_a_second_start_with_an_export_says_that_the_visit_is_made(tmp_path: Path) -> None:
    root, tar = tmp_path / "root", tmp_path / "train.tar"
    first_stop(root, "(results / 'a').touch()")
    assert visit(root, env={"PHT_EXPORT": str(tar)}).status == 0
    assert_explained(visit(root, env={"PHT_EXPORT": str(tar)}), 79, "already-visited")


def test_a_result_called_like_our_work_folder_is_refused(tmp_path: Path) -> None:
    first_stop(tmp_path, "(results / '.pht-visit').touch()")
    assert_explained(visit(tmp_path), 65, "results-unsafe")


# --- the command ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-c", "true"],
        ["python3", "-c", "pass"],
        ["python3", "-m", "train"],
        ["python3"],
        ["true"],
        ["python3", "/opt/pht_train/../pht_train_evil.py"],
        ["python3", "/opt/pht_results/train.py"],
        ["find", "/opt/pht_train/train.py", "-exec", "true", ";"],
    ],
    ids=" ".join,
)
def test_a_command_that_runs_no_signed_file(command: list[str], tmp_path: Path) -> None:
    first_stop(tmp_path, "")
    before = snapshot(tmp_path)

    done = visit(tmp_path, command)

    assert_explained(done, 77, "command-not-signed")
    assert done.facts["by"] == "author"
    assert snapshot(tmp_path) == before


def test_the_station_may_allow_any_command(tmp_path: Path) -> None:
    opt = first_stop(tmp_path, "")
    settle(tmp_path, "station_1", PHT_COMMAND="any")

    done = visit(tmp_path, ["sh", "-c", "echo x > $PHT_RESULTS_DIR/a"])

    assert done.status == 0
    assert [line for line in done.lines if "PHT_COMMAND=any" in line]
    assert opened(opt) == {"a": b"x\n"}


# --- size ----------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_results(tmp_path: Path) -> None:
    script = """
if not list(results.iterdir()):
    with (results / "large").open("wb") as file:
        for _ in range(int(os.environ["MIB"])):
            file.write(os.urandom(2**20))
"""
    used = {}
    for size in (1, 96):
        root = tmp_path / str(size)
        new_train(root, IMPORTS + script)
        for station in STATIONS[:2]:
            settle(root, station, MIB=str(size))
            status, used[size, station], _ = most_memory("run", "--", *RUNS_TRAIN, root=root)
            assert status == 0
        assert (root / "opt" / "pht_results" / "large").stat().st_size > size * 2**20

    for station in STATIONS[:2]:
        assert used[96, station] - used[1, station] < 8 * 2**20
