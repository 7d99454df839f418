"""Results of any shape and size: sealed, opened at the next stop, and sealed again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import reference
from tests.reference import STATIONS
from tests.station import (
    RUNS_TRAIN,
    most_memory,
    new_train,
    opened,
    pht,
    settle,
    snapshot,
    visit,
)
from tests.visit.flat_train import IMPORTS, first_stop

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
        if os.geteuid() == 0:  # the next train, another user, is to read and write all results
            make_usable(plain)


def make_usable(folder: Path) -> None:
    """Give the owner of files and folders the permissions that it may lack."""
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o700 if path.is_dir() else 0o600))


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
    warned = [line for line in done.lines if line.startswith("pht: warning: the link ")]
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
