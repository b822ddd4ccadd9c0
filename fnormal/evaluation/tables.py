"""The paper's tables (Tables 1 and 2, Fig. 7): for people on stderr, for pasting on stdout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fnormal.config import ERROR_THRESHOLDS_DEG
from fnormal.evaluation.breakdown import Group
from fnormal.evaluation.metrics import ErrorSummary
from fnormal.options.shared import Style
from fnormal.progress import Result, Table

Rows = dict[str, ErrorSummary]
COLUMNS = ("", "mean ± std", *(f"< {t:g}°" for t in ERROR_THRESHOLDS_DEG), "pooled", "median", "rmse")


def summary_table(title: str, rows: Rows) -> Table:
    """The paper's columns and the pooled figures, in degrees and percent."""
    return Table(title, COLUMNS, [summary_cells(name, row) for name, row in rows.items()])


def summary_cells(name: str, row: ErrorSummary) -> list[str]:
    """A row under ``COLUMNS``."""
    below = [f"{value:.1f} %" for value in row.below_pct.values()]
    pooled = (row.pooled_mean_deg, row.pooled_median_deg, row.pooled_rmse_deg)
    return [name, f"{row.mean_deg:.2f} ± {row.std_deg:.2f}", *below, *(f"{v:.2f}" for v in pooled)]


def group_table(title: str, groups: Iterable[Group]) -> Table:
    """Errors by region, pose and light."""
    rows = [(f"{g.by} {g.name}", str(g.images), f"{g.mean_deg:.2f}") for g in groups]
    return Table(title, ("", "images", "mean"), rows)


def table_results(rows: Rows, style: Style, records: Mapping[str, Mapping[str, Any]]) -> tuple[Result, ...]:
    """Rows as text in a style, each with its record; lines around the rows have none."""
    lines, names = table_lines(rows, style), list(rows)
    head = len(lines) - len(names)
    around = [Result(line) for line in lines[:head]]
    body = [Result(line, records[name]) for line, name in zip(lines[head:], names, strict=True)]
    return (*around, *body)


def table_lines(rows: Rows, style: Style) -> list[str]:
    """The paper's columns as text to paste: ``tsv``, ``csv``, ``markdown`` or ``latex``."""
    head = ["method", "mean", "std", *(f"<{t:g}" for t in ERROR_THRESHOLDS_DEG)]
    body = [
        [name, f"{row.mean_deg:.2f}", f"{row.std_deg:.2f}", *(f"{v:.1f}" for v in row.below_pct.values())]
        for name, row in rows.items()
    ]
    if style == "tsv":
        return ["\t".join(cells) for cells in body]
    if style == "csv":
        return [",".join(cells) for cells in [head, *body]]
    if style == "markdown":
        ruler = ["---", *["---:"] * (len(head) - 1)]
        return ["| " + " | ".join(cells) + " |" for cells in [head, ruler, *body]]
    latex = [[n, f"${m} \\pm {s}$", *(f"{v}\\%" for v in below)] for n, m, s, *below in body]
    return [" & ".join(cells) + r" \\" for cells in latex]
