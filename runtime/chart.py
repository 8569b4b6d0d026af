"""The picture of /note_stats: notes per day, drawn off the polling thread."""

import gc
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import date
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# It warns of a home it cannot write to, and of building its cache of fonts; both end well.
logging.getLogger("matplotlib").setLevel(logging.ERROR)

WIDTH_IN, HEIGHT_IN, DPI = 8, 5, 150
TITLE_PT, TEXT_PT, UPRIGHT_PT, SMALLEST_PT = 22, 18, 15, 13  # a phone shows 576 points as some 360 pixels
DIGIT_EM = 0.64  # the width of a digit of DejaVu Sans
PLOT_WIDTH_PT, PLOT_HEIGHT_PT = 450, 230  # of the axes, at the least
LABELLED_BARS, LABELLED_DAYS, APART_PT = 14, 7, 10
DARK, GREY, LIGHT, BAR = "#1f2328", "#57606a", "#dfe3e8", "#2f6690"

_drawing = threading.Lock()  # matplotlib is not thread-safe


def notes_per_day(per_day: Sequence[tuple[date, int]], title: str, day_label: Callable[[date], str]) -> bytes:
    """Return a PNG with a bar for each day, the oldest first."""
    png = BytesIO()
    with _drawing:
        _figure(per_day, title, day_label).savefig(png, format="png", dpi=DPI)
        gc.collect()  # a figure is a ring of references: left to itself the process grows by 60 MB
    return png.getvalue()


def _figure(per_day: Sequence[tuple[date, int]], title: str, day_label: Callable[[date], str]) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    days, counts = zip(*per_day, strict=True)
    top = max(*counts, 1)
    figure = Figure((WIDTH_IN, HEIGHT_IN), DPI, layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.12))
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.02, ha="left", size=TITLE_PT, weight="bold", color=DARK)
    beside = max(0.6, 3 - len(days) / 2, len(days) / 100)
    axes = figure.add_subplot(axisbelow=True, xlim=(-beside, len(days) - 1 + beside))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GREY)
    axes.grid(axis="y", color=LIGHT, linewidth=1.2)
    axes.tick_params(labelsize=TEXT_PT, labelcolor=GREY, color=GREY, length=5)
    axes.tick_params(axis="y", length=0)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10], integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: _readable(round(count))))
    heights = [max(count, 0.008 * top) if count else 0 for count in counts]  # a single note is never like none
    axes.bar(range(len(days)), heights, width=0.75 if len(days) <= 200 else 1, color=BAR, linewidth=0)
    _label_bars(axes, counts, top)
    _label_days(figure, axes, [day_label(day) for day in days])
    return figure


def _label_bars(axes: "Axes", counts: Sequence[int], top: int) -> None:
    """Write the number over every bar if the days are few, and over the highest if they are many."""
    few = len(counts) <= LABELLED_BARS
    widest_em = (len(_readable(top)) + 0.4) * DIGIT_EM
    size = min(TEXT_PT, PLOT_WIDTH_PT / max(len(counts), 6) / widest_em) if few else TEXT_PT
    size, angle, high_em = (size, 0, 1.2) if size >= SMALLEST_PT else (UPRIGHT_PT, 90, widest_em)
    axes.set_ylim(0, top / (1 - (size * high_em + 6) / PLOT_HEIGHT_PT))
    style: dict[str, Any] = {"size": size, "rotation": angle, "color": DARK, "va": "bottom"}
    style |= {"textcoords": "offset points", "bbox": {"facecolor": "white", "linewidth": 0, "pad": 1}}
    for n in range(len(counts)) if few else [counts.index(max(counts))]:
        if counts[n]:
            side = "center" if few or 0.1 < n / len(counts) < 0.9 else "left" if n < len(counts) / 2 else "right"
            axes.annotate(_readable(counts[n]), (n, counts[n]), (0, 4), ha=side, **style)


def _label_days(figure: "Figure", axes: "Axes", labels: Sequence[str]) -> None:
    """Label the last day and, at even steps before it, as many days as have room."""
    for most in range(LABELLED_DAYS, 0, -1):
        step = -(-len(labels) // most)
        places = range((len(labels) - 1) % step, len(labels), step)
        axes.set_xticks(places, [labels[n] for n in places])
        figure.draw_without_rendering()
        boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
        if all(after.x0 - before.x1 >= APART_PT * DPI / 72 for before, after in pairwise(boxes)):
            return


def _readable(count: int) -> str:
    return f"{count:,}".replace(",", "\N{THIN SPACE}")
