"""How master images are built: without network, the same each time, only from what is locked."""

import io
import json
import os
import platform
import re
import shutil
import tarfile
from pathlib import Path

import pytest

from entrypoint import __version__
from tests.containers.engine import Engine, Finished
from tests.containers.images import make
from tests.images.conftest import Master
from tests.images.metadata import LABEL, inspect
from tests.station import REPOSITORY

INPUT = (".dockerignore", "entrypoint", "master_images", "build/wheels/plain")
"""What an image is built from."""

of_slim = pytest.mark.parametrize("master", [("slim", "musl")], indirect=True, ids=["slim"])
of_slim_and_buster = pytest.mark.parametrize(
    "master", [("slim", "musl"), ("buster", "bookworm")], indirect=True, ids=["slim", "buster"]
)
LIKE_CONDA = """\
RUN mkdir /opt/conda && mv /usr/local/bin /usr/local/lib /opt/conda/
ENV PATH=/opt/conda/bin:/bin
"""
YEAR_1980, EPOCH = 315_532_800, 1_000_000_000


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, master: Master) -> Path:
    """Return a copy of the input, with other dates and modes, after `master` has been built."""
    tree = tmp_path_factory.mktemp("tree")
    before = os.umask(0o077)
    for name in INPUT:
        source, copy = REPOSITORY / name, tree / name
        if source.is_dir():
            shutil.copytree(source, copy, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(source, copy)
    os.umask(before)
    return tree


def build_master(engine: Engine, tree: Path, master: Master, *options: str) -> Finished:
    """Build a master image from a tree as `make image` does, but with nothing of an earlier one."""
    dockerfile = tree / "master_images" / master.name / "Dockerfile"
    fixed = ["--no-cache", "--network", "none", "--label", engine.label, "--file", str(dockerfile)]
    given = ["--build-arg", f"BASE_IMAGE={master.base}", "--build-arg", "PACKAGES=plain"]
    return engine.call("build", *fixed, *given, *options, str(tree))


@of_slim_and_buster
def test_the_same_tree_gives_the_same_layers(engine: Engine, tree: Path, master: Master) -> None:
    tag = f"pht-test-{engine.session}:again"
    done = build_master(engine, tree, master, "--tag", tag)
    assert done.status == 0, done.stderr.decode()
    first, second = (inspect(engine, name)["RootFS"]["Layers"] for name in (master.tag, tag))
    assert first == second


@of_slim_and_buster
def test_all_that_an_image_adds_has_the_date_that_is_told(
    engine: Engine, tree: Path, master: Master
) -> None:
    tag = f"pht-test-{engine.session}:dated"
    done = build_master(
        engine, tree, master, "--tag", tag, "--build-arg", f"SOURCE_DATE_EPOCH={EPOCH}"
    )
    assert done.status == 0, done.stderr.decode()
    assert {member.mtime for member in added(engine, tag)} == {EPOCH}
    assert {member.mtime for member in added(engine, master.tag)} == {YEAR_1980}


def added(engine: Engine, tag: str) -> list[tarfile.TarInfo]:
    """Return what the uppermost layer of an image holds."""
    with tarfile.open(fileobj=io.BytesIO(engine.must("save", tag))) as image:
        manifest = image.extractfile("manifest.json")
        assert manifest is not None
        layer = image.extractfile(json.load(manifest)[0]["Layers"][-1])
        with tarfile.open(fileobj=layer) as members:
            return members.getmembers()


@of_slim
def test_the_labels_say_where_the_source_is(engine: Engine, master: Master) -> None:
    tag = f"pht-test-{engine.session}:told"
    told = {"REVISION": "0123abc", "SOURCE": "https://git.example.org/pht"}
    options = {"BUILD": f"--quiet --label {engine.label}", "BASE_IMAGE": master.base}
    assert make("image", IMAGE=master.name, TAG=tag, **options, **told).returncode == 0
    labels = inspect(engine, tag)["Config"]["Labels"]
    assert labels[f"{LABEL}revision"] == told["REVISION"]
    assert labels[f"{LABEL}source"] == told["SOURCE"]


@of_slim
def test_a_wheel_that_is_not_as_locked_is_refused(
    engine: Engine, tree: Path, master: Master
) -> None:
    [wheel] = (tree / "build/wheels/plain").glob(
        f"*/cffi-*-cp313-cp313-musl*_{platform.machine()}.whl"
    )
    before = wheel.read_bytes()
    wheel.write_bytes(before + b"more")
    done = build_master(engine, tree, master)
    wheel.write_bytes(before)
    assert done.status != 0
    assert b"DO NOT MATCH THE HASHES" in done.stdout + done.stderr  # which one, the builder decides


@of_slim
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("RUN mkdir /opt/pht_train", b"which is a train's"),
        ("RUN echo 'own:x:10001:10001::/:/bin/sh' >>/etc/passwd", b"uses 10001"),
        ("ENV LD_LIBRARY_PATH=/usr/lib:", b"absolute folders only"),
        ("ENV LD_LIBRARY_PATH=/usr/lib;lib", b"absolute folders only"),
        ("ENV LD_LIBRARY_PATH=/usr/lib:/opt/rocm/lib", b"names /opt/rocm/lib, but"),
        ("RUN ln -s /opt/rocm /rocm\nENV LD_LIBRARY_PATH=/rocm/lib", b"names /rocm/lib, but"),
        ("RUN echo /lib:/usr/lib:/opt/lib >/etc/ld-musl-x86_64.path", b"names /opt/lib, but"),
        (LIKE_CONDA, b"uses /opt/conda/"),
        ("RUN mv /usr/local/lib /opt/lib && ln -s /opt/lib /usr/local/lib", b"uses /opt/lib/"),
    ],
    ids=[
        "with a train",
        "with the account's number",
        "with an empty folder",
        "with a relative",
        "with libraries below opt",
        "with libraries below opt by a link",
        "with libraries below opt on musl's list",
        "with Python below opt",
        "with the library of Python below opt",
    ],
)
def test_a_base_that_does_not_suit_is_refused(
    line: str, reason: bytes, engine: Engine, tree: Path, master: Master
) -> None:
    dockerfile = f"FROM {master.base}\n{line}\n".encode()
    base = engine.build("unsuitable", {"Dockerfile": dockerfile})
    done = build_master(engine, tree, Master(master.name, "", base))
    assert done.status != 0
    assert reason in done.stdout + done.stderr


