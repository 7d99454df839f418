"""The drawings: they fit where they are shown, and show what the curve says."""

import itertools
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from curve import Curve, day_ticks, median_text, read_curve
from svg import write_svg
from terminal import draw
from tests.examples.lung import LUNG_CSV, travel, write_patients

SVG = "{http://www.w3.org/2000/svg}"

COHORTS = {
    "nobody-dies": [(400, 0)] * 3,
    "everybody-dies": [(3, 1), (8, 1), (8, 1), (30, 1)],
    "one-dies-at-once": [(0, 1)],
    "many": [(7 * place, place % 2) for place in range(5_000)],
}


@pytest.fixture(scope="module")
def lung(tmp_path_factory: pytest.TempPathFactory) -> Curve:
    return read_curve(travel([LUNG_CSV], tmp_path_factory.mktemp("lung") / "results"))


@pytest.fixture(params=COHORTS)
def cohort(request: pytest.FixtureRequest, tmp_path: Path) -> Curve:
    data = write_patients(tmp_path / "data.csv", COHORTS[request.param])
    return read_curve(travel([data], tmp_path / "results"))


# --- the terminal --------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_a_drawing_fits_a_terminal(encoding: str, lung: Curve, cohort: Curve) -> None:
    for curve in (lung, cohort):
        drawing = draw(curve, encoding)
        assert max(map(len, drawing.splitlines())) <= 80
        assert drawing.isascii() == (encoding != "utf-8")
        assert drawing.splitlines()[-1] == median_text(curve)


def test_the_lung_curve_is_drawn_with_its_numbers(lung: Curve) -> None:
    lines = draw(lung, "utf-8").splitlines()
    assert "228 patients, 165 deaths" in lines[0]
    assert [line[:8] for line in lines[1:22:5]] == [
        "  100% ┤",
        "   75% ┤",
        "   50% ┤",
        "   25% ┤",
        "    0% ┤",
    ]
    assert lines[23].split() == ["days", "0", "200", "400", "600", "800", "1000"]
    assert lines[24].split() == ["at", "risk", "228", "144", "57", "24", "8", "2"]
    assert lines[25] == "median survival 310 days (95% CI 285 to 363)"


def test_a_step_is_drawn_on_its_day_and_as_deep_as_it_is(tmp_path: Path) -> None:
    # One of two dies on day 35 of 69: one column per day, and half of the 20 rows.
    data = write_patients(tmp_path / "data.csv", [(35, 1), (69, 0)])
    lines = draw(read_curve(travel([data], tmp_path / "results")), "utf-8").splitlines()
    rows = [line[8:] for line in lines[1:22]]
    assert rows[0].startswith("─" * 35 + "╮")
    assert {row[35] for row in rows[1:10]} == {"│"}
    assert rows[10] == "┈" * 35 + "╰" + "─" * 34
    assert {row[35] for row in rows[11:]} == {"┊"}


@pytest.mark.parametrize(
    ("cohort", "text"),
    [
        ("nobody-dies", "median survival not reached"),
        ("everybody-dies", "median survival 8 days (95% CI 3 to not reached)"),
        ("one-dies-at-once", "median survival 0 days (95% CI not reached to not reached)"),
    ],
    indirect=["cohort"],
)
def test_a_limit_that_is_not_reached_is_said(cohort: Curve, text: str) -> None:
    assert median_text(cohort) == text


@pytest.mark.parametrize("last", [0, 1, 6, 7, 13, 60, 69, 70, 1022, 40_000])
def test_ticks_are_few_round_and_within_the_axis(last: int) -> None:
    ticks = day_ticks(last)
    assert ticks[0] == 0
    assert ticks[-1] <= last
    assert len(ticks) in range(3, 8) or last < 2
    steps = {later - earlier for earlier, later in itertools.pairwise(ticks)}
    assert all(re.fullmatch("[125]0*", str(step)) for step in steps)
    assert len(steps) <= 1


# --- the image -----------------------------------------------------------------------------------


def test_an_image_is_well_formed_and_says_what_it_shows(
    lung: Curve, cohort: Curve, tmp_path: Path
) -> None:
    for curve in (lung, cohort):
        write_svg(curve, tmp_path / "curve.svg")
        image = ElementTree.parse(tmp_path / "curve.svg").getroot()
        assert (image.tag, image.get("role")) == (f"{SVG}svg", "img")
        named = {element.get("id"): element.text for element in image if element.get("id")}
        assert list(named) == str(image.get("aria-labelledby")).split()
        assert named["title"] == f"Survival of {curve.patients} patients"
        assert median_text(curve) in str(named["desc"])
        assert "prefers-color-scheme: dark" in str(image.findtext(f"{SVG}style"))
        _check_inside(image)


def test_the_image_has_every_step_within_its_band(lung: Curve, tmp_path: Path) -> None:
    write_svg(lung, tmp_path / "curve.svg")
    image = ElementTree.parse(tmp_path / "curve.svg").getroot()
    curve = _points(image, "polyline[@class='curve']")
    assert len(curve) == 2 * len(lung.steps) + 2
    assert curve == sorted(curve), "time and depth only grow"
    band = _points(image, "polygon[@class='band']")
    upper, lower = band[: len(curve)], band[len(curve) :][::-1]
    for above, on, below in zip(upper, curve, lower, strict=True):
        assert above[0] == on[0] == below[0]
        assert above[1] <= on[1] <= below[1]
    guide = _points(image, "polyline[@class='guide']")
    assert guide[1] in [(x, guide[0][1]) for x, _ in curve]


def _points(image: ElementTree.Element, path: str) -> list[tuple[float, float]]:
    shape = image.find(f"{SVG}{path}")
    assert shape is not None
    return [_pair(point) for point in shape.attrib["points"].split()]


def _pair(point: str) -> tuple[float, float]:
    x, y = map(float, point.split(","))
    return x, y


def _check_inside(image: ElementTree.Element) -> None:
    points = " ".join(shape.attrib["points"] for shape in image if "points" in shape.attrib)
    assert points
    for x, y in map(_pair, points.split()):
        assert 0 <= x <= 720
        assert 0 <= y <= 480
