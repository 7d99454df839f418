"""The folders of libraries that a base brings, as those of CUDA do, and nobody else's."""

from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.images import make
from tests.containers.visitor import (
    SECOND,
    Container,
    arrived,
    assert_visited,
    build_image,
    station_folder,
)
from tests.images.conftest import Master
from tests.station import assert_explained, opened, settle

CUDA = "/usr/local/nvidia/lib:/usr/local/nvidia/lib64"
EMPTIED = ["--env", "LD_LIBRARY_PATH="]
TELLS = """\
import os, pathlib
told = os.environ.get("LD_LIBRARY_PATH", "nothing")
pathlib.Path(os.environ["PHT_RESULTS_DIR"], "visits").write_text(told)
"""


@pytest.mark.parametrize(
    "master", [("slim", "musl"), ("dl", "trixie")], indirect=True, ids=["slim", "dl"]
)
def test_the_folders_of_the_base_are_accepted_and_no_others(
    engine: Engine, master: Master, tmp_path: Path
) -> None:
    dockerfile = f"FROM {master.base}\nENV LD_LIBRARY_PATH={CUDA}\n"
    base = engine.build(f"cuda-base-{master.name}", {"Dockerfile": dockerfile.encode()})
    tag = f"pht-test-{engine.session}:cuda-{master.name}"
    options = {"PACKAGES": "plain", "BUILD": f"--quiet --label {engine.label}"}
    built = make("image", IMAGE=master.name, BASE_IMAGE=base, TAG=tag, **options)
    assert built.returncode == 0, built.stderr
    image = build_image(engine, tag, name=f"cuda-train-{master.name}")
    opt = arrived(tmp_path, TELLS)
    settle(tmp_path, SECOND)
    station = station_folder(tmp_path)

    for name, set_to, told in [("left", [], CUDA), ("empty", EMPTIED, "nothing")]:
        container = Container.create(engine, image, opt, [*station, *set_to])
        assert_visited(container.run())
        assert opened(container.take(tmp_path / name)) == {"visits": told.encode()}
    for value in (f"{CUDA}:/opt", f"{CUDA}:", "/opt/pht_train"):
        set_to = ["--env", f"LD_LIBRARY_PATH={value}"]
        done = Container.create(engine, image, opt, [*station, *set_to]).run()
        assert_explained(done, 78, "environment-loads-code")
        assert f"--env LD_LIBRARY_PATH={CUDA} " in done.stderr
