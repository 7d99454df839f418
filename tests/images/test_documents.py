"""What the documents say of images is so."""

import re

from tests.station import REPOSITORY

PAGE = (REPOSITORY / "docs" / "images.md").read_text()
FOLDER = REPOSITORY / "master_images"


def test_every_master_image_is_in_the_table() -> None:
    names = {path.parent.name for path in FOLDER.glob("*/Dockerfile")}
    names |= {path.stem for path in FOLDER.glob("packages/*.in")}
    assert set(re.findall(r"^\| `([a-z-]+)`", PAGE, re.MULTILINE)) == names


def test_every_common_package_is_in_the_table() -> None:
    shown = set[str]()
    for name in ("slim-science", "buster-science"):
        [row] = re.findall(rf"^\| `{name}`.* \| (.*) \|$", PAGE, re.MULTILINE)
        shown |= set(row.removeprefix("these, and ").split(", "))
        requirements = (FOLDER / "packages" / f"{name}.in").read_text()
        assert shown == set(re.findall(r"^[a-z-]+", requirements, re.MULTILINE))


def test_the_recipe_for_an_old_python_is_built_as_its_page_says() -> None:
    [shown] = re.findall(r"```sh\n(docker build .*?)```", PAGE, re.DOTALL)
    dockerfile = (REPOSITORY / "examples" / "old_python" / "Dockerfile").read_text()
    assert all(f"#   {line}\n" in dockerfile for line in shown.splitlines())
