"""A GPU as NVIDIA's toolkit describes it (CDI), in a visit by podman with the documented options.

There is no GPU: its device nodes are those of /dev/zero, and its library is another one. What the
driver does with them is tried: opening, controlling, mapping, and naming threads.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.other_engines import OtherEngines
from tests.containers.plain_options import RECOMMENDED
from tests.containers.podman import configure, own_docker
from tests.containers.visitor import SECOND, Container, arrived, assert_visited, station_folder
from tests.station import settle

NODES = (
    *("nvidia0", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-caps/nvidia-cap1"),
    *("dri/renderD128", "kfd"),
)
ZERO = os.makedev(1, 5)

LIBRARIES = "/usr/lib/x86_64-linux-gnu"

HOOK = """\
#!{python}
import json, os, subprocess, sys
with open(json.load(sys.stdin)["bundle"] + "/config.json") as file:
    root = json.load(file)["root"]["path"]
os.symlink("libcuda.so.1", root + "{folder}/libcuda.so")
subprocess.run(["/sbin/ldconfig", "-r", root], check=True)
"""
"""Does the work of the toolkit's hooks: makes a link, and the cache of the dynamic linker."""

PRIVATE_ETC = 'mount -t overlay none /etc -o lowerdir="$0":/etc && exec "$@"'

TRAIN = """\
import ctypes, errno, fcntl, json, mmap, os, pathlib, threading

def tried(action, *arguments):
    try:
        action(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return "done"

def use(path):
    device = os.open(path, os.O_RDWR)
    control = tried(fcntl.ioctl, device, 0xC00846D2)
    mmap.mmap(device, 4096)[0:1] = b"x"
    return control

def name_thread():
    comm = f"/proc/{{os.getpid()}}/task/{{threading.get_native_id()}}/comm"
    os.write(os.open(comm, os.O_RDWR), b"cuda")

def cache():
    folder = pathlib.Path.home() / ".nv" / "ComputeCache"
    folder.mkdir(parents=True)
    (folder / "index").write_text("")

named = []
thread = threading.Thread(target=lambda: named.append(tried(name_thread)))
thread.start()
thread.join()
print(json.dumps({{
    "uid": os.getuid(),
    "devices": {{name: use("/dev/" + name) for name in {nodes}}},
    "library": tried(ctypes.CDLL, "libcuda.so"),
    "variable": os.environ.get("NVIDIA_VISIBLE_DEVICES"),
    "thread": named,
    "cache": tried(cache),
    "shared memory": tried(pathlib.Path("/dev/shm/cuda.shm").write_text, ""),
    "node": tried(os.mknod, "/tmp/node", 0o20666, os.makedev(195, 0)),
}}))
pathlib.Path(os.environ["PHT_RESULTS_DIR"], "visits").write_text("2")
"""


@pytest.fixture
def podman(others: OtherEngines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Podman that finds the specification of the GPU in an /etc of its own."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to make device nodes")
    configure(tmp_path, monkeypatch)
    folder = tmp_path / "etc"
    (folder / "cdi").mkdir(parents=True)
    (folder / "cdi" / "nvidia.json").write_text(json.dumps(specification(tmp_path)))
    return own_docker(
        others, tmp_path, ["unshare", "--mount", "sh", "-c", PRIVATE_ETC, str(folder)]
    )


def specification(folder: Path) -> dict[str, object]:
    """Return what `nvidia-ctk cdi generate` would write, of things in a folder, and make these."""
    library, hook = folder / "libcuda.so.1", folder / "hook"
    shutil.copy(real_library("libm.so.6"), library)
    hook.write_text(HOOK.format(python=sys.executable, folder=LIBRARIES))
    hook.chmod(0o755)
    nodes = []
    for name in NODES:
        node = folder / "dev" / name
        node.parent.mkdir(parents=True, exist_ok=True)
        os.mknod(node, stat.S_IFCHR, ZERO)
        node.chmod(0o666)
        nodes.append({"path": f"/dev/{name}", "hostPath": str(node)})
    options = ["ro", "nosuid", "nodev", "bind"]
    place = f"{LIBRARIES}/{library.name}"
    return {
        "cdiVersion": "0.5.0",
        "kind": "nvidia.com/gpu",
        "devices": [{"name": "all", "containerEdits": {"deviceNodes": nodes}}],
        "containerEdits": {
            "env": ["NVIDIA_VISIBLE_DEVICES=void"],
            "hooks": [{"hookName": "createContainer", "path": str(hook), "args": ["hook"]}],
            "mounts": [
                {"hostPath": str(library), "containerPath": place, "options": options},
            ],
        },
    }


def real_library(name: str) -> Path:
    """Return the path of a library of this machine."""
    cache = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True)
    [line] = [line for line in cache.stdout.splitlines() if f"\t{name} (libc6,x86-64" in line]
    return Path(line.rpartition(" => ")[2])


def test_a_train_uses_the_devices_and_libraries_of_a_gpu(
    podman: Engine, others: OtherEngines, engine: Engine, train_image: str, tmp_path: Path
) -> None:
    image = others.take_over(engine, train_image)
    opt = arrived(tmp_path / "author", TRAIN.format(nodes=list(NODES)))
    settle(tmp_path, SECOND)
    options = [*RECOMMENDED, "--device", "nvidia.com/gpu=all", *station_folder(tmp_path)]
    container = Container.create(podman, image, opt, options)

    done = container.run()

    assert_visited(done)
    assert done.facts["layers"] == "uid,caps,landlock,seccomp,key-absent"
    assert json.loads(done.stdout) == {
        "uid": 10001,
        "devices": dict.fromkeys(NODES, "ENOTTY"),  # of the device; a sandbox says EACCES
        "library": "done",
        "variable": "void",
        "thread": ["done"],
        "cache": "done",
        "shared memory": "done",
        "node": "EACCES",
    }
    podman.must("rm", "--volumes", container.id)
