"""A train that replaces what lies beside its results, with one user for it and the runner.

The sandbox prevents all of that. Without Landlock and another user, as under old kernels, the
old state comes back all the same, or it is said that it cannot.
"""

import os
from pathlib import Path

import pytest

from tests.landlocked import need_landlock
from tests.station import assert_explained, in_process, journal, opened, pht, snapshot, visit
from tests.unprotected import UNPROTECTED
from tests.visit.damaged_train import assert_as_before, second_stop

# --- a train that fails --------------------------------------------------------------------------

DAMAGE: dict[str, str] = {
    "deletes the folder": "shutil.rmtree(results)",
    "turns the folder into a link": "shutil.rmtree(results); results.symlink_to(outside)",
    "turns the folder into a file": "shutil.rmtree(results); results.write_bytes(b'x')",
    "fills the folder of work files": "(work / 'plain' / 'x').write_bytes(b'x')",
    "removes the config": "config.unlink()",
    "overwrites the config": "config.write_text('{}')",
    "turns the config into a link": "config.unlink(); config.symlink_to(outside / 'precious')",
    "turns the config into a folder": "config.unlink(); (config / 'x').mkdir(parents=True)",
    "puts a link where the config is written first": (
        "(opt / 'train_config.json.pht').unlink();"
        " (opt / 'train_config.json.pht').symlink_to(outside / 'precious')"
    ),
}


