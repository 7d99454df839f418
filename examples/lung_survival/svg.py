"""The survival curve as an SVG image that stands on light and on dark pages."""

from collections.abc import Sequence
from pathlib import Path

from curve import Curve, day_ticks, median_text

# The drawing area, in units of the image: x from LEFT to RIGHT, y from TOP to BOTTOM.
LEFT, RIGHT, TOP, BOTTOM = 90, 700, 56, 396

STYLE = """
    text { font: 14px system-ui, sans-serif; fill: #333; }
    .name { font-size: 18px; font-weight: 600; }
    .day { text-anchor: middle; }
    .percent, .row, .note { text-anchor: end; }
    .axis { stroke: #666; fill: none; }
    .grid { stroke: #ddd; }
    .guide { stroke: #666; stroke-dasharray: 2 4; fill: none; }
    .band { fill: #4878a8; fill-opacity: 0.25; }
    .curve { stroke: #2f6299; stroke-width: 2; fill: none; }
    @media (prefers-color-scheme: dark) {
      text { fill: #ddd; }
      .axis, .guide { stroke: #aaa; }
      .grid { stroke: #444; }
      .curve { stroke: #8ab4de; }
    }
  """


def write_svg(curve: Curve, path: Path) -> None:
    """Write the curve with its 95% band, axes, patients at risk and median.

    Args:
        curve: of at least one patient.
        path: the file to write.
    """
    title = f"Survival of {curve.patients} patients"
    about = (
        f"Kaplan-Meier curve with a 95% confidence band: {curve.patients} patients,"
        f" {curve.deaths} deaths, followed for up to {curve.last_day} days; {median_text(curve)}."
    )
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 480" role="img"'
        ' aria-labelledby="title desc">',
        f'  <title id="title">{title}</title>',
        f'  <desc id="desc">{about}</desc>',
        f"  <style>{STYLE}</style>",
        _text(LEFT, 30, "name", title),
        _text(RIGHT, TOP + 28, "note", median_text(curve)),
        _text(RIGHT, TOP + 50, "note", "Kaplan-Meier, shaded: 95% confidence band"),
        *_percent_axis(),
        *_day_axis(curve),
        *_median_guide(curve),
        _band(curve),
        _polyline("curve", _corners(_survival(curve), curve.last_day), curve),
        "</svg>",
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _x(day: int, curve: Curve) -> float:
    return LEFT + (RIGHT - LEFT) * day / max(curve.last_day, 1)


def _y(survival: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * survival


def _text(x: float, y: float, kind: str, text: str) -> str:
    return f'  <text x="{x:.1f}" y="{y:.1f}" class="{kind}">{text}</text>'


def _survival(curve: Curve) -> list[tuple[int, float]]:
    return [(step.day, step.survival) for step in curve.steps]


def _corners(values: Sequence[tuple[int, float]], last_day: int) -> list[tuple[int, float]]:
    """The corners of a step function that starts at 1 and holds each value until the next day."""
    corners = [(0, 1.0)]
    for day, value in values:
        corners += [(day, corners[-1][1]), (day, value)]
    return [*corners, (last_day, corners[-1][1])]


def _points(corners: Sequence[tuple[int, float]], curve: Curve) -> str:
    return " ".join(f"{_x(day, curve):.1f},{_y(value):.1f}" for day, value in corners)


def _polyline(kind: str, corners: Sequence[tuple[int, float]], curve: Curve) -> str:
    return f'  <polyline class="{kind}" points="{_points(corners, curve)}"/>'


def _band(curve: Curve) -> str:
    """The area between the limits; where nobody survives and they end, the curve ends too."""
    lower = [(step.day, step.lower) for step in curve.steps if step.lower is not None]
    upper = [(step.day, step.upper) for step in curve.steps if step.upper is not None]
    there, back = _corners(upper, curve.last_day), _corners(lower, curve.last_day)[::-1]
    return f'  <polygon class="band" points="{_points([*there, *back], curve)}"/>'


def _median_guide(curve: Curve) -> list[str]:
    if curve.median is None:
        return []
    corners = [(0, 0.5), (curve.median, 0.5), (curve.median, 0.0)]
    return [_polyline("guide", corners, curve)]


def _percent_axis() -> list[str]:
    lines = []
    for percent in (0, 25, 50, 75, 100):
        y = _y(percent / 100)
        lines.append(f'  <path class="grid" d="M{LEFT} {y:.1f}H{RIGHT}"/>')
        lines.append(_text(LEFT - 10, y + 5, "percent", f"{percent}%"))
    return [*lines, f'  <path class="axis" d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}"/>']


def _day_axis(curve: Curve) -> list[str]:
    lines = [
        _text(LEFT - 24, BOTTOM + 24, "row", "days"),
        _text(LEFT - 24, BOTTOM + 48, "row", "at risk"),
    ]
    for day in day_ticks(curve.last_day):
        x = _x(day, curve)
        lines.append(f'  <path class="axis" d="M{x:.1f} {BOTTOM}v6"/>')
        lines.append(_text(x, BOTTOM + 24, "day", str(day)))
        lines.append(_text(x, BOTTOM + 48, "day", str(curve.at_risk[day])))
    return lines
