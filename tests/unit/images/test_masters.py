"""`masters.json`: written by describe-image, read strictly."""

import json
from pathlib import Path
from typing import Any

import pytest

from entrypoint.errors import IntegrityError, SettingsError
from entrypoint.images.masters import master_of, parse_masters, write_masters
from tests.archives import (
    MASTER,
    MASTER_LAYERS,
    docker_archive,
    image_config,
    sha256,
    tar,
    train_archive,
)
from tests.station import Done, assert_explained, pht
from tests.unit.images.reading import read

ENTRY = master_of(read(MASTER), "master")
DOCUMENT = json.loads(write_masters([ENTRY]))


def test_what_is_written_is_read_again() -> None:
    assert parse_masters(write_masters([ENTRY, ENTRY]).encode(), "masters.json") == [ENTRY, ENTRY]


def test_what_an_entry_holds() -> None:
    [entry] = DOCUMENT["masters"]
    assert entry == {
        "name": "train:latest",
        "id": sha256(image_config(MASTER_LAYERS, {"Cmd": None})),
        "layers": [sha256(layer) for layer in MASTER_LAYERS],
        "platform": {"architecture": "amd64", "os": "linux"},
        "config": {
            "Entrypoint": ["/usr/runner", "--as-entrypoint"],
            "User": "root",
            "Env": ["PATH=/usr/bin:/bin", "LANG=C.UTF-8"],
        },
    }


def with_entry(**changes: Any) -> Any:
    """Return a document whose entry has other values; None removes one."""
    entry = {**DOCUMENT["masters"][0], **changes}
    return {"version": 1, "masters": [{k: v for k, v in entry.items() if v is not None}]}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"version": 2, "masters": DOCUMENT["masters"]},
        {"version": 1, "masters": []},
        {**DOCUMENT, "more": 1},
        with_entry(more=1),
        with_entry(layers=[]),
        with_entry(layers=[1]),
        with_entry(platform=None),
        with_entry(config={"Env": ["PATH"]}),
        with_entry(config={"Env": "PATH=/bin"}),
        with_entry(config={"entrypoint": ["/usr/runner"]}),
    ],
)
def test_anything_else_is_refused(document: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_masters(json.dumps(document).encode(), "masters.json")
    assert caught.value.code == "masters-malformed"


def test_a_train_is_not_described_as_a_master() -> None:
    """It would approve its own ENTRYPOINT."""
    with pytest.raises(IntegrityError, match="holds a train") as caught:
        master_of(read(train_archive()), "master")
    assert caught.value.code == "master-unusable"


@pytest.mark.parametrize(
    ("layer", "described", "problem"),
    [(tar(), b"", "layer 1 is sha256:"), (b"no tar", b"no tar", "it ends without")],
    ids=["another layer", "unreadable"],
)
def test_a_master_that_is_not_whole_is_not_described(
    layer: bytes, described: bytes, problem: str
) -> None:
    archive = docker_archive([layer], image_config([described]))
    with pytest.raises(IntegrityError) as caught:
        master_of(read(archive), "master")
    assert caught.value.code == "master-unusable"
    assert f"cannot be used: {problem}" in caught.value.message


@pytest.fixture
def station(tmp_path: Path) -> Path:
    """A folder with the archives of a master image, an honest train and a hostile one."""
    (tmp_path / "master.tar").write_bytes(MASTER)
    (tmp_path / "train.tar").write_bytes(train_archive())
    (tmp_path / "hostile.tar").write_bytes(train_archive(settings={"Entrypoint": ["sh"]}))
    folder = tmp_path / "run" / "pht"
    folder.mkdir(parents=True)
    folder.joinpath("masters.json").write_bytes(
        pht("describe-image", tmp_path / "master.tar").stdout
    )
    return tmp_path


def validated(station: Path, *arguments: str | Path, stdin: bytes = b"") -> Done:
    """Validate an image; default: with the masters.json of the station folder."""
    return pht("validate-image", "--root", station, *arguments, stdin=stdin)


def test_a_train_is_compared_with_the_masters_of_the_station(station: Path) -> None:
    done = validated(station, station / "train.tar")
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.decode().splitlines() == [
        f"image: {read(train_archive()).ids[0]}",
        "master image: train:latest",
        "verdict: accepted",
    ]


def test_a_difference_is_shown_and_told_to_machines(station: Path) -> None:
    done = validated(station, station / "hostile.tar")
    assert_explained(done, 77, "image-refused")
    assert b"refused  entrypoint-changed" in done.stdout
    assert done.stdout.endswith(b"verdict: refused\n")
    facts = json.loads(validated(station, "--json", station / "hostile.tar").stdout)
    [found] = facts["differences"]
    assert (facts["accepted"], facts["master"]) == (False, "train:latest")
    assert (found["code"], found["where"], found["refused"]) == (
        "entrypoint-changed",
        "Entrypoint",
        True,
    )


def test_an_archive_from_stdin_and_one_master(station: Path) -> None:
    master = ("--master", station / "master.tar")
    assert validated(station, *master, "-", stdin=train_archive()).status == 0


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("--masters", "none.json"), 78, "masters-unreadable"),
        (("--masters", "train.tar"), 78, "masters-malformed"),
        (("--master", "none.tar"), 66, "image-missing"),
    ],
)
def test_masters_that_cannot_be_read(
    station: Path, arguments: tuple[str, str], status: int, code: str
) -> None:
    option, name = arguments
    done = validated(station, option, station / name, station / "train.tar")
    assert_explained(done, status, code)
