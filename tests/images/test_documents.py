"""What the documents say of images is so."""

import re

from tests.station import REPOSITORY

PAGE = (REPOSITORY / "docs" / "images.md").read_text()


def test_every_master_image_is_in_the_table() -> None:
    folder = REPOSITORY / "master_images"
    names = {path.parent.name for path in folder.glob("*/Dockerfile")}
    names |= {path.stem for path in folder.glob("packages/*.in")}
    assert set(re.findall(r"^\| `([a-z-]+)`", PAGE, re.MULTILINE)) == names


def test_the_recipe_for_an_old_python_is_built_as_its_page_says() -> None:
    [shown] = re.findall(r"```sh\n(docker build .*?)```", PAGE, re.DOTALL)
    dockerfile = (REPOSITORY / "examples" / "old_python" / "Dockerfile").read_text()
    assert all(f"#   {line}\n" in dockerfile for line in shown.splitlines())
