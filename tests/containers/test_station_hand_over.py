"""`examples/station/visit.sh`: the sealed train leaves, nothing else does, and nothing is lost."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.containers.fixtures import NO_LANDLOCK
from tests.containers.site import Arrive, Site
from tests.containers.visitor import FIRST, SECOND
from tests.station import snapshot

TOO_MANY = """\
RUN ["mkdir", "/opt/pht_results/of-base"]
RUN ["touch", "/opt/pht_results/of-base/file", "/opt/pht_results/.file", "/opt/pht_train/more.py"]
RUN ["ln", "-s", "/etc/passwd", "/opt/pht_results/link"]
RUN ["chmod", "0700", "/opt/pht_results"]
"""
"""Files of the image from which the train was built that are neither signed nor sealed."""

DOES_LESS = json.dumps(
    ["sh", "-c", "cd /dev/shm && rm -r /opt/pht_train && cp -a pht_train train_config.json /opt/"]
)
"""A program that hands the configuration over and leaves the results behind."""

DOES_MORE = json.dumps(["sh", "-c", "cp -a /dev/shm/. /opt/ && touch /etc/more"])
"""A program that hands over a train and leaves a file of its own."""


def rebuild(site: Site, lines: str, *tags: str) -> None:
    """Build images of the repository anew, from themselves and more lines of a Dockerfile."""
    for tag in tags:
        dockerfile = f"FROM {site.repository}:{tag}\n{lines}"
        name = f"{site.repository.rpartition('/')[2]}-{tag}"
        built = site.engine.build(name, {"Dockerfile": dockerfile.encode()})
        site.engine.must("tag", built, f"{site.repository}:{tag}")


def described(site: Site, tag: str) -> Any:
    """Return the description of an image."""
    [image] = json.loads(site.engine.must("image", "inspect", f"{site.repository}:{tag}"))
    return image


# --- the image that leaves -----------------------------------------------------------------------


def test_what_the_base_has_too_much_is_not_handed_over(arrive: Arrive, tmp_path: Path) -> None:
    site = arrive()
    before = snapshot(site.image("latest").take(tmp_path / "before") / "pht_train")
    rebuild(site, TOO_MANY, "base")

    done = site.visit()

    assert done.status == 0, done.stderr
    site.assert_handed_over(tmp_path / "after", FIRST)
    after = tmp_path / "after" / "opt"
    assert snapshot(after / "pht_train") == before
    assert [path.name for path in (after / "pht_results").iterdir()] == ["1"]
    done = site.visit(at=SECOND)
    assert (done.status, done.stdout) == (0, b"aboard\n"), done.stderr


@pytest.mark.parametrize(
    "user",
    [
        pytest.param("", id="root"),
        pytest.param("USER 4321:4321\n", id="another user", marks=NO_LANDLOCK),
    ],
)
def test_only_the_paths_of_the_train_differ_from_the_image_that_was_built(
    user: str, arrive: Arrive, data: Path
) -> None:
    site = arrive()
    lines = f"""RUN ["chown", "-R", "4321", "/opt"]
STOPSIGNAL SIGINT
HEALTHCHECK CMD ["false"]
CMD ["python", "/opt/pht_train/train.py", "<$a\\"\\\\ '"]
{user}"""
    rebuild(site, lines, "base", "latest")
    options = ["--", "--user", "4321"] if user else []

    done = site.visit("-d", data, more=options)

    assert done.status == 0, done.stderr
    base, latest = described(site, "base"), described(site, "latest")
    assert latest["RootFS"]["Layers"][:-1] == base["RootFS"]["Layers"]
    label = {"pht.visit": latest["Config"]["Labels"]["pht.visit"]}
    assert latest["Config"]["Labels"] == {**base["Config"]["Labels"], **label}
    of_the_builder = {"ArgsEscaped", "AttachStderr", "AttachStdout", "Hostname", "Image"}
    for config in (base["Config"], latest["Config"]):
        for name in (of_the_builder | {"Labels"}) & config.keys():
            config.pop(name)
    assert latest["Config"] == base["Config"]
    images = [f"{site.repository}:{tag}" for tag in ("base", "latest")]
    before, after = (site.engine.must("history", "--quiet", image).split() for image in images)
    assert after[1:] == before


# --- nothing is lost -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entrypoint", "reason"),
    [
        ('["true"]', "has not put the train on board; it is in pht-"),
        ('["false"]', "did not get on board; it is in pht-"),
        (DOES_LESS, "pht_results did not get on board as it is in pht-"),
        (DOES_MORE, "changes more than the train: A /etc/more"),
    ],
    ids=["does nothing", "fails", "leaves results behind", "changes more"],
)
def test_what_does_not_get_on_board_as_it_was_sealed_is_kept(
    entrypoint: str, reason: str, arrive: Arrive
) -> None:
    site = arrive()
    rebuild(site, f'ENTRYPOINT {entrypoint}\nCMD ["visit"]', "base")
    before = site.ids()

    done = site.visit()

    assert (done.status, site.ids()) == (1, before), done.stderr
    assert reason in done.stderr
    [container] = site.containers()
    assert "result=visited" in container.ended().stderr


@pytest.mark.parametrize("lines", ["ENTRYPOINT []", "CMD []"])
def test_a_base_that_starts_nothing_is_refused_before_the_visit(lines: str, arrive: Arrive) -> None:
    site = arrive()
    rebuild(site, lines, "base")
    before = site.ids()

    done = site.visit()

    assert (done.status, done.stdout, site.ids()) == (1, b"", before), done.stderr
    assert "has no ENTRYPOINT or no CMD" in done.stderr
    assert site.containers() == []


@pytest.mark.parametrize("tag", ["base", "latest"])
@pytest.mark.parametrize("volume", ["/opt/pht_results", "/var/\x1b[2Jcleared"], ids=ascii)
def test_an_image_with_a_volume_is_refused_before_the_visit(
    volume: str, tag: str, arrive: Arrive
) -> None:
    site = arrive()
    change = ["--change", f"VOLUME {json.dumps([volume])}"]
    site.engine.must("commit", *change, site.image(tag).id, f"{site.repository}:{tag}")
    assert list(described(site, tag)["Config"]["Volumes"]) == [volume]
    before = site.ids()

    done = site.visit()

    assert (done.status, done.stdout, site.ids()) == (1, b"", before), done.stderr
    shown = json.dumps(volume)
    assert f"have {site.repository}:{tag} built without VOLUME {{{shown}:" in done.stderr
    assert done.stderr.replace("\n", "").isprintable()
    assert site.containers() == []


def test_a_train_that_was_not_pushed_is_not_pulled_over(
    arrive: Arrive, registry: str, tmp_path: Path
) -> None:
    site = arrive(registry=registry)
    images = site.push()
    assert site.visit().status == 0
    # As every image has one with podman and with the image store of containerd.
    site.engine.must("tag", images[1], f"{site.repository}:another")
    site.engine.must("push", "--quiet", f"{site.repository}:another")
    assert described(site, "latest")["RepoDigests"]

    done = site.visit("-p")

    assert done.status == 1, done.stderr
    site.assert_handed_over(tmp_path / "after", FIRST)
    for line in re.findall("docker (?:tag|image rm) .*", done.stderr):
        subprocess.run(["sh", "-euc", line], check=True, capture_output=True)
    done = site.visit("-p")
    assert (done.status, "nothing to do" in done.stderr) == (0, True), done.stderr
