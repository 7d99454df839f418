"""Rows of validating images: this program, the published check and one pass of SHA-256."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from random import Random

from entrypoint.linux.mounts import mount_of
from tests.adversarial.hostile_images.verdicts import PUBLISHED_CHECK
from tests.archives import MASTER_LAYERS, image_config, sha256, train_layer
from tests.bench.measure import Command, Program, figures
from tests.bench.plan import OURS, PUBLISHED, Bench, ImagePair, Row
from tests.bench.trains import Runner
from tests.containers.engine import Unavailable
from tests.interop import environments

SHA_256 = "SHA-256"

HASHES = "import hashlib, sys; hashlib.file_digest(open(sys.argv[1], 'rb'), 'sha256')"

_LAYERS = 4
_ROOM = 3
"""Free disk space that a pair needs, in multiples of its size."""


@dataclass(frozen=True)
class _Layer:
    path: Path
    digest: str


def add_validation(bench: Bench, pair: ImagePair) -> None:
    """Measure the validation of a train's image against its master.

    Raises:
        Unavailable: there is not enough space on the disk.
    """
    if shutil.disk_usage(bench.folder).free < _ROOM * pair.size:
        raise Unavailable(f"it needs {_ROOM * pair.size} bytes on the disk")
    with tempfile.TemporaryDirectory(dir=bench.folder) as name:
        folder = Path(name)
        master, train = make_pair(folder, pair)
        programs = {OURS: _ours(bench.runner, folder, master, train)}
        hashes: Command = [sys.executable, "-I", "-c", HASHES, train]
        programs[SHA_256] = Program(lambda task: hashes, tasks=("validate",), data=folder)
        try:
            python = environments.make(environments.ROUTE_VERSION)
            published: Command = [python, "-I", PUBLISHED_CHECK, "--archives", master, train]
            programs[PUBLISHED] = Program(lambda task: published, tasks=("validate",), data=folder)
        except Unavailable as reason:
            bench.left_out.append(f"the published check of an image of {pair.name}: {reason}")
        found = figures(programs, pair.rounds)
        place, size = mount_of(bench.folder).fs_type, train.stat().st_size
    shown = {program: tasks["validate"] for program, tasks in found.items()}
    bench.images.append(Row("", f"{pair.name}, {pair.files:,} files", place, shown, size))


def make_pair(folder: Path, pair: ImagePair) -> tuple[Path, Path]:
    """Write the archives of a master image and of a train on it, as `docker save` does."""
    layers = [_random_layer(folder / f"layer-{number}", pair) for number in range(_LAYERS)]
    for number, content in enumerate([*MASTER_LAYERS, train_layer()]):
        path = folder / f"small-{number}"
        path.write_bytes(content)
        layers.append(_Layer(path, sha256(content)))
    master = _archive(folder / "master.tar", layers[:-1])
    train = _archive(folder / "train.tar", layers)
    for layer in layers:
        layer.path.unlink()
    return master, train


def _ours(runner: Runner, folder: Path, master: Path, train: Path) -> Program:
    """Return this program; the master is described before, once for all trains."""
    described = runner.command("describe-image", folder, str(master))
    done = subprocess.run(described, capture_output=True, check=True)
    masters = folder / "masters.json"
    masters.write_bytes(done.stdout)
    command = runner.command("validate-image", folder, "--masters", str(masters), str(train))
    return Program(lambda task: command, tasks=("validate",), data=folder)


def _random_layer(path: Path, pair: ImagePair) -> _Layer:
    """Write a layer of files with random contents, most of them small."""
    random, content = Random(path.name), memoryview(os.urandom(8 * 1024 * 1024))
    count = pair.files // _LAYERS
    weights = [random.expovariate(1) ** 3 for _ in range(count)]
    scale = pair.size / _LAYERS / sum(weights)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as layer:
        for number, weight in enumerate(weights):
            entry = tarfile.TarInfo(f"usr/lib/{path.name}/package{number // 100}/{number}.py")
            entry.size = min(int(weight * scale), len(content))
            layer.addfile(entry, io.BytesIO(content[: entry.size]))
    with path.open("rb") as file:
        return _Layer(path, f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}")


def _archive(path: Path, layers: list[_Layer]) -> Path:
    """Write an archive of layers in files."""
    rootfs = {"type": "layers", "diff_ids": [layer.digest for layer in layers]}
    config = image_config([], rootfs=rootfs)
    names = [f"{layer.digest[7:]}/layer.tar" for layer in layers]
    config_name = f"{sha256(config)[7:]}.json"
    manifest = [{"Config": config_name, "RepoTags": None, "Layers": names}]
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, layer in zip(names, layers, strict=True):
            archive.add(layer.path, name)
        for name, data in ((config_name, config), ("manifest.json", json.dumps(manifest).encode())):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path
