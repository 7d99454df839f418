"""The trains of a simulation find a station's /opt, or are refused; nobody's files are changed."""

import json
import os
import shutil
import subprocess
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from entrypoint.author.fixed_paths import refuse_fixed_paths
from entrypoint.errors import SystemFailure
from entrypoint.linux import namespaces
from entrypoint.linux.namespaces import available
from tests.desk import plant
from tests.mount_namespace import run_python
from tests.other_user import NOBODY, USER_NAMESPACES, needs_root
from tests.station import REPOSITORY, assert_explained, pht
from tests.unit.simulating import COMMAND, seen
from tests.without_calls import under

pytestmark = pytest.mark.slow

FIXED = """
import errno, json, os
from pathlib import Path

results = Path("/opt/pht_results/seen.json")
seen = json.loads(results.read_text()) if results.exists() else []
answers = []
for path in ("/opt/train_data/rows.csv", os.environ["TRAIN_DATA_PATH"], "/opt/train_data/new"):
    try:
        open(path, "a").close()
    except OSError as error:
        answers.append(errno.errorcode[error.errno])
assert Path("/opt/train_config.json").is_file()
assert os.listdir("/opt/pht_train") == ["train.py"]
seen.append([Path("/opt/train_data/rows.csv").read_text(), answers])
results.write_text(json.dumps(seen))
"""
"""A train that knows the fixed paths only, as many that are published."""

FOUND = [["one", ["EROFS"] * 3], ["two", ["EROFS"] * 3]]
"""What it says at two stations."""

OF_TRAIN = ["pht_results", "pht_train", "train_config.json", "user_sym_key.key"]

CHANGES_DATA = """
import os
from pathlib import Path

data = Path(os.environ["TRAIN_DATA_PATH"])
for path in (data, data.with_name("new")):
    try:
        path.write_text("changed")
    except OSError:
        pass
(Path(os.environ["PHT_RESULTS_DIR"]) / "seen.json").write_text("[]")
"""

WITHOUT = {
    "no namespaces": (under("unshare"), "this machine's network and this machine's /opt"),
    "no mounts": (under("mount"), "this machine's /opt"),
}
"""Programs that start another one where the kernel allows less, and what its trains have then."""


@pytest.fixture
def desk() -> Iterator[Path]:
    """A folder that every user may enter, with a train and the data of two stations."""
    with TemporaryDirectory() as folder:
        desk = Path(folder)
        desk.chmod(0o755)
        data = {"data/s-1/rows.csv": "one", "data/s-2/rows.csv": "two"}
        plant(desk, {"train/train.py": FIXED, **data})
        for path in (desk / "data").rglob("*"):
            path.chmod(0o777)  # the train may write as far as the mode tells
        yield desk


def arguments(desk: Path) -> list[str | Path]:
    words: list[str | Path] = ["simulate", desk / "train", "--data", desk / "data"]
    return [*words, "--output", desk / "results", "--keep", desk / "kept", "--", *COMMAND]


def assert_simulated(desk: Path, said: str) -> None:
    """Check that the train has found the stops' own folders, and only these have changed."""
    assert seen(desk / "results") == FOUND
    assert data_of(desk) == {"s-1/rows.csv": "one", "s-2/rows.csv": "two"}
    assert sorted(os.listdir(desk / "kept" / "02-s-2" / "opt")) == OF_TRAIN
    assert "unlike at a station" not in said
    facts = json.loads((desk / "kept" / "02-s-2.log").read_text().splitlines()[-1])
    assert {"landlock", "seccomp", "key-absent"} <= {*facts["layers"].split(",")}


def data_of(desk: Path) -> dict[str, str]:
    files = (path for path in (desk / "data").rglob("*") if path.is_file())
    return {str(path.relative_to(desk / "data")): path.read_text() for path in files}


def test_fixed_paths_lead_to_the_stops_own_folders(desk: Path) -> None:
    before = sorted(os.listdir("/opt"))

    done = pht(*arguments(desk))

    assert done.status == 0, done.stderr
    assert_simulated(desk, done.stderr)
    assert sorted(os.listdir("/opt")) == before


@needs_root
def test_a_user_other_than_root_needs_no_rights_for_that(
    desk: Path, program: list[str | Path]
) -> None:
    os.chown(desk, NOBODY, NOBODY)

    done = subprocess.run(
        [*program, *arguments(desk)],
        cwd=desk,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
    )

    if USER_NAMESPACES:
        assert done.returncode == 0, done.stderr
        assert_simulated(desk, done.stderr)
    else:
        assert (done.returncode, "[opt-not-simulated]" in done.stderr) == (71, True)


