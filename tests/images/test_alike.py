"""The master images are one recipe, written down once for each of them.

Sharing it would take a base image of our own, or one file with a stage for each, and Docker's older
builder works through all of them whichever is asked for.
"""

import re

import pytest

from tests.station import REPOSITORY

IMAGES = REPOSITORY / "master_images"

OWN = [
    r"(?<=^ARG BASE_IMAGE=)\S+$",
    r"(?<=^ARG PACKAGES=)\S+$",
    r'(?<=image\.title=)".*"',
    r'(?<=image\.description=)".*"',
    r"^# What NVIDIA's container runtime reads\.\nENV NVIDIA_\S+ NVIDIA_\S+\n",
    r"^# R knows .*\nENV LANG=C\.UTF-8\n",
]
"""What each of them has of its own, the last two only `dl` and `r`."""


def recipe(name: str) -> str:
    text = (IMAGES / name / "Dockerfile").read_text()
    for own in OWN:
        text = re.sub(own, "", text, count=1, flags=re.MULTILINE)
    return text


@pytest.mark.parametrize("name", sorted(path.parent.name for path in IMAGES.glob("*/Dockerfile")))
def test_master_images_differ_only_in_what_they_are(name: str) -> None:
    assert recipe(name) == recipe("slim")


@pytest.mark.parametrize(("name", "setting"), [("dl", "NVIDIA_"), ("r", "LANG=")])
def test_only_one_sets_a_variable(name: str, setting: str) -> None:
    files = [path for path in IMAGES.glob("*/Dockerfile") if setting in path.read_text()]
    assert [path.parent.name for path in files] == [name]
