"""chart: a picture that can be read on a phone.

- a PNG of its size, whatever the numbers; labels that never touch; a lone note that is seen
- matplotlib is imported for the drawing only, says nothing, and threads may draw at once
"""

import os
import re
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from io import BytesIO
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from runtime import chart

LAST = date(2026, 11, 21)
TITLE = "Заметки по дням"
DRAW = "from datetime import date; from runtime import chart"
DRAW += "; chart.notes_per_day([(date(2026, 11, 21), 3)], 'Заметки', str)"


def day_label(day: date) -> str:
    return f"{day:%d.%m}"


def ending_today(counts: Sequence[int]) -> list[tuple[date, int]]:
    return [(LAST - timedelta(len(counts) - 1 - n), count) for n, count in enumerate(counts)]


def mixed(days: int, most: int = 12) -> list[tuple[date, int]]:
    return ending_today([n * 7919 % (most + 1) if n % 4 else 0 for n in range(days, 0, -1)])


def figure(per_day: Sequence[tuple[date, int]], label: Callable[[date], str] = day_label) -> Any:
    drawn = chart._figure(per_day, TITLE, label)
    drawn.draw_without_rendering()
    return drawn


def x_labels(drawn: Any) -> list[str]:
    return [label.get_text() for label in drawn.axes[0].get_xticklabels()]


def bar_labels(drawn: Any) -> list[str]:
    return [text.get_text() for text in drawn.axes[0].texts]


def run(code: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("MPLCONFIGDIR", "XDG_CONFIG_HOME")}
    env = {**kept, "PYTHONPATH": str(ROOT), **env}
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    "counts", [[3], [0], [0] * 7, [0] * 30, [5, 0, 0, 2], [1] * 366, [100_000] * 14, [0] * 365 + [1]]
)
def test_it_is_a_png_of_the_stated_size(counts: list[int]) -> None:
    png = chart.notes_per_day(ending_today(counts), TITLE, day_label)
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", png[16:24]) == (1200, 750)
    assert len(png) < 100_000


@pytest.mark.parametrize(
    "label", [day_label, date.isoformat, lambda day: f"{day:%d} сентября {day:%Y} года, среда"]
)
@pytest.mark.parametrize("days", [1, 2, 7, 8, 14, 15, 30, 31, 90, 180, 366])
def test_labels_of_days_never_touch_and_include_the_last(days: int, label: Callable[[date], str]) -> None:
    drawn = figure(mixed(days, 100_000), label=label)
    boxes = [text.get_window_extent() for text in drawn.axes[0].get_xticklabels()]
    assert all(after.x0 - before.x1 > 10 for before, after in pairwise(boxes))
    assert x_labels(drawn)[-1] == label(LAST)
    if label is day_label:
        assert len(boxes) >= (days if days <= 7 else 4 if days == 8 else 5)
        assert len(boxes) <= 8
        assert boxes[0].x0 >= 0
        assert boxes[-1].x1 <= 1200


@pytest.mark.parametrize("most", [9, 99, 999, 9_999, 100_000, 9_999_999])
@pytest.mark.parametrize("days", [1, 2, 7, 10, 14, 15, 366])
def test_numbers_over_bars_touch_neither_each_other_nor_the_title(days: int, most: int) -> None:
    drawn = figure(ending_today([most] * days))
    boxes = [text.get_window_extent() for text in drawn.axes[0].texts]
    assert len(boxes) == (days if days <= 14 else 1)
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    others = [drawn._suptitle, *drawn.axes[0].get_yticklabels()]
    lowest = drawn.axes[0].get_ylim()
    seen = [t for t in others if t is drawn._suptitle or lowest[0] <= t.get_position()[1] <= lowest[1]]
    assert not any(box.overlaps(text.get_window_extent()) for box in boxes for text in seen)


def test_only_the_highest_of_many_bars_is_labelled() -> None:
    assert bar_labels(figure(ending_today([1] * 20 + [100_000] + [2] * 20))) == ["100\N{THIN SPACE}000"]
    assert bar_labels(figure(ending_today([0] * 40))) == []


@pytest.mark.parametrize("top", [0, 1, 2, 3, 7, 43, 100_000])
def test_the_y_axis_has_few_whole_numbers_from_zero(top: int) -> None:
    axes = figure(ending_today([top] * 5)).axes[0]
    low, high = axes.get_ylim()
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    assert low == 0
    assert high > top
    assert ticks[0] == 0
    assert 2 <= len(ticks) <= 7
    assert all(tick == int(tick) for tick in ticks)
    assert all(
        re.fullmatch(r"\d{1,3}(\u2009\d{3})*", text.get_text()) for text in axes.get_yticklabels()[: len(ticks)]
    )


def test_a_lone_note_of_a_year_is_seen() -> None:
    from PIL import Image

    days = [0] * 366
    days[100], days[200] = 1, 100_000
    axes = (drawn := figure(ending_today(days))).axes[0]
    picture = Image.open(BytesIO(chart.notes_per_day(ending_today(days), TITLE, day_label))).convert("RGB")
    middle = int(axes.transData.transform((100, 0))[0])
    base = int(drawn.bbox.height - axes.bbox.y0)
    pixels = [picture.getpixel((x, y)) for x in range(middle - 3, middle + 4) for y in range(base - 5, base - 1)]
    assert (0x2F, 0x66, 0x90) in pixels


def test_threads_draw_at_once_and_alike() -> None:
    alone = {days: chart.notes_per_day(mixed(days), TITLE, day_label) for days in (7, 90)}
    gate = threading.Barrier(4)

    def draw(days: int) -> bool:
        gate.wait(10)
        return all(chart.notes_per_day(mixed(days), TITLE, day_label) == alone[days] for _ in range(3))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(draw, [7, 90, 7, 90])) == [True] * 4


def test_the_import_does_not_import_matplotlib(tmp_path: Path) -> None:
    loaded = "[name for name in ('matplotlib', 'numpy', 'PIL') if name in sys.modules]"
    done = run(f"import sys; from runtime import chart; print({loaded})", tmp_path)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_pyplot_is_never_imported(tmp_path: Path) -> None:
    done = run(f"{DRAW}; import sys; print('matplotlib.pyplot' in sys.modules)", tmp_path)
    assert (done.stdout, done.stderr) == ("False\n", "")


@pytest.mark.parametrize("home", ["fresh", "impossible"])
def test_the_first_use_is_silent_whatever_the_home(tmp_path: Path, home: str) -> None:
    (tmp_path / "file").touch()  # a directory cannot be made in it, not even by root
    (tmp_path / "temporary").mkdir()
    place = tmp_path / ("home" if home == "fresh" else "file")
    done = run(
        f"import logging; logging.basicConfig(); {DRAW}", tmp_path, HOME=str(place), TMPDIR=f"{tmp_path}/temporary"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not any((tmp_path / "temporary").iterdir())  # the directory made for want of a home is gone
