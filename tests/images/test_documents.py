"""What the documents say of images is so."""

import re

from tests.station import REPOSITORY

PAGE = (REPOSITORY / "docs" / "images.md").read_text()


def test_every_master_image_is_in_the_table() -> None:
    folder = REPOSITORY / "master_images"
    names = {path.parent.name for path in folder.glob("*/Dockerfile")}
    names |= {path.stem for path in folder.glob("packages/*.in")}
    assert set(re.findall(r"^\| `([a-z-]+)`", PAGE, re.MULTILINE)) == names
