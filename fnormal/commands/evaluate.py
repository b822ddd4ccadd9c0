"""eval: the paper's table of angular errors, for a network or anybody's maps, beside free baselines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from fnormal.datasets.hdf5 import open_pairs
from fnormal.evaluation.metrics import ErrorSummary
from fnormal.evaluation.report import page
from fnormal.evaluation.scores import (
    Run,
    Scores,
    baseline_errors,
    compare_weights,
    score_files,
    score_network,
)
from fnormal.evaluation.tables import group_table, summary_table, table_results
from fnormal.files.naming import Guard
from fnormal.files.writing import write_bytes
from fnormal.network.device import free_cores, set_up
from fnormal.options.networks import Evaluate
from fnormal.progress import Progress


def evaluate(options: Evaluate) -> Iterator[Progress]:
    """Score one method on a set of pairs, and compare it.

    Raises:
        FNormalError: The set, the weights or the predictions cannot be used.
    """
    compute = options.compute
    device = set_up(compute.device, compute.threads or free_cores())
    report = None if options.report is None else options.report / "index.html"
    if report is not None:
        Guard([options.data, options.weights, options.predictions, *(options.compare or [])]).check([report])
    data, run = open_pairs(options.data), Run(options.batch_size, options.mirror, device)
    if options.predictions is not None:
        name, scores = score_files(data, options.predictions, options.frame)
    else:
        name, scores = score_network(data, options.weights, run)
    rows = {name: scores.summary, **compare_weights(data, options.compare or [], run)}
    rows |= baseline_errors(data)
    yield Progress(table=summary_table(str(options.data), rows))
    yield Progress(table=group_table(name, scores.breakdown.groups()), warning=scores.advice)
    records = {method: _record(str(options.data), method, row) for method, row in rows.items()}
    records[name] |= _details(scores)
    yield Progress(results=table_results(rows, options.style, records))
    if report is not None:
        text = page(name, str(options.data), rows, scores.breakdown, scores.gallery, scores.advice)
        write_bytes(report, text.encode())
        yield Progress(written=(report,))


def _record(data: str, method: str, row: ErrorSummary) -> dict[str, Any]:
    return {"method": method, "data": data, **row.as_dict()}


def _details(scores: Scores) -> dict[str, Any]:
    return {
        "interval_deg": scores.breakdown.interval_deg(),
        "groups": [asdict(group) for group in scores.breakdown.groups()],
        "subjects": scores.breakdown.subjects(),
    }