@of_slim
def test_a_base_may_have_another_python_below_opt(
    engine: Engine, tree: Path, master: Master
) -> None:
    lines = "RUN python3 -m venv --without-pip /opt/venv\nENV PATH=/opt/venv/bin:$PATH\n"
    base = engine.build("venv", {"Dockerfile": f"FROM {master.base}\n{lines}".encode()})
    done = build_master(engine, tree, Master(master.name, "", base))
    assert done.status == 0, done.stdout + done.stderr


@of_slim
def test_packages_are_refused_where_trains_have_another_python_than_the_runner(
    engine: Engine, tree: Path, master: Master
) -> None:
    lines = "RUN mkdir /old && cp /usr/local/bin/python3 /old/\nENV PATH=/old:$PATH\n"
    base = engine.build("two-pythons", {"Dockerfile": f"FROM {master.base}\n{lines}".encode()})
    packages = tree / "master_images" / "packages" / "plain.txt"
    before = packages.read_text()
    packages.write_text("numpy==2.5.5 --hash=sha256:00\n")
    runner = ["--build-arg", "RUNNER_PYTHON=/usr/local/bin/python3"]
    done = build_master(engine, tree, Master(master.name, "", base), *runner)
    packages.write_text(before)
    assert done.status != 0
    assert b"locked for the runner's Python, but" in done.stdout + done.stderr


def test_the_bill_of_materials_lists_what_is_locked_for_the_runner() -> None:
    done = make("sbom")
    if "No matching distribution found" in done.stderr:  # all that pip says without a network
        pytest.skip("PyPI cannot be reached")
    assert done.returncode == 0, done.stderr
    bill = json.loads((REPOSITORY / "build" / "sbom.json").read_text())
    runner = bill["metadata"]["component"]
    assert (runner["name"], runner["version"]) == ("pht-entrypoint", __version__)
    listed = {f"{part['name']}=={part['version']}" for part in bill["components"]}
    lock = (REPOSITORY / "entrypoint" / "requirements.txt").read_text()
    assert listed == set(re.findall(r"^[a-z0-9-]+==[\w.]+", lock, re.MULTILINE))
