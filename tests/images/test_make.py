"""The commands that `make` would run with given settings, tested without an engine."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.containers.images import make
from tests.docs.pages import blocks
from tests.station import REPOSITORY


def would_run(*targets: str, **variables: str) -> str:
    """Return the commands for targets, without running them."""
    done = make("--dry-run", *targets, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("tag", "alias"),
    [
        ("pht-master:buster", "pht-master:debian"),
        ("registry.example.org/pht/master:buster", "registry.example.org/pht/master:debian"),
        ("localhost:5000/buster:buster-science", "localhost:5000/buster:debian-science"),
        ("localhost:5000/pht/buster", None),
        ("pht-master:busters", None),
        ("pht-master:r", None),
    ],
)
def test_debian_is_another_name_for_buster_wherever_the_image_belongs(
    tag: str, alias: str | None
) -> None:
    tags = re.findall(r"--tag (\S+)", would_run("image", IMAGE="buster", TAG=tag))
    assert tags == [tag, alias] if alias else tags == [tag]


def test_the_base_of_an_image_that_has_its_own_is_built_unless_another_is_named() -> None:
    built = re.findall("docker build .*", would_run("image", IMAGE="r"))
    assert [("--network none" in command, "pht-base:r" in command) for command in built] == [
        (False, True),
        (True, False),
    ]
    [built] = re.findall(
        "docker build .*", would_run("image", IMAGE="r", BASE_IMAGE="rocker/r-ver")
    )
    assert "--network none" in built


@pytest.mark.parametrize("image", ["buster", "r"])
def test_an_image_is_built_for_the_platform_of_the_engine_or_for_that_which_is_named(
    image: str,
) -> None:
    assert "--platform" not in would_run("image", IMAGE=image)
    shown = would_run("image", IMAGE=image, PLATFORM="linux/arm64").replace("\\\n", "")
    built = re.findall("docker build .*", shown)
    assert built
    assert all("--platform linux/arm64" in command for command in built)


def test_the_page_builds_for_another_processor() -> None:
    page = REPOSITORY / "docs" / "images.md"
    [build, both] = blocks("platform", "platforms", pages=(page,))
    shown = [would_run("--always-make", *shlex.split(build)[1:])]
    assert "--platform linux/arm64" in shown[0]
    fetches = [line for line in both.splitlines() if line.startswith("make ")]
    shown = [would_run("--always-make", *shlex.split(line)[1:]) for line in fetches]
    assert [re.findall("wheels.py plain (.*)", one) for one in shown] == [
        ["linux/amd64"],
        ["linux/arm64"],
    ]


@pytest.mark.parametrize(
    ("platform", "name"),
    [("linux/arm64", "arm64"), ("linux/amd64", "amd64"), ("", None)],
)
def test_the_wheels_of_each_platform_have_a_folder(platform: str, name: str | None) -> None:
    processor = name or {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    shown = would_run("wheels", "--always-make", PLATFORM=platform)
    assert f"wheels.py plain linux/{processor}\n" in shown
    assert f"touch build/wheels/plain/{processor}/ready\n" in shown


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        ("https://user:pass@word@git.example.org:8443/pht", "https://git.example.org:8443/pht"),
        ("https://token@git.example.org/pht", "https://git.example.org/pht"),
        ("https://git.example.org/pht@1", "https://git.example.org/pht@1"),
        ("git@git.example.org:pht.git", "git@git.example.org:pht.git"),
        ("/home/alice/pht", ""),
        (None, ""),
    ],
)
def test_the_source_is_where_the_tree_was_cloned_from_without_secrets(
    origin: str | None, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    if origin is not None:
        subprocess.run([*git, "remote", "add", "origin", origin], check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    assert re.findall("SOURCE='(.*)'", would_run("image")) == [source]
    assert "SOURCE='told'" in would_run("image", SOURCE="told")


def test_make_demo_with_an_engine_that_it_does_not_know_says_which_it_does() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "demo", "ENGINE=podman"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "ENGINE=podman is none that the demo can use: say ENGINE=docker" in done.stderr
    assert done.stdout == ""
