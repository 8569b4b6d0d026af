"""chart: a picture that is readable on a phone.

- a PNG of the stated size, whatever the numbers; labels do not overlap; a single note is visible
- matplotlib is imported only to draw, prints nothing, and several threads may draw at once
"""

import os
import re
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from io import BytesIO
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE_S, ROOT

from notes import chart

LAST_DAY = date(2026, 11, 21)
DRAW = "from datetime import date; from notes import chart; chart.draw([(date(2026, 11, 21), 3)])"


def days_until_today(counts: Sequence[int]) -> list[tuple[date, int]]:
    return [(LAST_DAY - timedelta(len(counts) - 1 - n), count) for n, count in enumerate(counts)]


def mixed(days: int, highest: int = 12) -> list[tuple[date, int]]:
    return days_until_today([n * 7919 % (highest + 1) if n % 4 else 0 for n in range(days, 0, -1)])


def figure(per_day: Sequence[tuple[date, int]]) -> Any:
    drawn = chart._figure(per_day)
    drawn.draw_without_rendering()
    return drawn


def day_labels(drawn: Any) -> list[str]:
    """Return the labels of the days from left to right."""
    labels = sorted(drawn.axes[0].get_xticklabels(), key=lambda label: label.get_position()[0])
    return [label.get_text() for label in labels]


def day_label_boxes(drawn: Any) -> list[Any]:
    """Return the boxes of the labels of the days from left to right, in pixels."""
    boxes = [label.get_window_extent() for label in drawn.axes[0].get_xticklabels()]
    return sorted(boxes, key=lambda box: box.x0)


def bar_labels(drawn: Any) -> list[str]:
    return [text.get_text() for text in drawn.axes[0].texts]


def run(code: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("MPLCONFIGDIR", "XDG_CONFIG_HOME")
    }
    env = {**inherited, "PYTHONPATH": str(ROOT), **env}
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "counts", [[3], [0], [0] * 7, [0] * 30, [5, 0, 0, 2], [1] * 366, [100_000] * 14, [0] * 365 + [1]]
)
def test_the_chart_is_a_png_of_the_stated_size(counts: list[int]) -> None:
    png = chart.draw(days_until_today(counts))
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", png[16:24]) == (1200, 750)
    assert len(png) < 100_000


@pytest.mark.parametrize("highest", [1, 12, 100_000])
@pytest.mark.parametrize("days", [1, 2, 7, 8, 14, 15, 30, 31, 90, 180, 366])
def test_day_labels_do_not_touch_and_include_the_last_day(days: int, highest: int) -> None:
    drawn = figure(mixed(days, highest))
    boxes = day_label_boxes(drawn)
    assert all(right.x0 - left.x1 > 10 for left, right in pairwise(boxes))
    assert day_labels(drawn)[-1] == "21.11"
    assert len(boxes) >= (days if days <= 7 else 4 if days == 8 else 5)
    assert len(boxes) <= 8
    assert boxes[0].x0 >= 0
    assert boxes[-1].x1 <= 1200


def test_day_labels_have_even_steps() -> None:
    assert day_labels(figure(mixed(30))) == ["27.10", "01.11", "06.11", "11.11", "16.11", "21.11"]


@pytest.mark.parametrize("highest", [9, 99, 999, 9_999, 100_000, 9_999_999])
@pytest.mark.parametrize("days", [1, 2, 7, 10, 14, 15, 366])
def test_numbers_above_bars_overlap_neither_each_other_nor_other_texts(days: int, highest: int) -> None:
    drawn = figure(days_until_today([highest] * days))
    axes = drawn.axes[0]
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == (days if days <= 14 else 1)
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    low, high = axes.get_ylim()
    visible_ticks = [label for label in axes.get_yticklabels() if low <= label.get_position()[1] <= high]
    others = [drawn._suptitle, *visible_ticks]
    assert not any(box.overlaps(text.get_window_extent()) for box in boxes for text in others)


@pytest.mark.parametrize(("days", "highest"), [(7, 999), (14, 99)])
def test_numbers_of_usual_size_are_written_horizontally(days: int, highest: int) -> None:
    texts_above = figure(days_until_today([highest] * days)).axes[0].texts
    assert {text.get_rotation() for text in texts_above} == {0}


def test_only_the_highest_of_many_bars_is_labeled() -> None:
    assert bar_labels(figure(days_until_today([1] * 20 + [100_000] + [2] * 20))) == ["100\N{THIN SPACE}000"]
    assert bar_labels(figure(days_until_today([0] * 40))) == []


@pytest.mark.parametrize("highest", [0, 1, 2, 3, 7, 43, 100_000])
def test_the_y_axis_has_a_few_whole_numbers_starting_at_zero(highest: int) -> None:
    axes = figure(days_until_today([highest] * 5)).axes[0]
    low, high = axes.get_ylim()
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    assert low == 0
    assert high > highest
    assert ticks[0] == 0
    assert 2 <= len(ticks) <= 7
    assert all(tick == int(tick) for tick in ticks)
    assert all(
        re.fullmatch(r"\d{1,3}(\u2009\d{3})*", text.get_text()) for text in axes.get_yticklabels()[: len(ticks)]
    )


def test_a_single_note_of_a_year_is_visible() -> None:
    from PIL import Image

    counts = [0] * 366
    counts[100], counts[200] = 1, 100_000
    drawn = figure(days_until_today(counts))
    axes = drawn.axes[0]
    picture = Image.open(BytesIO(chart.draw(days_until_today(counts)))).convert("RGB")
    middle = int(axes.transData.transform((100, 0))[0])
    base = int(drawn.bbox.height - axes.bbox.y0)
    pixels = [picture.getpixel((x, y)) for x in range(middle - 3, middle + 4) for y in range(base - 5, base - 1)]
    assert (0x2F, 0x66, 0x90) in pixels


def test_several_threads_draw_at_once_with_the_same_result() -> None:
    alone = {days: chart.draw(mixed(days)) for days in (7, 30)}
    gate = threading.Barrier(4)

    def draw(days: int) -> bool:
        gate.wait(PATIENCE_S)
        return all(chart.draw(mixed(days)) == alone[days] for _ in range(2))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(draw, [7, 30, 7, 30])) == [True] * 4


def test_importing_the_module_does_not_import_matplotlib(tmp_path: Path) -> None:
    loaded = "[name for name in ('matplotlib', 'numpy', 'PIL') if name in sys.modules]"
    done = run(f"import sys; from notes import chart; print({loaded})", tmp_path)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("home", ["fresh", "impossible"])
def test_the_first_use_prints_nothing_and_needs_no_pyplot_whatever_the_home_folder(
    tmp_path: Path, home: str
) -> None:
    (tmp_path / "file").touch()  # nobody can create a folder in it, not even root
    (tmp_path / "temporary").mkdir()
    folder = tmp_path / ("home" if home == "fresh" else "file")
    code = f"import logging, sys; logging.basicConfig(); {DRAW}; assert 'matplotlib.pyplot' not in sys.modules"
    done = run(code, tmp_path, HOME=str(folder), TMPDIR=f"{tmp_path}/temporary")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not any((tmp_path / "temporary").iterdir())  # the folder made in place of a home is removed
