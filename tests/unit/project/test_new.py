"""`pht new` makes a train that runs as it is, in each language."""

import csv
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from flit_core.wheel import make_wheel_in

from entrypoint.author.new import new
from entrypoint.author.project import read_project
from entrypoint.errors import UsageError
from tests.desk import Said
from tests.station import REPOSITORY, assert_explained, pht

TEMPLATES = REPOSITORY / "entrypoint" / "author" / "templates"
LANGUAGES = ["python", "r"]
SUMS = [
    ["diagnosis", "patients", "years", "mean_age"],
    ["Behçet", "3", "105", "35"],
    ["Ménière", "2", "107", "53.5"],
    ["Sjögren", "4", "229", "57.2"],
]


def made(folder: Path, language: str) -> tuple[Path, str]:
    """Make a project; return its folder and what is said."""
    said = Said()
    new(folder / "first", language, said)
    return folder / "first", said.text


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES if shutil.which("Rscript") else ["python"])
def test_it_runs_as_it_is(language: str, tmp_path: Path) -> None:
    """tests/containers runs the train in R, which not every machine has."""
    project, _ = made(tmp_path, language)

    done = pht("simulate", "--output", "results", cwd=project)

    assert done.status == 0, done.stderr
    with (project / "results" / "ages.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.reader(file))
    assert [[cell.removesuffix(".0") for cell in row] for row in found] == SUMS


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_in_the_folder_and_what_comes_next(language: str, tmp_path: Path) -> None:
    project, said = made(tmp_path, language)
    [train] = files(project / "train")
    data = [f"data/station-{number}/patients.csv" for number in (1, 2)]
    assert files(project) == [*data, "pht.toml", f"train/{train}"]
    assert f"pht: next: cd {project}\npht:       pht simulate  " in said
    assert "\npht:       pht simulate --image  " in said


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_project_file_is_complete_with_and_without_what_is_commented_out(
    language: str, tmp_path: Path
) -> None:
    project, _ = made(tmp_path, language)
    file = project / "pht.toml"
    _, before = read_project(project / "train")
    assert set(before) == {"command", "master_image", "data"}
    assert (project / "train" / Path(before["command"][-1]).name).exists()

    file.write_text(re.sub("^# ?(?=[a-z0-9-]+ = |\\[)", "", file.read_text(), flags=re.MULTILINE))

    _, after = read_project(project / "train")
    wanted = {"user_key", "builder_key", "user", "train_id", "repository", "stations"}
    assert set(after) == {*before, *wanted}
    assert [station for station, _ in after["stations"]] == ["station-1", "station-2"]


def test_an_installation_for_reading_only_makes_files_that_can_be_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = shutil.copytree(TEMPLATES, tmp_path / "templates")
    for path in installed.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    monkeypatch.setattr("entrypoint.author.new._TEMPLATES", installed)
    project, _ = made(tmp_path, "python")
    assert all(path.stat().st_mode & 0o200 for path in project.rglob("*"))


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    project, _ = made(tmp_path, "python")
    before = files(project)
    with pytest.raises(UsageError) as refused:
        made(tmp_path, "r")
    assert refused.value.code == "output-exists"
    assert files(project) == before


def test_the_language_is_one_of_the_templates() -> None:
    assert {path.name for path in TEMPLATES.iterdir()} == {*LANGUAGES, "shared"}
    assert_explained(pht("new", "x", "--language", "shared"), 64, "usage")


def test_an_installed_package_has_the_templates(tmp_path: Path) -> None:
    """As `pip install .` makes it."""
    wheel = make_wheel_in(REPOSITORY / "pyproject.toml", tmp_path).file
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if "/templates/" in name}
    own = [path for path in files(TEMPLATES) if not path.endswith(".pyc")]
    assert packed >= {f"entrypoint/author/templates/{path}" for path in own}
