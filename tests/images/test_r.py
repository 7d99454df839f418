"""The master image for trains in R."""

import re
from pathlib import Path

import pytest

from tests.containers.bases import BASES, Base, debian_mirror, install
from tests.containers.engine import Engine
from tests.containers.fixtures import or_skip
from tests.containers.images import make_master
from tests.containers.visitor import arrived, build_image
from tests.images.visits import visited
from tests.station import REPOSITORY, opened

RECIPE = REPOSITORY / "master_images" / "r" / "base" / "Dockerfile"
EXAMPLE = REPOSITORY / "examples" / "r_train" / "mean_age.R"
DATA = "/opt/train_data/patients.csv"

UMLAUTS = """\
library(dplyr)
library(readr)
patients <- read_csv(Sys.getenv("TRAIN_DATA_PATH"), show_col_types = FALSE)
stopifnot(identical(names(read.csv(Sys.getenv("TRAIN_DATA_PATH"))), names(patients)))
means <- patients |> group_by(Straße) |> summarise(Größe = mean(Größe))
write_csv(means, file.path(Sys.getenv("PHT_RESULTS_DIR"), "größen.csv"))
said <- c(Sys.getenv("LANG"), format(means$Straße))
writeLines(said, file.path(Sys.getenv("PHT_RESULTS_DIR"), "said.txt"))
"""


@pytest.fixture(scope="module")
def r_master(engine: Engine) -> str:
    """Return the master image for R, on fewer packages than its base has."""
    return or_skip(lambda: make_master(engine, "r", "r"))


def visited_with_data(engine: Engine, master: str, folder: Path, script: str, data: str) -> Path:
    """Send a train in R to a station with a file of data, and return its `/opt` afterwards."""
    command = ("Rscript", "/opt/pht_train/train.R")
    image = build_image(engine, master, command, name="train-r")
    (folder / "patients.csv").write_text(data)
    mounted = ["--volume", f"{folder}/patients.csv:{DATA}:ro", "--env", f"TRAIN_DATA_PATH={DATA}"]
    opt = arrived(folder, "", {"train.R": script.encode()})
    return visited(engine, image, opt, folder, *mounted)


def test_the_example_adds_to_what_the_stations_before_have_left(
    engine: Engine, r_master: str, tmp_path: Path
) -> None:
    script, data = EXAMPLE.read_text(), "id,age\n1,40\n2,50\n"
    results = opened(visited_with_data(engine, r_master, tmp_path, script, data))
    assert results["sums.csv"].split() == [b'"patients","years"', b"2,90"]


def test_a_train_may_use_the_tidyverse_and_umlauts(
    engine: Engine, r_master: str, tmp_path: Path
) -> None:
    data = "Größe,Straße\n180,Übergasse\n170,Übergasse\n"
    results = opened(visited_with_data(engine, r_master, tmp_path, UMLAUTS, data))
    assert results["größen.csv"].decode() == "Straße,Größe\nÜbergasse,175\n"
    assert results["said.txt"].decode() == "C.UTF-8\nÜbergasse\n"


def test_debian_has_what_the_base_of_the_master_image_installs() -> None:
    [listed] = re.findall(r"--no-install-recommends \\\n *(.*?) \\\n", RECIPE.read_text())
    assert f"FROM docker.io/library/debian:{BASES['r'].suite}-slim\n" in RECIPE.read_text()
    assert {"python3", "r-base-core"} <= set(BASES["r"].packages) & set(listed.split())
    # The whole takes minutes to install, mostly for what the tidyverse makes documents with.
    base = Base(BASES["r"].suite, tuple(listed.split()))
    or_skip(lambda: install(base, debian_mirror(), "-", "--simulate"))
