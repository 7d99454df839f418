"""Archives as engines really write them: accepted as they are, refused with one thing changed."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.containers.bases import make_base
from tests.containers.docker_25 import as_of_docker_25
from tests.containers.engine import Engine, pack
from tests.containers.fixtures import not_in_gvisor, or_skip
from tests.containers.images import START, masters_of
from tests.containers.other_engines import OtherEngines
from tests.containers.visitor import (
    COUNTS,
    FIRST,
    RUNS_TRAIN,
    TRAIN_IMAGE,
    Container,
    assert_visited,
    build_image,
    build_train,
    shared,
    station_folder,
)
from tests.station import new_train, pht, settle

MASTER = """\
FROM {base} AS base
FROM scratch
COPY --from=base /bin/busybox /bin/busybox
COPY etc /etc
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p /opt /usr/local/bin && ln -s /bin/busybox /usr/local/bin/python
ENV PATH=/usr/local/bin:/bin
USER root
ENTRYPOINT {start}
"""
"""A master image of 2 MB, which has all but a runner."""

MORE = {
    "a file": ("RUN touch /usr/local/bin/more\n", "path-outside"),
    "a variable": ("ENV LD_PRELOAD=/opt/pht_train/library.so\n", "env-refused"),
}
"""Lines of a Dockerfile that change a train, and the code of that."""


LIMITS = ("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096")
"""What podman sets by itself may be more than the machine allows."""


class Judged(NamedTuple):
    """What validate-image says: its exit status, and the codes of what it refuses for."""

    status: int
    refused: set[str]


@pytest.fixture(scope="module")
def master(engine: Engine) -> str:
    """The tag of a small master image."""
    base = or_skip(lambda: make_base(engine, "musl"))
    dockerfile = MASTER.format(base=base, start=json.dumps(START))
    users = {"etc/passwd": b"root:x:0:0::/root:/bin/sh\n", "etc/group": b"root:x:0:\n"}
    return engine.build("small-master", {"Dockerfile": dockerfile.encode(), **users})


@pytest.fixture(scope="module")
def masters(engine: Engine, master: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The description of that master image."""
    path = tmp_path_factory.mktemp("masters") / "masters.json"
    path.write_bytes(masters_of(engine, master))
    return path


@pytest.fixture(scope="module")
def opt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A train."""
    return new_train(tmp_path_factory.mktemp("train"), COUNTS)


@pytest.fixture(scope="module")
def saved(engine: Engine, master: str, opt: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of the train."""
    folder = tmp_path_factory.mktemp("saved")
    return save(engine, build_train(engine, "train", master, opt), folder / "train.tar")


# --- the ways of an image into an archive ---------------------------------------------------------

Way = Callable[[OtherEngines, Path, Path], object]
"""Makes an archive of another kind from one of `docker save`."""


def by_docker(others: OtherEngines, saved: Path, output: Path) -> None:
    output.symlink_to(saved)


def by_docker_25(others: OtherEngines, saved: Path, output: Path) -> None:
    as_of_docker_25(saved, output)


def by_skopeo(kind: str, *options: str) -> Way:
    def convert(others: OtherEngines, saved: Path, output: Path) -> None:
        others.skopeo("copy", *options, f"docker-archive:{saved}", f"{kind}:{output}")

    return convert


def by_podman(kind: str) -> Way:
    def convert(others: OtherEngines, saved: Path, output: Path) -> None:
        others.podman("save", "--format", kind, "--output", output, others.load(saved))

    return convert


def by_buildah(others: OtherEngines, saved: Path, output: Path) -> None:
    others.buildah("push", others.load(saved), f"oci-archive:{output}")


WAYS: dict[str, Way] = {
    "docker save": by_docker,
    "docker save of Docker 25": by_docker_25,
    "skopeo copy to docker-archive": by_skopeo("docker-archive"),
    "skopeo copy to OCI": by_skopeo("oci-archive"),
    "podman save": by_podman("docker-archive"),
    "podman save as OCI": by_podman("oci-archive"),
    "buildah push to OCI": by_buildah,
}

on_each_way = pytest.mark.parametrize("way", WAYS)

Convert = Callable[[str], Path]
"""Returns the archive that a way of WAYS makes of the train."""


