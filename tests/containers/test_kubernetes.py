"""`examples/kubernetes`: its pods, run by podman, with folders for the volumes of a cluster."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.containers.bases import make_base
from tests.containers.engine import Engine
from tests.containers.images import masters_of
from tests.containers.other_engines import OtherEngines
from tests.containers.pods import CONFIGURATION, play, pod_of
from tests.containers.site import Arrive
from tests.containers.visitor import FIRST
from tests.station import REPOSITORY, Done, opened, pht, settle, unpack

SKOPEO = """\
#!/bin/sh
case $1 in copy) option=--src-tls-verify=false ;; *) option=--tls-verify=false ;; esac
command=$1
shift
exec {skopeo} $command $option "$@"
"""
"""A skopeo that takes a registry without encryption."""

MANIFESTS = REPOSITORY / "examples" / "kubernetes"
MASTER = "registry.example.org/pht-master:buster"
TRAIN = "registry.example.org/patients@sha256:DIGEST"
USER = 10001

on_musl = pytest.mark.parametrize("runner_image", ["musl"], indirect=True)


@dataclass(frozen=True)
class Cluster:
    """One node, whose volumes are folders below `folder`."""

    others: OtherEngines
    folder: Path
    master: str
    train: str

    def run(self, manifest: str, container: str, *volumes: str, **others: Path) -> Done:
        """Run the pod of a manifest's Job with these volumes; see `play`."""
        text = (MANIFESTS / manifest).read_text()
        images = {MASTER: self.master} | ({TRAIN: self.train} if TRAIN in text else {})
        folders = {name: self.folder / name for name in volumes} | others
        ended = play(self.others, pod_of(text, images, folders), container)
        return Done(ended.status, ended.stdout, ended.stderr.decode())

    def visit(self) -> Done:
        """Run the pod of a visit, with folders of its own."""
        for name in ("tmp", "arriving"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            give(self.folder / name)
        volumes = ("train", "data", "archives", "masters", "station", "tmp", "arriving")
        ledger = self.folder / "ledger" / "ledger"
        return self.run("visit.yaml", "visit", *volumes, ledger=ledger)


@pytest.fixture
def cluster(
    others: OtherEngines,
    runner_image: str,
    arrive: Arrive,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Cluster:
    """A node at which a train has arrived, and whose station has a ledger."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to give folders to the user of the pods")
    (tmp_path / "containers.conf").write_text(CONFIGURATION)
    monkeypatch.setenv("CONTAINERS_CONF", str(tmp_path / "containers.conf"))
    site = arrive()
    for name in ("train", "data", "archives", "masters", "ledger", "out"):
        give(tmp_path / name)
    archives = tmp_path / "archives"
    for tag in ("base", "latest"):
        saved = site.engine.must("save", f"{site.repository}:{tag}")
        (archives / f"patients-{tag}.tar").write_bytes(saved)
    described = masters_of(site.engine, runner_image)
    (tmp_path / "masters" / "masters.json").write_bytes(described)
    project(tmp_path)
    master = others.take_over(site.engine, runner_image)
    train = others.load(archives / "patients-latest.tar")
    cluster = Cluster(others, tmp_path, master, train)
    made = cluster.run("station.yaml", "make", "ledger")
    assert made.status == 0, made.stderr
    return cluster


def give(folder: Path) -> None:
    """Make a folder for the pods' group, as with fsGroup."""
    folder.mkdir(exist_ok=True)
    os.chown(folder, 0, USER)
    folder.chmod(0o2775)


def project(folder: Path) -> None:
    """Make `folder/station` of the station folder there, as a kubelet fills a projected volume."""
    settle(folder, FIRST)
    version = folder / "station" / "..2026_03_01"
    shutil.copytree(folder / "run" / "pht", version)
    (folder / "station" / "..data").symlink_to(version.name)
    for file in version.iterdir():
        os.chown(file, 0, USER)
        file.chmod(0o440)
        (folder / "station" / file.name).symlink_to(f"..data/{file.name}")


@on_musl
def test_a_visit_ends_with_the_sealed_train_as_a_tar(cluster: Cluster, tmp_path: Path) -> None:
    done = cluster.visit()

    assert done.status == 0, done.stderr
    assert (done.facts["result"], done.facts["replay"]) == ("visited", "checked")
    assert cluster.visit().code == "already-visited", "the claim was filled anew"
    exported = cluster.run("export.yaml", "export", "train", "out")
    assert exported.status == 0, exported.stderr
    opt = unpack(tmp_path / "out" / "patients.tar", tmp_path / "exported")
    assert opened(opt) == {"1": b"left here"}


def test_the_image_of_the_train_sees_no_claim_of_a_pod_before_it() -> None:
    """If that was killed, the results of earlier stops lie there in plaintext."""
    containers = (MANIFESTS / "visit.yaml").read_text().split("\n        - name: ")
    [load] = [container for container in containers if TRAIN in container]
    assert re.findall("- name: (.*)", load) == ["arriving"]


@on_musl
def test_a_base_that_is_not_accepted_ends_the_visit_before_the_train_is_loaded(
    cluster: Cluster, engine: Engine, tmp_path: Path
) -> None:
    archive = engine.must("save", make_base(engine, "musl"))
    (tmp_path / "archives" / "patients-base.tar").write_bytes(archive)

    done = cluster.visit()

    assert "exited with code 77" in done.stderr
    assert [*(tmp_path / "train").iterdir()] == []


@on_musl
def test_the_images_of_a_registry_become_archives_that_are_accepted(
    arrive: Arrive,
    others: OtherEngines,
    engine: Engine,
    registry: str,
    runner_image: str,
    tmp_path: Path,
) -> None:
    program = tmp_path / "skopeo"
    program.write_text(SKOPEO.format(skopeo=shutil.which("skopeo")))
    program.chmod(0o755)
    site = arrive(registry=registry)
    site.push()
    page = (MANIFESTS / "README.md").read_text()
    [shown] = re.findall("^for tag in .*?^done$", page, re.DOTALL | re.MULTILINE)
    commands = shown.replace("registry.example.org/patients", site.repository)
    path = f"{tmp_path}:{os.environ['PATH']}"

    subprocess.run(
        ["sh", "-euc", commands], cwd=tmp_path, env={**os.environ, "PATH": path}, check=True
    )

    (tmp_path / "master.tar").write_bytes(engine.must("save", runner_image))
    for tag, image in zip(("base", "latest"), site.ids(), strict=True):
        archive = tmp_path / f"patients-{tag}.tar"
        done = pht("validate-image", "--master", tmp_path / "master.tar", archive)
        assert (done.status, done.stdout.split()[1]) == (0, image.encode()), done.stdout
