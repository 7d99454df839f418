"""Mounts: the text of mountinfo, and real mounts in a mount namespace."""

import ast
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entrypoint.errors import SystemFailure
from entrypoint.linux.mounts import Mount, is_mount_point, mount_of, parse
from tests.mount_namespace import run_python

PREPARE = """
import subprocess, sys
from pathlib import Path
from entrypoint.linux.mounts import hides_another, is_in_overlay, is_mount_point, mount_of
from entrypoint.linux.mounts import mounts_below
here = Path(sys.argv[1])
def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)
def new(name):
    (here / name).mkdir(parents=True)
    return here / name
"""


def printed(code: str, folder: Path) -> object:
    """Return the literal that `code` prints where it may mount."""
    return ast.literal_eval(run_python(PREPARE + code, folder))


def only(text: str) -> Mount:
    (mount,) = parse(text + "\n")
    return mount


# The text


def test_the_fields_of_a_line() -> None:
    line = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue"
    found = only(line)
    assert (found.id, found.parent, found.root) == (36, 35, "/mnt1")
    assert found.point == Path("/mnt2")
    assert (found.fs_type, found.read_only) == ("ext3", False)


@pytest.mark.parametrize(
    "optional",
    ["", " ", "shared:1 ", "shared:1 master:2 propagate_from:3 "],
    ids=["none", "none, as gVisor writes it", "one", "three"],
)
def test_any_number_of_optional_fields(optional: str) -> None:
    line = f"36 35 98:0 / / rw {optional}- overlay overlay rw"
    found = only(line)
    assert (found.point, found.fs_type, found.read_only) == (Path("/"), "overlay", False)


@pytest.mark.parametrize(
    ("file_system", "where"),
    [
        ("tmpfs tmpfs rw,size=65536k", "in memory"),
        ("overlay none rw", "in the overlay of gVisor"),
        ("overlay none rw,mode=0755", "in the overlay of gVisor"),
        ("overlay overlay rw,lowerdir=/a:/b,upperdir=/c,workdir=/d", ""),
        ("overlay overlay ro,lowerdir+=/a,lowerdir+=/b", ""),
        ("fuse.fuse-overlayfs fuse-overlayfs rw,user_id=0", ""),
        ("9p none rw,trans=fd,rfdno=4,wfdno=4", ""),
        ("ext4 /dev/vda rw", ""),
    ],
)
def test_where_the_end_of_a_container_loses_what_was_written(file_system: str, where: str) -> None:
    assert only(f"36 35 0:9 / /opt rw - {file_system}").volatile_storage == where


@pytest.mark.parametrize(
    ("own", "super_block", "read_only"),
    [
        ("rw", "rw", False),
        ("ro,relatime", "rw", True),
        ("rw,relatime", "ro,size=4k", True),
        ("rw,noro", "rw,x=ro", False),
    ],
)
def test_either_the_mount_or_its_file_system_is_read_only(
    own: str, super_block: str, read_only: bool
) -> None:
    assert only(f"36 35 0:26 / /ro {own} - tmpfs ro {super_block}").read_only == read_only


@pytest.mark.parametrize("options", ["rw,nosuid,nodev,noexec,relatime", "rw,noexec "])
def test_a_mount_can_forbid_execution(options: str) -> None:
    line = f"99 81 0:50 / /tmp {options} - tmpfs tmpfs rw"
    assert only(line).noexec
    assert not only(line.replace("noexec", "exec")).noexec


@pytest.mark.parametrize(
    ("root", "is_anonymous"),
    [
        ("/var/lib/docker/volumes/{id}/_data", True),
        ("/home/user/.local/share/containers/storage/volumes/{id}/_data", True),
        ("/containerd/io.containerd.grpc.v1.cri/containers/{id}/volumes/{id}", True),
        ("/var/lib/nerdctl/1935db59/volumes/default/{id}/_data", True),
        ("/var/lib/docker/volumes/ledger/_data", False),
        ("/var/lib/docker/volumes/{id}/_data/inner", False),
        ("/pods/1/volumes/kubernetes.io~local-volume/{id}", False),
        ("/srv/{id}", False),
        ("/", False),
    ],
)
def test_a_volume_without_a_name_is_known_by_its_place(root: str, is_anonymous: bool) -> None:
    line = f"36 35 98:0 {root.format(id='0a' * 32)} /a rw - ext4 /dev/root rw"
    assert only(line).is_anonymous_volume == is_anonymous


