"""A train's access to mounts and devices, in a mount namespace."""

import ast
import os
from pathlib import Path

import pytest

from tests.landlocked import need_landlock
from tests.mount_namespace import run_python

pytestmark = pytest.mark.slow

PREPARE = """
import dataclasses, os, stat, subprocess, sys
from functools import partial
from pathlib import Path
from entrypoint.settings.load import load
from entrypoint.visit import train_access
from entrypoint.visit.train_access import access_rules
from tests.landlocked import outcomes

train_access._TEMPORARY = ()  # the folder of a test may lie in there
root = Path(sys.argv[1]).resolve()

def new(name):
    (root / name).mkdir(parents=True, exist_ok=True)
    return root / name

def mount(name, *arguments):
    subprocess.run(["mount", *(arguments or ("-t", "tmpfs", "tmpfs")), new(name)], check=True)

def ends(attempt, *names, in_container=True, **variables):
    settings = dataclasses.replace(load(root, variables), in_container=in_container)
    attempts = {name: partial(attempt, root / name) for name in names}
    return outcomes(attempts, access_rules(settings, scratch=root / "scratch"))

def make(folder):
    (folder / "made").mkdir()
    (folder / "made").rmdir()

for name in ("opt/pht_results", "opt/pht_train", "run/pht", "run/secrets", "scratch"):
    new(name)
"""


def printed(code: str, folder: Path) -> object:
    """Return the literal that `code` prints where it may mount."""
    need_landlock()
    return ast.literal_eval(run_python(PREPARE + code, folder))


def printed_lines(code: str, folder: Path) -> list[object]:
    """Return the literals that `code` prints, one a line."""
    need_landlock()
    return [ast.literal_eval(line) for line in run_python(PREPARE + code, folder).splitlines()]


def test_mounts_of_the_operator_are_writable(tmp_path: Path) -> None:
    code = """
mount("data")
mount("opt/train_data")
new("folder")
mount("read-only", "-t", "tmpfs", "-o", "ro", "tmpfs")
print(ends(make, "data", "opt/train_data", "folder", "read-only"))
"""
    denied = {"folder": "EACCES", "read-only": "EROFS"}
    assert printed(code, tmp_path) == {"data": "done", "opt/train_data": "done", **denied}


def test_a_hidden_folder_is_hidden_where_a_mount_shows_it_too(tmp_path: Path) -> None:
    code = """
for name in ("opt/pht_results.pht", "opt/pht_results", "opt/train_data"):
    (new(name) / "file").touch()
mount("shown", "--bind", root / "opt")
hidden = ["opt/pht_results.pht/file", "shown/pht_results.pht/file"]
print(ends(Path.read_bytes, *hidden, "shown/pht_results/file", "shown/train_data/file"))
"""
    assert printed(code, tmp_path) == {
        "opt/pht_results.pht/file": "EACCES",
        "shown/pht_results.pht/file": "EACCES",
        "shown/pht_results/file": "done",
        "shown/train_data/file": "done",
    }


def test_only_a_mount_that_takes_no_writes_counts_as_fixed(tmp_path: Path) -> None:
    code = """
mount("fixed"), mount("partly"), mount("partly/writable"), new("folder")
for name in ("fixed", "partly"):
    subprocess.run(["mount", "-o", "remount,ro", root / name], check=True)
settings = dataclasses.replace(load(root, {}), in_container=True)
rules = access_rules(settings, scratch=root / "scratch")
kinds = {rule.path.name: rule.access.name for rule in rules if rule.path.parent == root}
print([kinds[name] for name in ("fixed", "partly", "folder")])
"""
    assert printed(code, tmp_path) == ["READ_FIXED", "READ", "READ"]


def test_the_folder_of_exports_is_not_writable(tmp_path: Path) -> None:
    code = """
mount("out"), mount("shared")
new("shared/exports"), new("shared/data")
(root / "out/other.tar").touch()
print([*ends(make, "out", PHT_EXPORT=f"{root}/out/train.tar").values()])
print([*ends(lambda path: path.open("ab"), "out/other.tar", PHT_EXPORT=f"{root}/out/x").values()])
shared = ("shared", "shared/exports", "shared/data")
print([*ends(make, *shared, PHT_EXPORT=f"{root}/shared/exports/train.tar").values()])
print([*ends(make, "out", *shared).values()])
os.chdir(root / "out")  # the image chooses its working folder
print([*ends(make, "out", PHT_EXPORT=f"{root}/out/train.tar").values()])
"""
    closed, partly = [["EACCES"]] * 2, ["EACCES", "EACCES", "done"]
    assert printed_lines(code, tmp_path) == [*closed, partly, ["done"] * 4, ["EACCES"]]


def test_a_mounted_file_of_the_operator_is_writable(tmp_path: Path) -> None:
    code = """
for name in ("log", "source", "other"):
    (root / name).touch()
subprocess.run(["mount", "--bind", root / "source", root / "log"], check=True)
print(ends(lambda path: path.open("ab"), "log", "other"))
"""
    assert printed(code, tmp_path) == {"log": "done", "other": "EACCES"}


