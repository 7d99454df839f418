"""The rules for the program as the ENTRYPOINT of an image."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import entrypoint
from entrypoint.cli import container_rules
from entrypoint.errors import SettingsError
from entrypoint.model import Paths
from entrypoint.settings.load import inputs_present
from tests import reference
from tests.station import assert_explained, pht

PEM = reference.vector_key("station_1", private=True)
KEY = "/run/pht/private_key.pem"
OUTSIDE = [
    ["pre-run"],
    ["post-run"],
    ["undo"],
    ["run", "--root", "/a", "--", "x"],
    ["check", "--root=/"],
    ["export", "--root", "/", "--output", "-"],
]
"""Commands that no container may run."""
DESK = [
    ["new", "/x"],
    ["keygen", "/x", "--no-password"],
    ["simulate", "/unsigned", "--data", "/opt", "--", "python", "/opt/pht_train/x"],
    ["decrypt-results", "/opt", "--key", KEY, "--station", "a", "--output", "/opt/x"],
    ["ledger", "--forget", "0" * 16],
    f"create /x --output /y --user-key {KEY} --user u --train-id t --station a=a.pem".split(),
    f"build /x --repository y --user-key {KEY} --user u --train-id t --station a=a.pem".split(),
]
"""Commands that no container of a station may run."""


def assert_not_in_a_container(arguments: Sequence[str], **environment: str) -> str:
    """Check that the ENTRYPOINT refuses some arguments, and return what it says."""
    done = pht("--as-entrypoint", *arguments, env=environment)
    assert_explained(done, 64, "not-in-a-container")
    return done.stderr


@pytest.mark.parametrize("arguments", OUTSIDE, ids=" ".join)
def test_what_would_weaken_a_visit_is_not_for_the_cmd_of_an_image(arguments: list[str]) -> None:
    assert_not_in_a_container(arguments)
    assert "not-in-a-container" not in pht(*arguments).stderr


@pytest.mark.parametrize("arguments", DESK, ids=lambda words: words[0])
def test_a_desk_is_no_place_for_the_key_of_a_station(arguments: list[str]) -> None:
    said = assert_not_in_a_container(arguments, RSA_STATION_PRIVATE_KEY=PEM.hex())
    assert "RSA_STATION_PRIVATE_KEY" in said
    assert PEM.hex() not in said


@pytest.mark.parametrize("arguments", [["x"], ["run", "--", "x"], ["check"], ["inspect"]])
def test_the_rest_is_for_containers_too(arguments: list[str]) -> None:
    assert_explained(pht("--as-entrypoint", *arguments), 66, "no-train")


@pytest.mark.parametrize("arguments", [["--as-entrypoint", "check"], ["check", "--as-entrypoint"]])
def test_a_cmd_cannot_say_it_again(arguments: list[str]) -> None:
    assert_explained(pht("--as-entrypoint", *arguments), 64, "usage")


def test_without_cmd_it_says_what_to_build() -> None:
    assert_explained(pht("--as-entrypoint"), 64, "no-command")


# --- what shows a station ------------------------------------------------------------------------

PLACES = ["opt/train_config.json", "opt/pht_train/x", "opt/pht_results/x", "opt/train_data/x"]
PLACES += ["opt/user_sym_key.key", "run/secrets/rsa_station_private_key", "run/pht/anything"]
VARIABLES = ["RSA_STATION_PRIVATE_KEY", "RSA_STATON_PRIVATE_KEY", "RSA_STATION_PRIVATE_KEY_FILE"]
VARIABLES += ["PRIVATE_KEY_PATH", "PRIVATE_KEY_PASSWORD", "PRIVATE_KEY_PASSWORD_FILE"]
VARIABLES += ["STATION_ID", "TRAIN_DATA_PATH", "PHT_HOST_PROTOCOL", "PHT_REPLAY"]


@pytest.mark.parametrize("place", PLACES)
def test_a_train_or_a_station_is_found_by_its_places(place: str, tmp_path: Path) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.touch()
    [found] = inputs_present(Paths(tmp_path), {})
    assert path.is_relative_to(found)


@pytest.mark.parametrize("name", VARIABLES)
def test_a_station_is_found_by_its_variables(name: str, tmp_path: Path) -> None:
    assert inputs_present(Paths(tmp_path), {name: "x", "PHT_LOG": "json"}) == [name]


def test_an_empty_place_is_no_station(tmp_path: Path) -> None:
    (tmp_path / "opt").mkdir()
    (tmp_path / "run/pht").mkdir(parents=True)
    environment = dict.fromkeys(VARIABLES, "") | {"PATH": "/bin", "PHT_LOG": "json"}
    assert inputs_present(Paths(tmp_path), environment) == []


# --- the environment -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["LD_AUDIT", "GCONV_PATH", "PYTHONEXECUTABLE"])
def test_a_variable_that_loads_code_is_refused(name: str) -> None:
    done = pht("--as-entrypoint", "check", env={name: sys.executable})
    assert (done.status, done.code) == (78, "environment-loads-code")
    assert f"--env {name}= of docker run" in done.stderr
    assert sys.executable not in done.lines[-1]
    assert_explained(pht("--as-entrypoint", "check", env={name: ""}), 66, "no-train")
    assert pht("check", env={name: sys.executable}).code == "no-train"


@pytest.mark.parametrize(
    ("value", "built_with"),
    [
        ("/.singularity.d/libs", None),
        ("/cuda/lib:/cuda/lib64", "/cuda/lib:/cuda/lib64"),
        ("/cuda/lib64", "/cuda/lib:/cuda/lib64"),
        ("/cuda/lib:/cuda/lib64:/.singularity.d/libs", "/cuda/lib:/cuda/lib64"),
    ],
)
def test_libraries_come_from_where_the_master_image_has_them(
    value: str, built_with: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(built_with, tmp_path, monkeypatch)
    container_rules.check_variable("LD_LIBRARY_PATH", value)


@pytest.mark.parametrize(
    ("value", "built_with"),
    [
        ("/opt", None),
        (":", None),
        ("/.singularity.d/libs:", None),
        ("/cuda/lib:/opt", "/cuda/lib"),
        ("/cuda/lib::/cuda/lib", "/cuda/lib"),
        ("/opt:/cuda/lib", "/cuda/lib"),
        ("/cuda/lib:", "/cuda/lib"),
        ("/cuda/lib/", "/cuda/lib"),
        ("/cuda/lib;/opt", "/cuda/lib"),
    ],
)
def test_libraries_from_elsewhere_are_refused(
    value: str, built_with: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(built_with, tmp_path, monkeypatch)
    with pytest.raises(SettingsError) as caught:
        container_rules.check_variable("LD_LIBRARY_PATH", value)
    assert caught.value.code == "environment-loads-code"
    assert f"--env LD_LIBRARY_PATH={built_with or ''} " in caught.value.hint


@pytest.mark.parametrize("folder", ["/opt/rocm/lib", "/usr/../opt/rocm/lib", "{link}/lib"])
def test_not_even_the_master_image_has_libraries_where_trains_write(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "rocm"
    link.symlink_to("/opt/rocm")
    value = f"/cuda/lib:{folder.format(link=link)}"
    record(value, tmp_path, monkeypatch)
    with pytest.raises(SettingsError) as caught:
        container_rules.check_variable("LD_LIBRARY_PATH", value)
    assert caught.value.code == "environment-loads-code"
    assert "--env LD_LIBRARY_PATH=/cuda/lib of" in caught.value.hint


def test_nor_does_the_folder_of_apptainer_lead_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "libs"
    link.symlink_to("/opt/libs")
    monkeypatch.setattr(container_rules, "_OF_APPTAINER", str(link))
    with pytest.raises(SettingsError):
        container_rules.check_variable("LD_LIBRARY_PATH", str(link))


def record(built_with: str | None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the master image have been built with a value of LD_LIBRARY_PATH."""
    file = folder / "ld_library_path"
    if built_with is not None:
        file.write_text(built_with)
    monkeypatch.setattr(container_rules, "_BUILT_WITH", file)


def test_the_value_of_the_base_is_read_beside_the_package() -> None:
    """As master_images/install.py writes it."""
    package = Path(entrypoint.__file__).parent
    assert package.with_name("ld_library_path") == container_rules._BUILT_WITH


def test_a_variable_of_the_train_alone_is_not_refused() -> None:
    done = pht("--as-entrypoint", "check", env={"OPENSSL_CONF": "/x", "OPENSSL_MODULES": "/x"})
    assert_explained(done, 66, "no-train")