@pytest.fixture(scope="module")
def convert(others: OtherEngines, saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Convert:
    """A function that makes each archive once."""
    folder = tmp_path_factory.mktemp("converted")

    @cache
    def make(way: str) -> Path:
        output = folder / f"{way}.tar".replace(" ", "-")
        WAYS[way](others, saved, output)
        return output

    return make


@on_each_way
def test_an_archive_of_any_engine_is_accepted(way: str, convert: Convert, masters: Path) -> None:
    assert validate(masters, convert(way)) == Judged(0, set())


@on_each_way
def test_one_changed_byte_of_a_layer_is_noticed(
    way: str, convert: Convert, masters: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "changed.tar"
    change_a_byte(convert(way), changed)
    judged = validate(masters, changed)
    assert judged.status == 77
    assert "master-unknown" in judged.refused


@pytest.mark.parametrize(("lines", "code"), MORE.values(), ids=[*MORE])
def test_what_an_image_has_more_is_refused(
    lines: str, code: str, engine: Engine, master: str, masters: Path, opt: Path, tmp_path: Path
) -> None:
    image = build_train(engine, f"more-{code}", master, opt, lines)
    assert validate(masters, save(engine, image, tmp_path / "t.tar")) == Judged(77, {code})


def test_zstd_is_read_where_python_has_it_and_named_otherwise(
    others: OtherEngines, saved: Path, masters: Path, tmp_path: Path
) -> None:
    options = ("--dest-compress-format", "zstd")
    by_skopeo("oci-archive", *options)(others, saved, tmp_path / "train.tar")
    done = pht("validate-image", "--masters", masters, tmp_path / "train.tar")
    if sys.version_info >= (3, 14):
        assert done.status == 0
    else:
        assert done.status == 77
        assert "zstd, which Python reads from version 3.14 on" in done.stdout.decode()


# --- the ways in which a train's image is made ----------------------------------------------------


def by_builder_of_trains(others: OtherEngines, engine: Engine, master: str, opt: Path) -> bytes:
    """As the published service does it: folders by RUN, files by copying, and a commit."""
    image = build_image(engine, master, name="by-run")
    return committed(engine, image, opt)


def without_buildkit(others: OtherEngines, engine: Engine, master: str, opt: Path) -> bytes:
    """The same with the builder of older engines, whose layers of RUN differ."""
    dockerfile = TRAIN_IMAGE.format(runner=master, command=json.dumps(RUNS_TRAIN))
    options = ["--quiet", "--network", "none", "--label", engine.label, "-"]
    done = subprocess.run(
        [engine.client, "build", *options],
        input=pack({"Dockerfile": dockerfile.encode()}),
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
        capture_output=True,
        check=True,
    )
    return committed(engine, done.stdout.decode().strip(), opt)


def by_podman_commit(others: OtherEngines, engine: Engine, master: str, opt: Path) -> bytes:
    """Commit a container of podman that the train was copied into."""
    image = others.take_over(engine, master)
    container = others.podman("create", "--network", "none", *LIMITS, image, *RUNS_TRAIN).strip()
    others.podman("cp", f"{opt}/.", f"{container}:/opt")
    made = others.podman("commit", "--quiet", container).strip()
    return other_saved(others, made)


def by_buildah_commit(others: OtherEngines, engine: Engine, master: str, opt: Path) -> bytes:
    """Commit a container of buildah that the train was copied into."""
    image = others.take_over(engine, master)
    container = others.buildah("from", "--pull-never", image).strip()
    others.buildah("copy", container, opt, "/opt")
    others.buildah("config", "--cmd", json.dumps(RUNS_TRAIN), container)
    made = others.buildah("commit", "--quiet", container).strip()
    return other_saved(others, made)


MAKERS = [
    by_builder_of_trains,
    pytest.param(without_buildkit, marks=not_in_gvisor("a step that it runs leaves other folders")),
    by_podman_commit,
    by_buildah_commit,
]


@pytest.mark.parametrize("maker", MAKERS)
def test_a_train_is_accepted_whoever_has_made_its_image(
    maker: Callable[[OtherEngines, Engine, str, Path], bytes],
    others: OtherEngines,
    engine: Engine,
    master: str,
    masters: Path,
    opt: Path,
    tmp_path: Path,
) -> None:
    archive = tmp_path / "train.tar"
    archive.write_bytes(maker(others, engine, master, opt))
    assert validate(masters, archive) == Judged(0, set())


@pytest.mark.parametrize("runner_image", ["musl"], indirect=True)
def test_a_container_committed_after_its_visit_is_accepted(
    engine: Engine, runner_image: str, train_image: str, opt: Path, tmp_path: Path
) -> None:
    """The mounts of the visit leave empty folders."""
    settle(tmp_path, FIRST)
    data = tmp_path / "data"
    data.mkdir()
    options = [*station_folder(tmp_path), *shared(data), "--tmpfs", "/tmp:exec"]
    container = Container.create(engine, train_image, opt, options)
    assert_visited(container.run())
    image = engine.must("commit", container.id).decode().strip()
    masters = tmp_path / "masters.json"
    masters.write_bytes(masters_of(engine, runner_image))
    assert validate(masters, save(engine, image, tmp_path / "t.tar")) == Judged(0, set())


# --- making and judging ---------------------------------------------------------------------------


def committed(engine: Engine, image: str, opt: Path) -> bytes:
    """Commit a container that the train was copied into, and return its archive."""
    container = Container(engine, engine.create(image))
    container.put(opt)
    return engine.must("save", engine.must("commit", container.id).decode().strip())


def save(engine: Engine, image: str, archive: Path) -> Path:
    """Save an image, and return the path of the archive."""
    engine.must("save", "--output", str(archive), image)
    return archive


def other_saved(others: OtherEngines, image: str) -> bytes:
    """Return the archive of an image of the other engines."""
    archive = others.folder / "saved.tar"
    archive.unlink(missing_ok=True)
    others.podman("save", "--format", "docker-archive", "--output", archive, image)
    return archive.read_bytes()


def validate(masters: Path, archive: Path) -> Judged:
    """Validate an image by the command."""
    done = pht("validate-image", "--json", "--masters", masters, archive)
    document = json.loads(done.stdout) if done.stdout else {"differences": []}
    refused = {one["code"] for one in document["differences"] if one["refused"]}
    return Judged(done.status, refused)


def change_a_byte(archive: Path, changed: Path) -> None:
    """Change one byte in the middle of the largest file of an archive: a layer of the master."""
    data = bytearray(archive.read_bytes())
    with tarfile.open(archive) as opened:
        largest = max(opened, key=lambda member: member.size)
    data[largest.offset_data + largest.size // 2] ^= 1
    changed.write_bytes(data)
