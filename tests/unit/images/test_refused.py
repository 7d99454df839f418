"""Settings and layers for which an image is refused; `tests/adversarial` has hostile images."""

import gzip
import tracemalloc
from typing import Any

import pytest

from entrypoint.errors import MalformedTrain
from tests.archives import (
    COMMAND,
    Json,
    docker_archive,
    entry,
    folder,
    image_config,
    tar,
    train_archive,
    train_layer,
)
from tests.unit.images.reading import read, refused, verdict_on


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"Cmd": None}, "command-not-signed"),
        ({"Cmd": "python /opt/pht_train/train.py"}, "command-not-signed"),
        ({"Cmd": ["python", "/opt/pht_results/train.py"]}, "command-not-signed"),
        ({"Cmd": ["python", "/opt/pht_train/../pht_train/train.py"]}, "command-not-signed"),
        ({"Cmd": ["/opt/pht_results/python", COMMAND[1]]}, "command-not-signed"),
        ({"Cmd": ["/proc/self/cwd/python", COMMAND[1]]}, "command-not-signed"),
        ({"Cmd": ["./python", COMMAND[1]], "WorkingDir": "/opt/pht_train"}, "command-not-signed"),
        ({"Cmd": ["train.py"], "WorkingDir": "/opt/pht_train"}, "command-not-signed"),
        ({"Env": ["PATH=/usr/bin:/bin"]}, "env-changed"),
        ({"Env": ["LANG=C.UTF-8", "PATH=/usr/bin:/bin", "A"]}, "env-malformed"),
        ({"NewKey": 1}, "key-unknown"),
    ],
)
def test_settings_that_may_not_differ(settings: Json, code: str) -> None:
    assert refused(train_archive(settings=settings)) == {code}


def test_without_a_known_master_only_that_is_said() -> None:
    layers: list[Any] = [tar(folder("usr")), train_layer(entry("etc/shadow", b"x"))]
    assert refused(docker_archive(layers, image_config(layers))) == {"master-unknown"}


def test_differences_are_counted_where_they_are_too_many() -> None:
    entries = [entry(f"etc/{number}") for number in range(1200)]
    verdict = verdict_on(train_archive(*entries, entry("opt/pht_results/a", mode=0o4755)))
    codes = [found.code for found in verdict.differences]
    assert codes.count("path-outside") == 1000
    assert codes.count("set-id") == 1, "one of each code is listed in any case"
    [more] = [found.what for found in verdict.differences if found.code == "more-findings"]
    assert more == "has 200 more differences"


def test_a_layer_with_too_many_paths_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entrypoint.images.entry_rules._PATHS_A_LAYER", 3)
    assert "too-many-entries" in refused(train_archive())


def test_a_decompression_bomb_fills_no_memory() -> None:
    bomb = gzip.compress(bytes(64 * 2**20), 1)
    archive = tar(entry("blob", bomb), entry("manifest.json", b"[]"))
    tracemalloc.start()
    with pytest.raises(MalformedTrain, match="holds no image"):
        read(archive)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 2**20


def test_a_configuration_of_a_train_with_more_values_than_fit_into_memory() -> None:
    many = b'{"file_list": [' + b"0," * 100_000 + b"0]}"
    verdict = verdict_on(train_archive(entry("opt/train_config.json", many)))
    assert ("train-config-unusable", "holds too many values") in {
        (found.code, found.what) for found in verdict.differences
    }


def test_an_archive_of_countless_entries_is_refused() -> None:
    with pytest.raises(MalformedTrain, match="more than 4096 entries"):
        read(tar(*(entry(str(number)) for number in range(5000))))
