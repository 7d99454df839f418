"""The hand-over of `examples/airflow`, by itself, of an image that names no user."""

import os
import subprocess
from pathlib import Path

from tests.airflow import environment
from tests.containers.bases import make_base
from tests.containers.engine import Engine
from tests.containers.fixtures import or_skip

CODE = """
import sys
import station_visit
print(station_visit.hand_over(*sys.argv[1:]))
"""


def test_an_image_without_a_user_has_none_behind_the_hand_over(
    engine: Engine, tmp_path: Path
) -> None:
    """Root by its number is another user for the next station, which compares."""
    python = or_skip(environment.make) / "bin" / "python"
    lines = [
        f"FROM {or_skip(lambda: make_base(engine, 'musl'))}",
        "RUN cd /opt && mkdir pht_train pht_results && touch train_config.json user_sym_key.key",
        'ENTRYPOINT ["program"]',
        'CMD ["train"]',
    ]
    base = engine.build("without-user", {"Dockerfile": "\n".join(lines).encode()})
    visited = engine.create(base)
    done = subprocess.run(
        [python, "-c", CODE, f"pht-test-{engine.session}", base, visited],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(tmp_path),
            "DOCKER_HOST": engine.address(),
            "PYTHONPATH": str(environment.DAGS),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    form = "{{json .Config.User}} {{json .Config.Entrypoint}} {{json .Config.Cmd}}"
    found = engine.must("image", "inspect", "--format", form, done.stdout.strip())
    assert found.decode().split() == ['""', '["program"]', '["train"]']