@pytest.mark.parametrize("script", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_failing_train_that(script: str, tmp_path: Path) -> None:
    second_stop(tmp_path, f"{script}\nsys.exit(3)")
    before = snapshot(tmp_path)

    done = visit(tmp_path, under=UNPROTECTED)

    assert done.status == 3, done.stderr
    assert done.facts["state"] == "unchanged"
    assert_as_before(tmp_path, before)


GONE: dict[str, str] = {
    "removes it": "(work / 'backup').unlink()",
    "cuts it off": "os.truncate(work / 'backup', 1_000_000)",
    "cuts it off in a line": "os.truncate(work / 'backup', 1_000)",
    "empties it": "os.truncate(work / 'backup', 0)",
    "overwrites it": "(work / 'backup').write_bytes(b'x' * 10_000)",
    "removes its folder": "shutil.rmtree(work)",
    "moves it behind a link": (
        "(work / 'backup').rename(work / 'k'); (work / 'backup').symlink_to('k')"
    ),
    "links to what the way back will change": r"""
forged = b'["planted", "file", "", 6, 33188, 0, 0, 0]\nforged'
for name, content in (("behind/k", (work / "backup").read_bytes()), ("opt/k", forged)):
    (opt.parent / name).parent.mkdir(exist_ok=True)
    (opt.parent / name).write_bytes(content)
(opt.parent / "behind" / "results").mkdir()
shutil.rmtree(results)
results.symlink_to(opt.parent / "behind" / "results")
(work / "backup").unlink()
(work / "backup").symlink_to(results / ".." / "k")
""",
    "turns its folder into a link": "shutil.rmtree(work); work.symlink_to(outside)",
    "turns its folder into a file": "shutil.rmtree(work); work.write_bytes(b'x')",
}


@pytest.mark.parametrize("script", GONE.values(), ids=GONE.keys())
def test_a_failing_train_that_damages_what_is_kept_to_go_back(script: str, tmp_path: Path) -> None:
    """Without the old ciphertext the plaintext must not stay, and nobody may use the rest."""
    opt = second_stop(tmp_path, f"{script}\nsys.exit(3)")
    outside = snapshot(tmp_path / "outside")

    done = visit(tmp_path, under=UNPROTECTED)

    assert (done.status, done.facts["state"]) == (3, "spent")
    assert "pht: warning: the encrypted files are gone: start from the image again" in done.lines
    assert journal(tmp_path)["phase"] == "spent"
    assert list((opt / "pht_results").iterdir()) == []
    assert not os.path.lexists(opt / "pht_results.pht")
    assert snapshot(tmp_path / "outside") == outside
    left = snapshot(tmp_path)
    for again in (visit(tmp_path), in_process("pre-run", tmp_path), in_process("undo", tmp_path)):
        assert_explained(again, 74, "start-from-image")
    assert_explained(in_process("check", tmp_path), 76, "wrong-half")
    assert_explained(in_process("post-run", tmp_path), 76, "wrong-half")
    assert_explained(pht("export", "--output", "-", root=tmp_path), 65, "config-unfinished")
    assert snapshot(tmp_path) == left


# --- a train that succeeds -----------------------------------------------------------------------

IN_PLACE_OF: dict[str, tuple[str, str]] = {
    "no results": ("shutil.rmtree(results)", "results-missing"),
    "a link for results": (
        "shutil.rmtree(results); results.symlink_to(outside)",
        "results-missing",
    ),
    "a file for results": (
        "shutil.rmtree(results); results.write_bytes(b'x')",
        "results-missing",
    ),
    "a longer config": ("config.open('a').write(' ')", "train-changed-itself"),
    "no config": ("config.unlink()", "train-changed-itself"),
    "a folder for the config": ("config.unlink(); config.mkdir()", "train-changed-itself"),
}


@pytest.mark.parametrize(("script", "code"), IN_PLACE_OF.values(), ids=IN_PLACE_OF)
def test_a_successful_train_that_leaves_in_place(script: str, code: str, tmp_path: Path) -> None:
    second_stop(tmp_path, script)
    before = snapshot(tmp_path)

    done = visit(tmp_path, under=UNPROTECTED)

    assert_explained(done, 65, code)
    assert_as_before(tmp_path, before)


SEALED_ANYWAY: dict[str, str] = {
    "turns the folder of work files into a link": "shutil.rmtree(work); work.symlink_to(outside)",
    "turns the folder of work files into a file": "shutil.rmtree(work); work.write_bytes(b'x')",
    "removes the folder of work files": "shutil.rmtree(work)",
    "plants a folder for the user's key": (
        "(opt / 'user_sym_key.key').unlink(); (opt / 'user_sym_key.key' / 'x').mkdir(parents=True)"
    ),
    "plants a link for the user's key": (
        "(opt / 'user_sym_key.key').unlink();"
        " (opt / 'user_sym_key.key').symlink_to(outside / 'precious')"
    ),
    "plants links where files are written first": (
        "(opt / 'train_config.json.pht').unlink();"
        " [(opt / f'{n}.pht').symlink_to(outside / 'precious')"
        " for n in ('train_config.json', 'user_sym_key.key')]"
    ),
}


@pytest.mark.parametrize("script", SEALED_ANYWAY.values(), ids=SEALED_ANYWAY.keys())
def test_a_successful_train_that_gets_in_the_way(script: str, tmp_path: Path) -> None:
    """Its results are sealed all the same, and nothing is written or removed elsewhere."""
    opt = second_stop(tmp_path, f"(results / 'new').write_bytes(b'x')\n{script}")
    outside = snapshot(tmp_path / "outside")

    done = visit(tmp_path, under=UNPROTECTED)

    assert done.status == 0, done.stderr
    assert snapshot(tmp_path / "outside") == outside
    names = {"pht_results", "pht_train", "train_config.json", "user_sym_key.key"}
    assert {path.name for path in opt.iterdir()} == names
    assert opened(opt)["new"] == b"x"


# --- what the sandbox prevents -------------------------------------------------------------------

PREVENTED = {
    **DAMAGE,
    **{f"{name} for the way back": script for name, script in GONE.items()},
    **{f"leaves {name}": script for name, (script, _) in IN_PLACE_OF.items()},
    **SEALED_ANYWAY,
}


@pytest.mark.parametrize("script", PREVENTED.values(), ids=PREVENTED.keys())
def test_a_sandbox_prevents_a_train_that(script: str, tmp_path: Path) -> None:
    need_landlock()
    second_stop(tmp_path, script)
    before = snapshot(tmp_path)

    done = visit(tmp_path)

    assert (done.status, done.facts["state"]) == (1, "unchanged"), done.stderr
    assert "PermissionError" in done.stderr
    assert_as_before(tmp_path, before)
