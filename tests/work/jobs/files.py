"""Work with files: in the results, beside the signed files, in the folders for temporary ones."""

import ctypes
import fcntl
import mmap
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

TRAIN = Path(__file__).parents[1]
RESULTS = TRAIN.with_name("pht_results")
TMPDIR = Path(tempfile.gettempdir())
HOME = Path.home()


def replaced_as_a_whole() -> None:
    for text in ("first", "second"):
        with tempfile.NamedTemporaryFile("w", dir=RESULTS, delete=False) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, RESULTS / "replaced")
    assert (RESULTS / "replaced").read_text() == "second"
    folder = os.open(RESULTS, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def moved_within_results() -> None:
    (RESULTS / "a" / "b").mkdir(parents=True)
    (RESULTS / "a" / "b" / "file").write_text("x")
    os.rename(RESULTS / "a" / "b" / "file", RESULTS / "a" / "file")
    os.rename(RESULTS / "a", RESULTS / "moved")
    assert (RESULTS / "moved" / "file").read_text() == "x"


def moved_from_tmpdir_into_results() -> None:
    made = TMPDIR / "made"
    (made / "deep").mkdir(parents=True)
    (made / "deep" / "file").write_text("x")
    shutil.move(made, RESULTS / "from_tmpdir")
    single = TMPDIR / "single"
    single.write_text("y")
    shutil.move(single, RESULTS / "single")
    assert (RESULTS / "from_tmpdir" / "deep" / "file").read_text() == "x"
    assert (RESULTS / "single").read_text() == "y"
    assert not made.exists()


def copied_with_everything() -> None:
    source = TRAIN / "train.py"
    shutil.copy2(source, RESULTS / "copy.py")
    shutil.copytree(TRAIN, TMPDIR / "tree")
    assert (TMPDIR / "tree" / "train.py").read_bytes() == source.read_bytes()


def closed_to_others() -> None:
    file = RESULTS / "private"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(descriptor, b"x")
    os.close(descriptor)
    folder = RESULTS / "private_folder"
    folder.mkdir(mode=0o700)
    (folder / "file").write_text("x")
    file.chmod(0o400)
    (folder / "file").chmod(0o755)
    assert file.read_text() == "x"


def linked_in_results() -> None:
    (RESULTS / "first").write_text("x")
    os.link(RESULTS / "first", RESULTS / "second")
    assert (RESULTS / "first").stat().st_nlink == 2
    (RESULTS / "symbolic").symlink_to("first")
    assert (RESULTS / "symbolic").read_text() == "x"


def times_and_attributes() -> None:
    file = RESULTS / "times"
    file.write_text("x")
    os.truncate(file, 0)
    os.utime(file, (1, 1))
    assert (file.stat().st_mtime, file.stat().st_size) == (1, 0)


def locked() -> None:
    for folder in (RESULTS, TMPDIR, HOME):
        with (folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def mapped_into_memory() -> None:
    with (RESULTS / "mapped").open("w+b") as file:
        file.truncate(1 << 20)
        with mmap.mmap(file.fileno(), 0) as memory:
            memory[:4] = b"text"
            memory.flush()
        assert file.read(4) == b"text"
    with mmap.mmap(-1, 1 << 20) as memory:
        memory[:4] = b"text"


def temporary_files() -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert Path(folder).parent == TMPDIR
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    for folder in ("/tmp", "/dev/shm"):
        with tempfile.NamedTemporaryFile(dir=folder) as named:
            named.write(b"x")


def in_home() -> None:
    cache = Path("~/.cache/library").expanduser()
    cache.mkdir(parents=True)
    (cache / "file").write_text("x")
    assert cache.is_relative_to(HOME)


def beside_the_signed_files() -> None:
    (TRAIN / "unsigned").write_text("x")
    (TRAIN / "unsigned").rename(TRAIN / "renamed")
    (TRAIN / "renamed").unlink()
    (TRAIN / "folder").mkdir()
    (TRAIN / "folder" / "left").write_text("x")


def no_bytecode_is_left() -> None:
    (TRAIN / "imported.py").write_text("x = 1\n")
    subprocess.run([sys.executable, "-c", "import imported"], cwd=TRAIN, check=True)
    assert not (TRAIN / "__pycache__").exists()


def extension_loaded_from_tmpdir() -> None:
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    folders = [Path(folder) for folder in sys.path if folder.endswith("lib-dynload")]
    [library] = [file for folder in folders for file in folder.glob(f"_ctypes{suffix}")]
    copy = shutil.copy(library, TMPDIR / "copy.so")
    assert ctypes.CDLL(str(copy)).PyInit__ctypes


def program_started_from_tmpdir() -> None:
    script = TMPDIR / "script"
    script.write_text("#!/bin/sh\necho ran\n")
    script.chmod(0o700)
    program = Path(shutil.copy(os.path.realpath("/bin/sh"), TMPDIR / "sh"))
    program.chmod(0o755)
    assert subprocess.check_output([script]) == b"ran\n"
    assert subprocess.check_output(["sh", "-c", "echo ran"], executable=program) == b"ran\n"


def paths_of_the_working_folder() -> None:
    Path("Rplots.pdf").write_text("x")
    assert Path("Rplots.pdf").exists()


def the_configuration_is_read() -> None:
    assert b"{" in (RESULTS.parent / "train_config.json").read_bytes()[:1]