@pytest.fixture
def program(desk: Path) -> list[str | Path]:
    """The beginning of a command that every user may start: the program in an environment."""
    venv.create(desk / "venv", symlinks=True)
    [packages] = desk.glob("venv/lib/*/site-packages")
    found = Path(sysconfig.get_path("platlib"))
    for name in ("cryptography", "cffi", "pycparser"):
        shutil.copytree(found / name, packages / name)
    [library] = found.glob("_cffi_backend*")
    shutil.copy(library, packages)
    shutil.copytree(REPOSITORY / "entrypoint", packages / "entrypoint")
    return [desk / "venv" / "bin" / "python", "-I", "-B", packages / "entrypoint"]


def test_an_interpreter_of_the_train_is_refused_as_at_a_station(desk: Path) -> None:
    plant(desk, {"train/python": "#!/bin/sh\nexit 0"})
    (desk / "train" / "python").chmod(0o755)

    done = pht(*arguments(desk)[:-2], "/opt/pht_train/python", "/opt/pht_train/train.py")

    assert (done.status, done.code) == (77, "command-not-signed")


BESIDE_OTHERS = f"""
import os, subprocess, sys
from pathlib import Path
from tests.desk import plant
from tests.unit.simulating import send
from entrypoint.linux.namespaces import available

desk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/opt"], check=True)
plant(Path("/opt"), {{"tool/version": "1.0", "pht_results/seen.json": "of an older run"}})
(Path("/opt/link")).symlink_to("tool")
code = "assert open('/opt/link/version').read() == open('/opt/tool/version').read() == '1.0'"
plant(desk, {{"train/train.py": code + {FIXED!r}}})
keep = Path("/opt/kept")
status, said = send(desk / "train", desk / "data", isolation=available(), keep=keep)
assert status == 0, said
print(sorted(os.listdir(keep / "02-s-2" / "opt")), Path("/opt/pht_results/seen.json").read_text())
"""
"""A simulation where programs are installed at /opt, an older program has left results there, and
the stops' folders are below it."""


def test_what_else_is_at_opt_stays_there_and_travels_nowhere(desk: Path) -> None:
    assert run_python(BESIDE_OTHERS, desk).splitlines()[-1] == f"{OF_TRAIN} of an older run"


def test_a_machine_without_opt_can_have_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespaces, "_OPT", tmp_path / "opt")
    assert available().opt is False


# Where the kernel does not let this user


@pytest.mark.parametrize(("without", "_had"), WITHOUT.values(), ids=WITHOUT)
def test_a_train_with_fixed_paths_is_refused_before_it_runs(
    without: tuple[str, ...], _had: str, desk: Path
) -> None:
    done = pht(*arguments(desk), under=without)

    assert (done.status, done.code) == (71, "opt-not-simulated")
    assert "train.py names /opt/pht_results" in done.stderr
    assert "start again with --image" in done.stderr
    assert not list((desk / "kept").glob("*.log"))


@pytest.mark.parametrize(("without", "had"), WITHOUT.values(), ids=WITHOUT)
def test_other_trains_visit_and_change_copies_of_the_data_at_most(
    without: tuple[str, ...], had: str, desk: Path
) -> None:
    plant(desk, {"train/train.py": CHANGES_DATA})

    done = pht(*arguments(desk), under=without)

    assert done.status == 0, done.stderr
    assert data_of(desk) == {"s-1/rows.csv": "one", "s-2/rows.csv": "two"}
    assert not (desk / "kept" / "01-s-1" / "opt" / "train_data").exists()
    assert f"pht: the train could use {had}, unlike at a station: try --image too\n" in done.stderr


def test_data_that_cannot_be_copied_are_named_and_nothing_of_them_stays(desk: Path) -> None:
    plant(desk, {"train/train.py": CHANGES_DATA})
    os.mkfifo(desk / "data" / "s-1" / "fifo")

    done = pht(*arguments(desk), under=under("unshare"))

    assert_explained(done, 66, "data-not-copied")
    assert f"{desk / 'data/s-1/fifo'}` is a named pipe\n" in done.stderr
    assert not (desk / "kept" / "01-s-1" / "opt" / "train_data").exists()


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ('open("/opt/pht_results/x")', True),
        ("#!/bin/sh\nsh /opt/pht_train/more.sh", True),
        ('open("./opt/pht_results/x")', False),
        ('open(f"{root}/opt/pht_results/x")', False),
        ('open("/opt/train_data")', False),
    ],
)
def test_only_fixed_paths_of_the_trains_own_folders_are_refused(
    text: str, refused: bool, tmp_path: Path
) -> None:
    plant(tmp_path, {"more/file": text})
    with pytest.raises(SystemFailure) if refused else nullcontext():
        refuse_fixed_paths(tmp_path, ["more/file"])
