"""The page of an evaluation: one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import heapq
import html
from collections.abc import Sequence

import numpy as np

from fnormal.arrays import F64, U8, Array, Floats
from fnormal.datasets.sample import Pair
from fnormal.evaluation.breakdown import Breakdown
from fnormal.evaluation.metrics import ErrorSummary
from fnormal.evaluation.pictures import SAMPLE_TITLES, grid, sample_pictures
from fnormal.evaluation.tables import COLUMNS, group_table, summary_cells
from fnormal.geometry.picturefile import encode_png

_FACES, _SIDE_PX = 6, 200  # of the best and of the worst
_BARS = 40
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; } td, th { padding: .2em .8em; text-align: right; }
td:first-child, th:first-child { text-align: left; } tr { border-bottom: 1px solid #ddd; }
img { max-width: 100%; } rect { fill: #4a7ab5; } text { font-size: 12px; }
"""


# (rank in its heap, index, (sample, prediction, errors))
_Face = tuple[float, int, tuple[Pair, Floats, F64]]


class Gallery:
    """Keeps the best and the worst faces, and the mean of each, while a set is scored."""

    def __init__(self) -> None:
        self.means_deg: list[float] = []
        self.pixel_counts = np.zeros(181, np.int64)  # by whole degrees
        self._best: list[_Face] = []
        self._worst: list[_Face] = []

    def add(self, sample: Pair, pred: Floats, errors_deg: F64) -> None:
        """Add the next face by its errors [K], see :func:`metrics.pixel_errors_deg`."""
        mean, index = float(errors_deg.mean()), len(self.means_deg)
        self.means_deg.append(mean)
        self.pixel_counts += np.bincount(errors_deg.astype(np.int64), minlength=181)
        for heap, rank in ((self._best, -mean), (self._worst, mean)):
            if len(heap) < _FACES or rank > heap[0][0]:
                item = (rank, index, (sample, pred, errors_deg))
                (heapq.heappush if len(heap) < _FACES else heapq.heappushpop)(heap, item)

    def sheet(self, which: str) -> U8:
        """Grid of the ``best`` or the ``worst`` faces, the most extreme first."""
        heap = sorted(self._best if which == "best" else self._worst, reverse=True)
        notes = [f"{index:06d}: {abs(rank):.1f} degrees" for rank, index, _ in heap]
        return grid([sample_pictures(*face) for *_, face in heap], SAMPLE_TITLES, _SIDE_PX, notes)


def page(
    title: str, data: str, rows: dict[str, ErrorSummary], breakdown: Breakdown, gallery: Gallery, advice: str
) -> str:
    """HTML with tables, histograms, and the best and the worst faces."""
    low, high = breakdown.interval_deg()
    groups = group_table("", breakdown.groups())
    subjects = [[name, f"{mean:.2f}"] for name, mean in breakdown.subjects().items()]
    parts = [
        f"<h1>{html.escape(title)} on {html.escape(data)}</h1>",
        f"<p>Angular errors in degrees; mean over images, 95 % interval over subjects {low:.2f} to"
        f" {high:.2f}. Normals: x right, y up, z toward the viewer.</p>",
        f"<p><strong>{html.escape(advice)}</strong></p>" if advice else "",
        _table(COLUMNS, [summary_cells(name, row) for name, row in rows.items()]),
        "<h2>Errors of images</h2>", _histogram(*np.histogram(gallery.means_deg, _BARS)),
        "<h2>Errors of pixels</h2>", _histogram(gallery.pixel_counts[:91], np.arange(92.0)),
        "<h2>Worst faces</h2>", _picture(gallery.sheet("worst")),
        "<h2>Best faces</h2>", _picture(gallery.sheet("best")),
        "<h2>By region, pose and light</h2>", _table(groups.columns, groups.rows),
        "<h2>By subject</h2>", _table(["", "mean"], subjects),
    ]  # fmt: skip
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{line(names, 'th')}{''.join(line(row, 'td') for row in rows)}</table>"


def _picture(pixels: U8) -> str:
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(encode_png(pixels)).decode()}">'


def _histogram(counts: Array, edges: Array) -> str:
    """Bars as SVG, their range below, each bar's count as its tool tip."""
    step, high = 800 / len(counts), 160
    bars = []
    for i, count in enumerate(counts):
        tall = high * count / max(1, counts.max())
        where = f'x="{i * step:.1f}" y="{high - tall:.1f}" width="{step - 0.5:.1f}" height="{tall:.1f}"'
        tip = f"<title>{edges[i]:.1f} to {edges[i + 1]:.1f} degrees: {count}</title>"
        bars.append(f"<rect {where}>{tip}</rect>")
    ends = f'<text x="0" y="{high + 16}">{edges[0]:.1f}°</text>'
    ends += f'<text x="800" y="{high + 16}" text-anchor="end">{edges[-1]:.1f}°</text>'
    return f'<svg viewBox="0 0 800 {high + 20}" width="800">{"".join(bars)}{ends}</svg>'
