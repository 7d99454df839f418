"""A refusal for files that are not as signed names them, although the signature is over all."""

import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.station import (
    Done,
    assert_explained,
    check,
    new_route_train,
    new_train,
    pht,
    settle,
    snapshot,
    visit,
)
from tests.unprotected import UNPROTECTED

BUILD = {"flat": new_train, "route": new_route_train}
each_generation = pytest.mark.parametrize("build", BUILD.values(), ids=BUILD)
Build = Callable[..., Path]

FILES = {"a.py": b"1", "lib/b.py": b"2", "lib/c.py": b"3"}
IMPORTS = "import os, pathlib; train = pathlib.Path(os.environ['PHT_TRAIN_DIR'])\n"
CHANGES = {
    "contents": ("(train / 'lib/b.py').write_text('4')", ["lib/b.py was changed"]),
    "the query": ("(train / 'query.json').write_text('{}')", ["query.json was changed"]),
    "several": (
        "(train / 'a.py').unlink(); (train / 'lib/c.py').write_text('4')",
        ["a.py is missing", "lib/c.py was changed"],
    ),
    "a link": (
        "os.remove(train / 'a.py'); os.symlink('lib/b.py', train / 'a.py')",
        ["a.py is a symlink"],
    ),
    "a new file over it": (
        "(train / 'n').write_text('4'); (train / 'n').rename(train / 'a.py')",
        ["a.py was changed"],
    ),
    "the folder": (
        "train.rename(train.with_name('x')); train.symlink_to('x')",
        ["pht_train is no folder any more"],
    ),
}


def named(done: Done) -> list[str]:
    return [line.removeprefix("pht:   - ") for line in done.lines if line.startswith("pht:   - ")]


@each_generation
@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_what_the_train_has_changed_of_itself(
    change: str, expected: list[str], build: Build, tmp_path: Path
) -> None:
    build(tmp_path, IMPORTS + change, {**FILES, "query.json": b"[]"})
    settle(tmp_path, "station_1")

    done = visit(tmp_path, under=UNPROTECTED)

    assert_explained(done, 65, "train-changed-itself")
    assert named(done) == expected


@each_generation
def test_what_was_changed_between_the_halves(build: Build, tmp_path: Path) -> None:
    opt = build(tmp_path, IMPORTS + CHANGES["contents"][0], FILES)
    settle(tmp_path, "station_1")
    assert pht("pre-run", root=tmp_path).status == 0
    environment = {"PATH": os.environ["PATH"], "PHT_TRAIN_DIR": str(opt / "pht_train")}
    script = opt / "pht_train" / "train.py"
    subprocess.run([sys.executable, script], env=environment, check=True)

    done = pht("post-run", root=tmp_path)

    assert_explained(done, 65, "train-changed-itself")
    assert named(done) == ["lib/b.py was changed"]


@each_generation
@pytest.mark.parametrize("name", ["données.csv", "größe/é.py"])
def test_a_name_in_another_unicode_form(name: str, build: Build, tmp_path: Path) -> None:
    """As tar on macOS, and its older file systems, change it."""
    decomposed = unicodedata.normalize("NFD", name)
    opt = build(tmp_path, "", {name: b"1", "a.py": b"1"})
    settle(tmp_path, "station_1")
    train = opt / "pht_train"
    (train / decomposed).parent.mkdir(exist_ok=True)
    (train / name).rename(train / decomposed)
    (train / "a.py").unlink()
    before = snapshot(opt)

    done = check(tmp_path)

    assert_explained(done, 65, "train-files-differ")
    form, missing = named(done)
    assert form.startswith(f"{decomposed} is listed in another Unicode form of this name")
    assert missing == "a.py is missing"
    assert snapshot(opt) == before
