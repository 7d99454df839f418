"""Stands in for Apptainer where that cannot be installed: the options of the recipe, by namespaces.

It follows what Apptainer documents of a container of an ordinary user: the root is the image, which
takes no writes, below a layer with the mount points; with `--writable-tmpfs` above both is one in
memory. The user stays who they are, without a capability, and can gain none. `--containall` gives
namespaces of processes and IPC, whose first process is none of the image's, folders in memory for
/tmp, and none of the caller's variables. `run` starts ENTRYPOINT and CMD, which arguments replace.

The caller needs CAP_SYS_ADMIN, as Apptainer gets from its set-user-ID program.
"""

import argparse
import ctypes
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

CONFIG = ".config.json"
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC = 1, 2, 4, 32, 4096, 16384
MNT_DETACH = 2
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, CLEAR_ALL = 24, 38, 47, 4
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}[os.uname().machine]
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")

libc = ctypes.CDLL(None, use_errno=True)


def build(image: Path, source: str) -> None:
    """Unpack the image of a `docker save` archive, for its user, into a folder."""
    kind, _, archive = source.partition(":")
    assert kind == "docker-archive", source
    with tempfile.TemporaryDirectory(dir=image.parent) as folder, tarfile.open(archive) as saved:
        saved.extraction_filter = lambda member, path: member
        saved.extractall(folder)
        [manifest] = json.loads(Path(folder, "manifest.json").read_bytes())
        image.mkdir()
        for layer in manifest["Layers"]:
            with tarfile.open(Path(folder, layer)) as opened:
                opened.extraction_filter = _of_the_user
                opened.extractall(image)
        assert not list(image.rglob(".wh.*")), "nothing in the images of the tests is removed"
        shutil.copy(Path(folder, manifest["Config"]), image / CONFIG)


def _of_the_user(member: tarfile.TarInfo, _: str) -> tarfile.TarInfo | None:
    """Make a file one of the caller's, as when one who is not root builds."""
    member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
    return None if member.isdev() else member


def start(options: argparse.Namespace) -> int:
    """Start the container in namespaces of its own, and return how it has ended."""
    spaces = ["--mount", "--pid", "--ipc", *(["--net"] if options.net else [])]
    inner = [sys.executable, __file__, "inside", *sys.argv[1:]]
    command = ["unshare", *spaces, "--fork", "--kill-child", *inner]
    process = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda *_: _pass_on(process))
    return process.wait()


def _pass_on(process: "subprocess.Popen[bytes]") -> None:
    """Ask the first process of the container to end, which `unshare` does not pass on."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    os.kill(int(children), signal.SIGTERM)


def inside(options: argparse.Namespace) -> int:
    """Make the container's root, and run its program as a child of the first process."""
    config = json.loads((options.image / CONFIG).read_bytes())["config"]
    environment = dict(line.split("=", 1) for line in [*config["Env"], *split(options.env)])
    environment |= {"APPTAINER_CONTAINER": str(options.image), "HOME": "/tmp"}
    command = options.command
    if options.action == "run":
        command = [*config["Entrypoint"], *(command or config["Cmd"])]
    _enter(_root(options))
    child = os.fork()
    if child == 0:
        _execute(command, environment)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code


def split(lists: Sequence[str]) -> list[str]:
    """Return the members of lists with commas."""
    return [member for words in lists for member in words.split(",")]


def _root(options: argparse.Namespace) -> Path:
    """Mount everything and return the root of the container."""
    binds = [(*bind.split(":"), "rw")[:3] for bind in split(options.bind)]
    session = Path(tempfile.mkdtemp())
    _mount("tmpfs", session, "tmpfs", data=f"uid={os.getuid()},gid={os.getgid()}")
    points, upper, work, root = (session / name for name in ("points", "upper", "work", "final"))
    for folder in (points, upper, work, root, *(points / name for name in ("proc", "tmp", "dev"))):
        folder.mkdir()
    for _, target, _ in binds:
        (points / target.lstrip("/")).mkdir(parents=True, exist_ok=True)
    layers = f"lowerdir={points}:{options.image.resolve()}"
    if options.writable_tmpfs:
        layers += f",upperdir={upper},workdir={work}"
    _mount("overlay", root, "overlay", MS_NOSUID | MS_NODEV, layers)
    for source, target, mode in binds:
        _bind(Path(source), root / target.lstrip("/"), MS_RDONLY if mode == "ro" else 0)
    _mount("proc", root / "proc", "proc", MS_NOSUID | MS_NODEV)
    _mount("tmpfs", root / "tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    _mount("tmpfs", root / "dev", "tmpfs", MS_NOSUID, f"uid={os.getuid()}")
    for name in DEVICES:
        (root / "dev" / name).touch()
        _mount(f"/dev/{name}", root / "dev" / name, "", MS_BIND)
    (root / "dev" / "fd").symlink_to("/proc/self/fd")
    (root / "dev" / "shm").mkdir(mode=0o1777)
    return root


def _bind(source: Path, target: Path, flags: int) -> None:
    _mount(str(source), target, "", MS_BIND | MS_REC)
    _mount("none", target, "", MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | flags)


def _mount(source: str, target: Path, kind: str, flags: int = 0, data: str = "") -> None:
    words = [os.fsencode(word) for word in (source, target, kind)]
    _must(libc.mount(*words, flags, data.encode()), f"mount {source} on {target}")


def _enter(root: Path) -> None:
    os.chdir(root)
    _must(libc.syscall(SYS_PIVOT_ROOT, b".", b"."), "pivot_root")
    _must(libc.umount2(b".", MNT_DETACH), "umount")
    os.chdir("/")


def _execute(command: Sequence[str], environment: dict[str, str]) -> NoReturn:
    """Become the program of the container, with no capability and no way to one."""
    for number in range(64):
        libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)  # refused without SETPCAP
    _must(libc.prctl(PR_CAP_AMBIENT, CLEAR_ALL, 0, 0, 0), "ambient capabilities")
    _must(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    os.execvpe(command[0], [*command], environment)


def _must(answer: int, what: str) -> None:
    if answer != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def parser() -> argparse.ArgumentParser:
    """Return the parser of what the recipe uses; anything else is an error."""
    whole = argparse.ArgumentParser(prog="apptainer", allow_abbrev=False)
    actions = whole.add_subparsers(dest="action", required=True)
    built = actions.add_parser("build")
    built.add_argument("image", type=Path)
    built.add_argument("source")
    for name in ("run", "exec"):
        started = actions.add_parser(name, allow_abbrev=False)
        for required in ("--containall", "--net"):
            started.add_argument(required, action="store_true", required=True)
        started.add_argument("--network", choices=["none"], required=True)
        started.add_argument("--writable-tmpfs", action="store_true")
        started.add_argument("--bind", action="append", default=[])
        started.add_argument("--env", action="append", default=[])
        started.add_argument("image", type=Path)
        started.add_argument("command", nargs=argparse.REMAINDER)
    return whole


def main(words: list[str]) -> int:
    """Run one command of the recipe, or what goes on in its namespaces."""
    is_inside = words[:1] == ["inside"]
    options: Any = parser().parse_args(words[1:] if is_inside else words)
    if options.action == "build":
        build(options.image, options.source)
        return 0
    do: Callable[[argparse.Namespace], int] = inside if is_inside else start
    return do(options)


if __name__ == "__main__":
    if sys.argv[1:2] == ["inside"] and os.getpid() != 1:
        raise SystemExit(f"not the first process of a namespace: {shlex.join(sys.argv)}")
    raise SystemExit(main(sys.argv[1:]))
