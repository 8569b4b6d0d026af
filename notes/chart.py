"""The chart of notes per day, as a PNG picture that is readable on a phone."""

import gc
import logging
import math
import threading
from collections.abc import Sequence
from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING

import texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# matplotlib warns when it cannot write to the home folder and while it builds its font cache. Both are harmless.
logging.getLogger("matplotlib").setLevel(logging.ERROR)

WIDTH_IN, HEIGHT_IN, DPI = 8, 5, 150  # 1200 × 750 pixels
TITLE_SIZE, TEXT_SIZE = 22, 18  # points; a phone shows the 576 points of the width as about 360 pixels
MAX_DAY_LABELS = 7
MIN_SLOTS = 7  # the bars of fewer days are about as wide as those of a week
MAX_LABELED_BARS = 14  # with more bars only the highest one has its number above it
MAX_ROW_LENGTH = 42  # characters that fit side by side above the bars; longer numbers are written vertically
MIN_BAR_HEIGHT = 0.01  # of the highest bar: a single note remains visible
TEXT_COLOR, GREY, LIGHT_GREY, BAR_COLOR = "#1f2328", "#57606a", "#dfe3e8", "#2f6690"

_drawing = threading.Lock()  # matplotlib is not thread-safe


def draw(per_day: Sequence[tuple[date, int]]) -> bytes:
    """Return a PNG with a bar for each day; per_day lists (day, number of notes), oldest day first."""
    png = BytesIO()
    with _drawing:
        _figure(per_day).savefig(png, format="png", dpi=DPI)
        gc.collect()  # a figure consists of reference cycles; without this the process grows by 60 MB
    return png.getvalue()


def _figure(per_day: Sequence[tuple[date, int]]) -> "Figure":
    # Imported here, because matplotlib is large and slow to import, and a bot may never draw a chart.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure((WIDTH_IN, HEIGHT_IN), DPI, layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.12))
    FigureCanvasAgg(figure)
    title = texts.stats_title(len(per_day))
    figure.suptitle(title, x=0.02, ha="left", size=TITLE_SIZE, weight="bold", color=TEXT_COLOR)
    axes = figure.add_subplot(axisbelow=True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GREY)
    axes.tick_params(labelsize=TEXT_SIZE, labelcolor=GREY, color=GREY)
    _draw_bars(axes, [count for _, count in per_day])
    _label_days(axes, [day for day, _ in per_day])
    _label_counts(axes)
    return figure


def _draw_bars(axes: "Axes", counts: Sequence[int]) -> None:
    """Draw the bars and the number of notes above them."""
    highest = max(*counts, 1)
    heights = [max(count, MIN_BAR_HEIGHT * highest) if count else 0 for count in counts]
    bar_width = 0.75 if len(counts) <= 100 else 1
    axes.bar(range(len(counts)), heights, width=bar_width, color=BAR_COLOR)
    margin = max(1, (MIN_SLOTS - len(counts)) / 2)
    axes.set_xlim(-margin, len(counts) - 1 + margin)
    axes.set_ylim(0, 1.1 * highest)

    numbers = [_format_count(count) for count in counts]
    longest = max(len(number) for number in numbers)
    if len(counts) > MAX_LABELED_BARS:
        _label_highest_bar(axes, counts)
    elif (longest + 1) * max(len(counts), MIN_SLOTS) <= MAX_ROW_LENGTH:
        _label_bars(axes, counts, rotation=0)
    else:
        _label_bars(axes, counts, rotation=90)


def _label_bars(axes: "Axes", counts: Sequence[int], rotation: int) -> None:
    """Write the number of notes above every bar."""
    for x, count in enumerate(counts):
        if count:
            _annotate(axes, x, count, ha="center", rotation=rotation)


def _label_highest_bar(axes: "Axes", counts: Sequence[int]) -> None:
    """Write the number of notes above the highest bar; it extends towards the middle of the chart."""
    highest = max(counts)
    x = counts.index(highest)
    if highest:
        _annotate(axes, x, highest, ha="left" if x < len(counts) / 2 else "right", rotation=0)


def _annotate(axes: "Axes", x: int, count: int, ha: str, rotation: int) -> None:
    axes.annotate(
        _format_count(count),
        (x, count),
        xytext=(0, 4),
        textcoords="offset points",
        ha=ha,
        va="bottom",
        rotation=rotation,
        size=TEXT_SIZE,
        color=TEXT_COLOR,
        bbox={"facecolor": "white", "linewidth": 0, "pad": 1},  # hides the grid behind the number
    )


def _label_days(axes: "Axes", days: Sequence[date]) -> None:
    """Label the last day and, at even steps before it, up to MAX_DAY_LABELS days."""
    step = math.ceil(len(days) / MAX_DAY_LABELS)
    labeled = range(len(days) - 1, -1, -step)
    axes.set_xticks(labeled, [texts.day_label(days[x]) for x in labeled])


def _label_counts(axes: "Axes") -> None:
    """Label the axis of counts with a few round numbers."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.grid(axis="y", color=LIGHT_GREY)
    axes.tick_params(axis="y", length=0)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10], integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: _format_count(round(count))))


def _format_count(count: int) -> str:
    """Return a number with thin spaces between the thousands."""
    return f"{count:,}".replace(",", "\N{THIN SPACE}")
