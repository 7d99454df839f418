"""A train on an emptyDir of Kubernetes, by a folder that lies where the kubelet keeps one."""

from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.fixtures import not_in_gvisor
from tests.containers.plain_options import RECOMMENDED
from tests.containers.visitor import COUNTS, Container, arrived, assert_visited

WARNS = "pht: warning: /opt/train_config.json is on an emptyDir volume"


@pytest.mark.parametrize(
    ("place", "more", "warns"),
    [
        pytest.param(
            "volumes/kubernetes.io~empty-dir/train",
            [],
            True,
            marks=not_in_gvisor("it does not show where on the host a mount lies"),
        ),
        (
            "volumes/kubernetes.io~empty-dir/train",
            ["--env", "PHT_EXPORT=/opt/train_data/train.tar"],
            False,
        ),
        ("volumes/kubernetes.io~csi/train", [], False),
    ],
    ids=["emptyDir", "emptyDir and an export", "claim"],
)
def test_a_visit_warns_of_a_train_that_goes_with_its_pod(
    place: str,
    more: list[str],
    warns: bool,
    engine: Engine,
    train_image: str,
    station: list[str],
    data: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / place).mkdir(parents=True)
    options = ["--mount", f"type=bind,source={tmp_path / place},target=/opt"]
    options += [word for word in RECOMMENDED if word not in ("--volume", "/opt")]
    options += [*station, "--volume", f"{data}:/opt/train_data", *more]
    visitor = Container(engine, engine.create(train_image, options=options))
    visitor.put(arrived(tmp_path, COUNTS))

    done = visitor.run()

    assert_visited(done)
    assert (WARNS in done.stderr) == warns