@pytest.mark.parametrize(
    ("root", "is_empty_dir"),
    [
        ("/var/lib/kubelet/pods/5c21/volumes/kubernetes.io~empty-dir/train", True),
        ("/pods/5c21/volumes/kubernetes.io~empty-dir/train/opt", True),
        ("/pods/5c21/volumes/kubernetes.io~csi/pvc-5c21/mount", False),
        ("/srv/kubernetes.io~empty-dir", False),
        ("/", False),
    ],
)
def test_an_empty_dir_of_a_pod_is_known_by_its_place(root: str, is_empty_dir: bool) -> None:
    assert only(f"36 35 98:0 {root} /a rw - ext4 /dev/root rw").is_empty_dir == is_empty_dir


def test_escaped_characters_of_a_mount_point() -> None:
    line = r"36 35 0:26 / /a\040b\011c\012d\134e\134040 rw - tmpfs tmpfs rw"
    assert only(line).point == Path("/a b\tc\nd\\e\\040")


@pytest.mark.parametrize("space", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\xa0", "\u2028", "-"])
def test_only_space_and_newline_separate(space: str) -> None:
    line = f"36 35 0:26 / /a{space}b rw - tmpfs tmpfs rw"
    assert only(line).point == Path(f"/a{space}b")


def test_a_source_without_name() -> None:
    assert only("36 35 0:26 / /a rw - tmpfs  ro").read_only


GOOD = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue"
BAD = {
    "another table": "rootfs / rootfs rw 0 0",
    "no separator": GOOD.replace(" - ", " "),
    "nothing behind it": GOOD.partition(" - ")[0] + " -",
    "only a type behind it": GOOD.partition(" - ")[0] + " - ext3",
    "an id that is no number": "x" + GOOD,
    "an id of another script": GOOD.replace("36", "\u0663"),
    "an id that nobody counts up to": "9" * 5000 + GOOD,
    "a mount point without a name": GOOD.replace("/mnt2", ""),
}


@pytest.mark.parametrize("line", BAD.values(), ids=BAD)
def test_text_that_is_no_mountinfo(line: str) -> None:
    with pytest.raises(SystemFailure) as raised:
        parse(f"{GOOD}\n{line}\n")
    assert raised.value.code == "mountinfo-malformed"


def assert_read_or_refused(text: str) -> None:
    """Check that each line is one mount, or that the whole text is refused."""
    found: int | str
    try:
        found = len(parse(text))
    except SystemFailure as error:
        found = error.code
    assert found in (len([line for line in text.split("\n") if line]), "mountinfo-malformed")


@example([GOOD, "\n", GOOD])
@given(st.lists(st.sampled_from([*GOOD, *GOOD.split(" "), "\\", "\n", "\0", "\udcff"])))
def test_no_text_is_a_bug(pieces: list[str]) -> None:
    assert_read_or_refused("".join(pieces))


@given(st.sets(st.integers(0, GOOD.count(" ")), max_size=3))
@example(set())
def test_a_line_with_fields_left_out_is_refused_or_read(left_out: set[int]) -> None:
    fields = enumerate(GOOD.split(" "))
    assert_read_or_refused(" ".join(field for place, field in fields if place not in left_out))


# Real mounts


def test_the_mount_of_everything() -> None:
    assert is_mount_point(Path("/"))
    assert mount_of(Path("/")).point == Path("/")
    assert (mount_of(Path("/proc")).fs_type, is_mount_point(Path("/proc"))) == ("proc", True)


def test_a_path_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        mount_of(tmp_path / "absent")
    with pytest.raises(FileNotFoundError):
        is_mount_point(tmp_path / "absent")


def test_a_folder_within_a_mount_is_no_mount_point(tmp_path: Path) -> None:
    assert not is_mount_point(tmp_path)


def test_type_and_mode_of_a_mount(tmp_path: Path) -> None:
    code = """
folder = new("some name\\n")
mount("-t", "tmpfs", "-o", "ro", "tmpfs", folder)
found = mount_of(folder)
print((found.point == folder, found.fs_type, found.read_only))
"""
    assert printed(code, tmp_path) == (True, "tmpfs", True)


def test_a_read_only_bind_of_a_writable_file_system(tmp_path: Path) -> None:
    code = """
source, point = new("source"), new("point")
mount("--bind", source, point)
mount("-o", "remount,bind,ro", point)
print([(is_mount_point(path), mount_of(path).read_only) for path in (source, point)])
"""
    assert printed(code, tmp_path) == [(False, False), (True, True)]


def test_a_single_file_as_mount_point(tmp_path: Path) -> None:
    code = """
source, point = here / "source", here / "point"
source.touch()
point.touch()
mount("--bind", source, point)
print((is_mount_point(source), is_mount_point(point), mount_of(point).point == point))
"""
    assert printed(code, tmp_path) == (False, True, True)


def test_a_symlink_is_followed(tmp_path: Path) -> None:
    code = """
folder = new("folder")
mount("-t", "tmpfs", "tmpfs", folder)
(here / "link").symlink_to(folder)
print((is_mount_point(here / "link"), mount_of(here / "link").fs_type))
"""
    assert printed(code, tmp_path) == (True, "tmpfs")


def test_a_mount_that_a_later_one_hides_does_not_count(tmp_path: Path) -> None:
    code = """
inner = new("outer/inner")
mount("-t", "tmpfs", "-o", "ro", "hidden", inner)
mount("-t", "tmpfs", "visible", inner.parent)
inner.mkdir()
print((is_mount_point(inner), mount_of(inner).read_only))
"""
    assert printed(code, tmp_path) == (False, False)


def test_two_mounts_at_one_place(tmp_path: Path) -> None:
    code = """
folder = new("folder")
seen = [hides_another(folder)]
one, other = new("one"), new("other")
for source in (one, one, other):
    mount("--bind", source, folder)
    seen.append(hides_another(folder))
print(seen)
"""
    assert printed(code, tmp_path) == [False, False, False, True]


def test_what_is_mounted_over_the_root_itself_is_on_nobodys_way(tmp_path: Path) -> None:
    code = """
before = mount_of(Path("/")).id
mount("-t", "tmpfs", "later", "/")
print(mount_of(Path("/")).id == before)
"""
    assert printed(code, tmp_path) is True


def test_a_path_has_the_mount_that_the_kernel_says_it_has(tmp_path: Path) -> None:
    code = """
import os
inner = new("outer/inner/file").parent
mount("-t", "tmpfs", "hidden", inner)
mount("--bind", "/proc", inner)
mount("-t", "tmpfs", "visible", inner.parent)
inner.mkdir()
mount("-t", "tmpfs", "one", inner)
mount("-t", "tmpfs", "on the other", inner)
mount("--rbind", "/proc", new("again"))
mount("-t", "tmpfs", "later", "/")
def told(path):
    handle = os.open(path, os.O_PATH)
    facts = dict(line.split(":\\t") for line in Path(f"/proc/self/fdinfo/{handle}").open())
    return int(facts["mnt_id"])
paths = [here, inner, inner.parent, here / "again", here / "again/self/status", Path("/usr")]
paths += [Path("/proc"), Path("/proc/self/fd"), Path("/dev/null"), Path("/sys"), Path("/")]
print([str(path) for path in paths if mount_of(path).id != told(path)])
"""
    assert printed(code, tmp_path) == []


def test_a_mount_that_the_kernel_does_not_list_is_refused(tmp_path: Path) -> None:
    code = """
import os
from entrypoint.errors import SystemFailure
mount("--rbind", "/proc", new("root/proc"))
os.chroot(here / "root")
try:
    mount_of(Path("/"))
except SystemFailure as error:
    print((error.code, "chroot" in error.hint))
"""
    assert printed(code, tmp_path) == ("mount-not-listed", True)


def test_mounts_below_a_folder(tmp_path: Path) -> None:
    code = """
for name in ("b", "b/inner", "a", "a"):
    (here / name).mkdir(exist_ok=True)
    mount("-t", "tmpfs", "tmpfs", here / name)
new("ab")
print(*[[str(path.relative_to(here)) for path in mounts_below(f)] for f in (here, here / "b")])
"""
    printed = run_python(PREPARE + code, tmp_path)
    assert printed == "['a', 'b', 'b/inner'] ['b/inner']\n"


def test_an_overlay_holds_what_lies_in_it_and_not_what_is_mounted_there(tmp_path: Path) -> None:
    code = """
lower, upper, work, point = map(new, ("top/lower", "top/upper", "top/work", "point"))
mount("-t", "tmpfs", "tmpfs", here / "top")
for name in ("lower", "upper", "work"):
    new(f"top/{name}")
options = f"lowerdir={lower},upperdir={upper},workdir={work}"
mount("-t", "overlay", "overlay", "-o", options, point)
volume = new("point/volume")
found = [is_in_overlay(path) for path in (here, point, volume)]
mount("-t", "tmpfs", "tmpfs", volume)
print([*found, is_in_overlay(volume)])
"""
    assert printed(code, tmp_path) == [False, True, True, False]
