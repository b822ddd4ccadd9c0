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
from fnormal.evaluation.pictures import ERROR_MOST_DEG, SAMPLE_TITLES, error_picture, grid, sample_pictures
from fnormal.evaluation.tables import COLUMNS, group_table, summary_cells
from fnormal.geometry.pngfile import encode_png

_FACES, _SIDE_PX = 6, 200  # of the best and of the worst
_BARS = 40
_SURE_PIXELS = 500  # of a face
_SAME_LENGTH = 1e-3
_WIDE, _HIGH, _LEFT = 800, 160, 44  # of a plot, and the room for its y axis
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
        self._sure: list[Array] = []  # lengths of predictions and their errors, of some pixels

    def add(self, sample: Pair, pred: Floats, errors_deg: F64) -> None:
        """Add the next face by its errors [K], see :func:`metrics.pixel_errors_deg`."""
        mean, index = float(errors_deg.mean()), len(self.means_deg)
        step = max(1, len(errors_deg) // _SURE_PIXELS)
        length = np.linalg.norm(pred[sample.mask][::step].astype(np.float64), axis=-1)
        self._sure.append(np.stack([length, errors_deg[::step]]))
        self.means_deg.append(mean)
        self.pixel_counts += np.bincount(errors_deg.astype(np.int64), minlength=181)
        for heap, rank in ((self._best, -mean), (self._worst, mean)):
            if len(heap) < _FACES or rank > heap[0][0]:
                item = (rank, index, (sample, pred, errors_deg))
                (heapq.heappush if len(heap) < _FACES else heapq.heappushpop)(heap, item)

    @property
    def has_best(self) -> bool:
        """Whether there are faces that are not among the worst."""
        return len(self.means_deg) > len(self._worst)

    def sparsification(self) -> Array | None:
        """Mean error when the least sure pixels are dropped, and when the worst are, by share. [3, 20]

        None for predictions of one length, which do not tell how sure they are.
        """
        length, error = np.concatenate(self._sure, axis=1)
        if np.ptp(length) < _SAME_LENGTH:
            return None
        shares = np.linspace(0, 0.95, 20)
        kept = np.maximum(((1 - shares) * len(error)).astype(int), 1)
        by_length, by_error = (np.cumsum(error[np.argsort(order)]) for order in (-length, error))
        return np.stack([shares, by_length[kept - 1] / kept, by_error[kept - 1] / kept])

    def sheet(self, which: str) -> U8:
        """Grid of the ``best`` or the ``worst`` faces, the most extreme first; none is in both."""
        worst = {index for _, index, _ in self._worst}
        best = [face for face in self._best if face[1] not in worst]
        heap = sorted(best if which == "best" else self._worst, reverse=True)
        notes = [f"{index:06d}: {abs(rank):.1f} degrees" for rank, index, _ in heap]
        return grid([sample_pictures(*face) for *_, face in heap], SAMPLE_TITLES, _SIDE_PX, notes)


def page(
    title: str, data: str, rows: dict[str, ErrorSummary], breakdown: Breakdown, gallery: Gallery, advice: str
) -> str:
    """HTML with tables, histograms, and the best and the worst faces."""
    interval = breakdown.interval_deg()
    known = f", 95 % interval over subjects {interval[0]:.2f} to {interval[1]:.2f}" if interval else ""
    groups = group_table("", breakdown.groups())
    subjects = [[name, f"{mean:.2f}"] for name, mean in breakdown.subjects().items()]
    parts = [
        f"<h1>{html.escape(title)} on {html.escape(data)}</h1>",
        f"<p>Angular errors in degrees; mean over images{known}."
        " Normals: x right, y up, z toward the viewer.</p>",
        f"<p><strong>{html.escape(advice)}</strong></p>" if advice else "",
        _table(COLUMNS, [summary_cells(name, row) for name, row in rows.items()]),
        "<h2>Errors of images</h2>", _histogram(*np.histogram(gallery.means_deg, _BARS)),
        "<h2>Errors of pixels</h2>", _histogram(gallery.pixel_counts[:91], np.arange(92.0)),
        *_sparsification(gallery.sparsification()),
        "<h2>Worst faces</h2>", _scale(), _picture(gallery.sheet("worst")),
        *(["<h2>Best faces</h2>", _picture(gallery.sheet("best"))] if gallery.has_best else []),
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


def _y_axis(top: float, unit: str) -> str:
    """Lines and labels at 0, a half and all of the highest value."""
    parts = []
    for share in (0, 0.5, 1):
        y = _HIGH * (1 - share) + 8
        parts.append(f'<line x1="{_LEFT}" x2="{_LEFT + _WIDE}" y1="{y:.0f}" y2="{y:.0f}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{_LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{top * share:.3g}{unit}</text>'
        )
    return "".join(parts)


def _svg(body: str, left: str, right: str) -> str:
    ends = f'<text x="{_LEFT}" y="{_HIGH + 24}">{left}</text>'
    ends += f'<text x="{_LEFT + _WIDE}" y="{_HIGH + 24}" text-anchor="end">{right}</text>'
    width, height = _LEFT + _WIDE + 4, _HIGH + 30
    return f'<svg viewBox="0 0 {width} {height}" width="{width}">{body}{ends}</svg>'


def _histogram(counts: Array, edges: Array) -> str:
    """Bars of shares as SVG with axes, each bar's count as its tool tip."""
    step, top = _WIDE / len(counts), max(1, int(counts.max()))
    bars = []
    for i, count in enumerate(counts):
        tall = _HIGH * count / top
        where = f'x="{_LEFT + i * step:.1f}" y="{8 + _HIGH - tall:.1f}" width="{step - 0.5:.1f}"'
        tip = f"<title>{edges[i]:.1f} to {edges[i + 1]:.1f} degrees: {count}</title>"
        bars.append(f'<rect {where} height="{tall:.1f}">{tip}</rect>')
    shares = _y_axis(100 * top / max(1, int(counts.sum())), " %")
    return _svg(shares + "".join(bars), f"{edges[0]:.1f}°", f"{edges[-1]:.1f}°")


def _sparsification(curves: Array | None) -> list[str]:
    """The plot of the error that is left when the least sure pixels are dropped."""
    if curves is None:
        return []
    shares, *lines = curves
    top = float(curves[1:].max())
    drawn = []
    for values, colour in zip(lines, ("#4a7ab5", "#999"), strict=True):
        points = " ".join(
            f"{_LEFT + _WIDE * x / shares[-1]:.1f},{8 + _HIGH * (1 - y / top):.1f}"
            for x, y in zip(shares, values, strict=True)
        )
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
    note = "<p>Blue: the least sure pixels dropped first. Grey: the worst first, which nobody can know.</p>"
    plot = _svg(_y_axis(top, "°") + "".join(drawn), "all pixels", f"{shares[-1]:.0%} dropped")
    return ["<h2>Error of what is left when the least sure pixels are dropped</h2>", note, plot]


def _scale() -> str:
    """The colours of the error maps."""
    ramp = np.tile(np.linspace(0, ERROR_MOST_DEG, 256), (16, 1))
    picture = error_picture(ramp.reshape(-1), np.ones(ramp.shape, bool))
    return f"<p>0° {_picture(picture)} {ERROR_MOST_DEG:g}° and more</p>"
