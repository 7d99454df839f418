"""Failed visits of trains whose definition travels encrypted: no code is left in plaintext."""

import signal
from pathlib import Path

import pytest

from tests.station import (
    RUNS_TRAIN,
    assert_explained,
    finish,
    in_process,
    journal,
    snapshot,
    start,
    visit,
)
from tests.unprotected import UNPROTECTED
from tests.visit.route_train import (
    CODE,
    definition,
    holding,
    second_stop,
)

DAMAGE = {
    "nothing": "",
    "removes its folder": "shutil.rmtree(train)",
    "empties its folder": "[p.unlink() for p in train.iterdir() if p.is_file()]",
    "changes its code": "(train / 'helper.py').write_text('other')",
    "takes away every permission": "[p.chmod(0) for p in train.iterdir()]; train.chmod(0)",
    "turns its folder into a link": "shutil.rmtree(train); train.symlink_to(opt.parent)",
    "turns its folder into a file": "shutil.rmtree(train); train.write_bytes(b'x')",
    "adds files and links": "(train / 'x').touch(); (train / 'l').symlink_to('/etc/passwd')",
    "damages its results too": "shutil.rmtree(results); shutil.rmtree(train)",
    "fills the work folder": "(opt / 'pht_train.pht' / 'plain' / 'x').write_bytes(b'x')",
}


@pytest.mark.parametrize("script", DAMAGE.values(), ids=DAMAGE.keys())
def test_after_a_train_that_fails_the_code_is_encrypted_as_before(
    script: str, tmp_path: Path
) -> None:
    second_stop(tmp_path, f"{script}\nsys.exit(3)")
    before = snapshot(tmp_path)

    done = visit(tmp_path, under=UNPROTECTED)

    assert (done.status, done.facts["state"]) == (3, "unchanged"), done.stderr
    assert snapshot(tmp_path) == before
    assert not holding(tmp_path, CODE)


CHANGES = {
    "changes a file": "(train / 'helper.py').write_text('other')",
    "removes a file": "(train / 'helper.py').unlink()",
    "changes the query": "(train / 'query.json').write_text('{}')",
    "removes the query": "(train / 'query.json').unlink()",
    "links a file": "(train / 'helper.py').unlink(); (train / 'helper.py').symlink_to('train.py')",
    "makes two names of a file": "(results / 'x').hardlink_to(train / 'helper.py');"
    "(train / 'helper.py').unlink(); (train / 'helper.py').hardlink_to(train / 'train.py')",
}


@pytest.mark.parametrize("script", CHANGES.values(), ids=CHANGES.keys())
def test_a_train_that_changes_its_own_signed_files_is_not_sealed(
    script: str, tmp_path: Path
) -> None:
    second_stop(tmp_path, script)
    before = snapshot(tmp_path)

    done = visit(tmp_path, under=UNPROTECTED)

    assert_explained(done, 65, "train-changed-itself")
    assert done.facts["state"] == "unchanged"
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("tree", ["pht_train", "pht_results"])
def test_a_failing_train_that_damages_what_is_kept_to_go_back(tree: str, tmp_path: Path) -> None:
    opt = second_stop(tmp_path, f"os.truncate(opt / '{tree}.pht' / 'backup', 600); sys.exit(3)")

    done = visit(tmp_path, under=UNPROTECTED)

    assert (done.status, done.facts["state"]) == (3, "spent")
    assert journal(tmp_path)["phase"] == "spent"
    assert not holding(opt, CODE)
    assert [*(opt / "pht_train").iterdir(), *(opt / "pht_results").iterdir()] == []


def test_a_stop_while_the_train_runs(tmp_path: Path) -> None:
    second_stop(tmp_path, "print('ready', flush=True); time.sleep(60)")
    before = snapshot(tmp_path)
    process = start("run", "--", *RUNS_TRAIN, root=tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert holding(tmp_path / "opt" / "pht_train", CODE)

    process.send_signal(signal.SIGTERM)
    done = finish(process)

    assert (done.status, done.facts["state"]) == (143, "unchanged")
    assert snapshot(tmp_path) == before


def test_a_killed_runner_leaves_a_train_that_every_reader_refuses(tmp_path: Path) -> None:
    opt = second_stop(tmp_path, "print('ready', flush=True); time.sleep(60)")
    before = snapshot(tmp_path)
    process = start("run", "--", *RUNS_TRAIN, root=tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"

    process.kill()
    finish(process)

    assert set(journal(tmp_path)["backups"]) == {"pht_results", "pht_train"}
    with pytest.raises(KeyError):
        definition(opt)
    assert in_process("pre-run", tmp_path).status == 0
    assert in_process("undo", tmp_path).status == 0
    assert snapshot(tmp_path) == before