def test_the_working_folder_of_an_image_is_writable_but_no_system_folder(tmp_path: Path) -> None:
    code = """
for folder in (new("app"), "/usr/share", "/etc", "/", new("opt/app"), new("run/pht")):
    os.chdir(folder)
    print([*ends(make, str(folder)).values()])
os.chdir(new("app"))
print([*ends(make, "app", in_container=False).values()])
"""
    assert printed_lines(code, tmp_path) == [["done"], *[["EACCES"]] * 6]


def test_mounts_outside_a_container_are_the_machines(tmp_path: Path) -> None:
    code = """
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/var/cache"], check=True)
print([*ends(make, "/var/cache", in_container=False).values()])
"""
    assert printed(code, tmp_path) == ["EACCES"]


def test_volumes_of_an_image_make_no_system_folder_writable(tmp_path: Path) -> None:
    code = """
def mount_over(name):
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", name], check=True)
mount_over("/usr/share"), mount_over("/etc"), mount_over("/var/cache")
for name in ("run", "run/pht", "run/secrets", "var/lib/pht", "opt/pht_results.pht"):
    mount(name)
(root / "var/lib/pht").chmod(0o700)
system = ["/usr/share", "/etc", "run", "run/pht", "run/secrets", "var/lib/pht"]
print([*ends(make, *system, "opt/pht_results.pht", "/var/cache").values()])
"""
    assert printed(code, tmp_path) == [*["EACCES"] * 7, "done"]


def test_mounted_secrets_are_not_writable(tmp_path: Path) -> None:
    code = """
mount("run/secrets")
(root / "run/secrets/database").touch()
print([*ends(lambda path: path.open("ab"), "run/secrets/database").values()])
"""
    assert printed(code, tmp_path) == ["EACCES"]


def test_the_programs_own_folder_stays_read_only(tmp_path: Path) -> None:
    code = """
package = Path("entrypoint").resolve()
for folder in (package, package.parent, Path(sys.prefix)):
    subprocess.run(["mount", "--rbind", folder, folder], check=True)
print([*ends(make, str(package), str(package.parent), sys.prefix).values()])
"""
    assert printed(code, tmp_path) == ["EACCES"] * 3


def test_the_trains_own_folder_as_a_mount_is_not_writable_as_a_whole(tmp_path: Path) -> None:
    code = """
mount("opt")
new("opt/pht_results"), new("opt/pht_train")
(root / "opt/train_config.json").touch()
print([*ends(make, "opt", "opt/pht_results").values()])
print([*ends(lambda path: path.open("ab"), "opt/train_config.json").values()])
"""
    assert printed_lines(code, tmp_path) == [["EACCES", "done"], ["EACCES"]]


def test_results_that_are_a_mount_are_writable_beside_the_work_folder(tmp_path: Path) -> None:
    code = """
mount("opt/pht_results")
new("opt/pht_results/.pht-visit")
print([*ends(make, "opt/pht_results").values()])
"""
    assert printed(code, tmp_path) == ["done"]


# Devices

DEVICES = """
def node(name, kind, major, minor):
    (Path("/dev") / name).parent.mkdir(exist_ok=True)
    os.mknod(Path("/dev") / name, kind | 0o666, os.makedev(major, minor))
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/dev"], check=True)
for name in ("null", "gpu/card0", "gpu/deeper/card1"):
    node(name, stat.S_IFCHR, 1, 3)
for name, minor in [("mem", 1), ("kmem", 2), ("port", 4)]:
    node(name, stat.S_IFCHR, 1, minor)
for name in ("disk", "mapper/disk"):
    node(name, stat.S_IFBLK, 1, 0)
names = ["null", "gpu/card0", "gpu/deeper/card1", "mem", "kmem", "port", "disk", "mapper/disk"]
for flags in (os.O_RDONLY, os.O_WRONLY):
    print(ends(lambda path: os.close(os.open(path, flags)), *(f"/dev/{name}" for name in names)))
"""


def need_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to make device nodes")


def test_devices(tmp_path: Path) -> None:
    need_root()
    shown = {f"/dev/{name}": "done" for name in ("null", "gpu/card0", "gpu/deeper/card1")}
    denied = ("mem", "kmem", "port", "disk", "mapper/disk")
    hidden = {f"/dev/{name}": "EACCES" for name in denied}
    assert printed_lines(DEVICES, tmp_path) == [{**shown, **hidden}] * 2


@pytest.mark.parametrize(("name", "outcome"), [("nvidiactl", "done"), ("other", "EACCES")])
def test_threads_are_named_where_the_driver_of_nvidia_is(
    name: str, outcome: str, tmp_path: Path
) -> None:
    need_root()
    code = f"""
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/dev"], check=True)
os.mknod("/dev/{name}", stat.S_IFCHR | 0o666, os.makedev(195, 255))
def name_thread(_):
    handle = os.open(f"/proc/{{os.getpid()}}/task/{{os.getpid()}}/comm", os.O_RDWR)
    os.write(handle, b"named")
print([*ends(name_thread, "x").values()])
"""
    assert printed(code, tmp_path) == [outcome]
