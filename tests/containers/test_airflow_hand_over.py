"""The hand-over of `examples/airflow`, by itself, of an image that names no user."""

from pathlib import Path

import pytest

from tests.airflow import environment
from tests.airflow.environment import Airflow
from tests.containers.bases import make_base
from tests.containers.engine import Engine
from tests.containers.fixtures import or_skip
from tests.station import finish

LEAVES_EMPTY_OUT = """
from docker.api.image import ImageApiMixin
inspect = ImageApiMixin.inspect_image
def inspect_image(self, image):
    found = inspect(self, image)
    found["Config"] = {name: value for name, value in found["Config"].items() if value}
    return found
ImageApiMixin.inspect_image = inspect_image
"""
"""Leaves empty fields out of the answers of the engine, as Docker does since 28.2."""


@pytest.mark.parametrize("setup", ["", LEAVES_EMPTY_OUT], ids=["empty", "left-out"])
def test_an_image_without_a_user_has_none_behind_the_hand_over(
    setup: str, engine: Engine, tmp_path: Path
) -> None:
    """Root by its number is another user for the next station, which compares."""
    installed = or_skip(environment.make)
    airflow = Airflow(installed, tmp_path, {"DOCKER_HOST": engine.address()})
    lines = [
        f"FROM {or_skip(lambda: make_base(engine, 'musl'))}",
        "RUN cd /opt && mkdir pht_train pht_results && touch train_config.json user_sym_key.key",
        'ENTRYPOINT ["program"]',
        'CMD ["train"]',
    ]
    base = engine.build("without-user", {"Dockerfile": "\n".join(lines).encode()})
    repository, visited = f"pht-test-{engine.session}", engine.create(base)

    done = finish(airflow.step("hand_over", repository, base, visited, setup=setup))

    assert done.status == 0, done.stderr
    form = "{{json .Config.User}} {{json .Config.Entrypoint}} {{json .Config.Cmd}}"
    found = engine.must("image", "inspect", "--format", form, done.stdout.decode().strip())
    assert found.decode().split() == ['""', '["program"]', '["train"]']
