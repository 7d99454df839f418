"""What the documents say of images is so: commands run as written, tables are complete."""

import re
import subprocess
from pathlib import Path

from tests.containers.engine import Engine
from tests.containers.images import REPOSITORY
from tests.containers.visitor import COUNTS, FIRST, Container, assert_visited, station_folder
from tests.station import new_train, settle

README = (REPOSITORY / "README.md").read_text()
PAGE = (REPOSITORY / "docs" / "images.md").read_text()


def test_an_image_is_built_from_a_train_as_written(
    engine: Engine, runner_image: str, tmp_path: Path
) -> None:
    new_train(tmp_path / "built", "", {"count.py": COUNTS.encode()})
    [block] = re.findall(r"<!-- test: image -->\n```sh\n(.*?)```", README, re.DOTALL)
    tag = f"pht-test-{engine.session}:patients"
    script = block.replace("pht-master:slim", runner_image).replace("docker", engine.client)
    script = script.replace("--tag patients", f"--label {engine.label} --tag {tag}")
    subprocess.run(["sh", "-euc", script], cwd=tmp_path, check=True, capture_output=True)

    settle(tmp_path, FIRST)
    container = Container(engine, engine.create(tag, options=station_folder(tmp_path)))
    assert_visited(container.run())


def test_every_master_image_is_in_the_table() -> None:
    folder = REPOSITORY / "master_images"
    names = {path.parent.name for path in folder.glob("*/Dockerfile")}
    names |= {path.stem for path in folder.glob("packages/*.in")}
    assert set(re.findall(r"^\| `([a-z-]+)`", PAGE, re.MULTILINE)) == names


def test_the_example_of_another_language_is_built_as_its_page_says() -> None:
    [shown] = re.findall(r"```sh\n(docker build .*?)```", PAGE, re.DOTALL)
    dockerfile = (REPOSITORY / "examples" / "r_master" / "Dockerfile").read_text()
    assert all(f"#   {line}\n" in dockerfile for line in shown.splitlines())
