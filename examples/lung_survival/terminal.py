"""The survival curve drawn with characters, for a terminal of 80 columns."""

from dataclasses import dataclass

from curve import Curve, Step, day_ticks, median_text

WIDTH = 70
"""Columns of the drawing, right of the percent axis."""
HEIGHT = 20
"""Rows from 100% down to 0%: five percent each."""
MARGIN = 8
"""Columns of the labels at the left, the percent axis included."""


@dataclass(frozen=True)
class Glyphs:
    """The characters of a drawing."""

    flat: str
    fall: str
    above: str
    below: str
    band: str
    guide_across: str
    guide_down: str
    axis_down: str
    axis_across: str
    corner: str
    tick_left: str
    tick_below: str


UNICODE = Glyphs(
    flat="─",
    fall="│",
    above="╮",
    below="╰",
    band="░",
    guide_across="┈",
    guide_down="┊",
    axis_down="│",
    axis_across="─",
    corner="└",
    tick_left="┤",
    tick_below="┬",
)
ASCII = Glyphs(
    flat="-",
    fall="|",
    above="+",
    below="+",
    band=".",
    guide_across="'",
    guide_down=":",
    axis_down="|",
    axis_across="-",
    corner="+",
    tick_left="+",
    tick_below="+",
)


def draw(curve: Curve, encoding: str) -> str:
    """The curve with its 95% band, axes, patients at risk and median, as lines of text.

    Args:
        curve: of at least one patient.
        encoding: of the output; plain ASCII is drawn if it lacks the characters for lines.
    """
    glyphs = UNICODE if _can_encode(encoding) else ASCII
    canvas = [[" "] * WIDTH for _ in range(HEIGHT + 1)]
    columns = [_value_at(curve, column) for column in range(WIDTH)]
    _draw_band(canvas, columns, glyphs)
    _draw_median(canvas, curve, glyphs)
    _draw_curve(canvas, columns, glyphs)
    return "\n".join([_title(curve, glyphs), *_frame(canvas, curve, glyphs), median_text(curve)])


def _can_encode(encoding: str) -> bool:
    try:
        "".join(vars(UNICODE).values()).encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _value_at(curve: Curve, column: int) -> Step | None:
    """The last step at or before the day that a column stands for."""
    day = column * curve.last_day / (WIDTH - 1)
    return next((step for step in reversed(curve.steps) if step.day <= day), None)


def _column(curve: Curve, day: int) -> int:
    return round(day * (WIDTH - 1) / max(curve.last_day, 1))


def _row(survival: float) -> int:
    return round((1 - survival) * HEIGHT)


def _draw_band(canvas: list[list[str]], columns: list[Step | None], glyphs: Glyphs) -> None:
    for column, step in enumerate(columns):
        if step and step.lower is not None and step.upper is not None:
            for row in range(_row(step.upper), _row(step.lower) + 1):
                canvas[row][column] = glyphs.band


def _draw_median(canvas: list[list[str]], curve: Curve, glyphs: Glyphs) -> None:
    """Guides from 50% to the curve and from there down to the day."""
    if curve.median is None:
        return
    column, half = _column(curve, curve.median), _row(0.5)
    for left in range(column):
        canvas[half][left] = glyphs.guide_across
    for row in range(half, HEIGHT + 1):
        canvas[row][column] = glyphs.guide_down


def _draw_curve(canvas: list[list[str]], columns: list[Step | None], glyphs: Glyphs) -> None:
    before = 0
    for column, step in enumerate(columns):
        row = _row(step.survival) if step else 0
        if row == before:
            canvas[row][column] = glyphs.flat
        else:
            canvas[before][column] = glyphs.above
            for between in range(before + 1, row):
                canvas[between][column] = glyphs.fall
            canvas[row][column] = glyphs.below
        before = row


def _title(curve: Curve, glyphs: Glyphs) -> str:
    counts = f"{curve.patients} patients, {curve.deaths} deaths"
    return f"Survival of {counts} (Kaplan-Meier; {glyphs.band * 3} 95% confidence band)"


def _frame(canvas: list[list[str]], curve: Curve, glyphs: Glyphs) -> list[str]:
    """The canvas with the percent axis at its left, the day axis and the patients at risk below."""
    lines = []
    for row, cells in enumerate(canvas):
        labelled = row % (HEIGHT // 4) == 0
        label = f"{100 - 100 * row // HEIGHT}% {glyphs.tick_left}" if labelled else glyphs.axis_down
        lines.append(f"{label:>{MARGIN}}" + "".join(cells))
    ticks = day_ticks(curve.last_day)
    axis = [glyphs.axis_across] * WIDTH
    for day in ticks:
        axis[_column(curve, day)] = glyphs.tick_below
    lines.append(f"{glyphs.corner:>{MARGIN}}" + "".join(axis))
    lines.append(_labels("days", curve, {day: str(day) for day in ticks}))
    lines.append(_labels("at risk", curve, {day: str(curve.at_risk[day]) for day in ticks}))
    return [line.rstrip() for line in lines]


def _labels(name: str, curve: Curve, texts: dict[int, str]) -> str:
    """A line of texts, each with its middle under the tick of its day."""
    line = f"{name:<{MARGIN}}"
    for day, text in texts.items():
        start = MARGIN + _column(curve, day) - (len(text) - 1) // 2
        line = line.ljust(start) + text
    return line
