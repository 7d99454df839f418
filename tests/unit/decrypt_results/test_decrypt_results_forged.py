"""Sealed trains that are not authentic: no reader gets anything of them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entrypoint.errors import IntegrityError, MalformedTrain, PhtError, RouteError
from tests import reference
from tests.station import edit
from tests.unit.opening import READERS, VISITED, assert_not_opened, flip, open_train
from tests.vectors.recorded import flip_digit


@pytest.mark.parametrize("stage", VISITED)
def test_a_flipped_byte_in_any_result_is_refused(tmp_path: Path, output: Path, stage: int) -> None:
    opt = reference.lay_out(stage, tmp_path / "root")
    for name in reference.result_files(opt / "pht_results"):
        path = opt / "pht_results" / name
        honest = path.read_bytes()
        flip(path, len(honest) // 2)
        assert_not_opened(IntegrityError, "results-unverified", opt, output)
        path.write_bytes(honest)
    open_train(opt, output)


@pytest.mark.parametrize("position", [0, 40, -1])
@pytest.mark.parametrize("station", READERS)
def test_no_reader_takes_a_flipped_byte(
    opt: Path, output: Path, station: str | None, position: int
) -> None:
    flip(opt / "pht_results" / "counter", position)
    assert_not_opened(IntegrityError, "results-unverified", opt, output, station=station)


def test_a_flipped_byte_in_any_immutable_file_is_refused(opt: Path, output: Path) -> None:
    for name in reference.load_config(opt)["immutable_file_list"]:
        path = opt / "pht_train" / name
        honest = path.read_bytes()
        if honest:
            flip(path)
            assert_not_opened(IntegrityError, "definition-changed", opt, output)
            path.write_bytes(honest)
    open_train(opt, output)


def change_link(number: int, part: int) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        signature = config["digital_signature"][number]["sig"]
        signature[part] = flip_digit(signature[part])

    return change


def change_field(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda config: config.update({name: flip_digit(config[name])})


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        (change_field("session_id"), IntegrityError, "definition-changed"),
        (change_field("e_h"), IntegrityError, "definition-changed"),
        (change_field("e_h_sig"), IntegrityError, "user-signature-wrong"),
        (change_field("e_d"), IntegrityError, "results-unverified"),
        (change_field("e_d_sig"), IntegrityError, "results-unverified"),
        (change_field("user_encrypted_sym_key"), IntegrityError, "results-unverified"),
        (change_link(0, 0), RouteError, "chain-broken"),
        (change_link(0, 1), RouteError, "chain-broken"),
        (change_link(1, 0), RouteError, "chain-broken"),
        (change_link(1, 1), RouteError, "chain-broken"),
        (lambda config: config.update(user_id="another"), IntegrityError, "definition-changed"),
        (lambda config: config.update(e_d=None), RouteError, "first-stop-contradiction"),
        (lambda config: config["digital_signature"].pop(0), RouteError, "chain-broken"),
        (lambda config: config.update(pht_unfinished=""), MalformedTrain, "config-unfinished"),
    ],
)
def test_a_changed_configuration_is_refused(
    opt: Path,
    output: Path,
    change: Callable[[dict[str, Any]], object],
    error: type[PhtError],
    code: str,
) -> None:
    edit(opt, change)
    assert_not_opened(error, code, opt, output)


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        (change_field("e_h"), IntegrityError, "user-signature-wrong"),
        (change_field("e_h_sig"), IntegrityError, "user-signature-wrong"),
        (change_link(1, 0), RouteError, "chain-broken"),
    ],
)
def test_signatures_are_verified_without_the_immutable_files_too(
    opt: Path,
    output: Path,
    change: Callable[[dict[str, Any]], object],
    error: type[PhtError],
    code: str,
) -> None:
    shutil.rmtree(opt / "pht_train")
    edit(opt, change)
    assert_not_opened(error, code, opt, output)


@pytest.mark.parametrize("name", ["pht_train", "pht_results", "train_config.json"])
def test_a_link_in_the_place_of_a_part_is_refused(opt: Path, output: Path, name: str) -> None:
    (opt / name).rename(opt.parent / "elsewhere")
    (opt / name).symlink_to(opt.parent / "elsewhere")
    assert_not_opened(IntegrityError, "link-in-place", opt, output)


def test_a_renamed_result_that_changes_the_order_is_refused(opt: Path, output: Path) -> None:
    (opt / "pht_results" / "counter").rename(opt / "pht_results" / "zzz")
    assert_not_opened(IntegrityError, "results-unverified", opt, output)


def test_a_link_out_of_the_results_is_refused(opt: Path, output: Path) -> None:
    (opt / "pht_results" / "out").symlink_to("../../../../etc/passwd")
    assert_not_opened(MalformedTrain, "results-unsafe", opt, output)
