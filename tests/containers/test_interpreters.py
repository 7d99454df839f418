"""Interpreters that a base image keeps below /opt, as those of conda and of R often do."""

from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.visitor import (
    COUNTS,
    SECOND,
    Container,
    arrived,
    assert_visited,
    build_image,
    station_folder,
)
from tests.station import assert_explained, settle

BY_CONDA = """
RUN mkdir -p /opt/conda/bin && cp "$(command -v python3)" /opt/conda/bin/python
ENV PATH=/opt/conda/bin:$PATH
"""
BY_A_LINK = 'RUN ln -s "$(command -v python3)" /opt/pht_results/python\n'


@pytest.mark.parametrize("program", ["python", "/opt/conda/bin/python"])
def test_a_train_runs_with_the_interpreter_of_its_base_image(
    program: str, engine: Engine, runner_image: str, tmp_path: Path
) -> None:
    command = [program, "/opt/pht_train/train.py"]
    image = build_image(engine, runner_image, command, name="conda", more=BY_CONDA)
    script = COUNTS + "import sys; print(sys.executable)"
    settle(tmp_path, SECOND)
    options = station_folder(tmp_path)

    done = Container.create(engine, image, arrived(tmp_path, script), options).run()

    assert_visited(done)
    assert done.stdout == b"/opt/conda/bin/python\n"


def test_a_link_to_an_interpreter_among_the_results_is_refused(
    engine: Engine, runner_image: str, tmp_path: Path
) -> None:
    command = ["/opt/pht_results/python", "/opt/pht_train/train.py"]
    image = build_image(engine, runner_image, command, name="carried", more=BY_A_LINK)
    settle(tmp_path, SECOND)
    options = station_folder(tmp_path)

    done = Container.create(engine, image, arrived(tmp_path, COUNTS), options).run()

    assert_explained(done, 77, "command-not-signed")
