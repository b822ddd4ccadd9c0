"""eval: the paper's table of angular errors for a network and for what costs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fnormal.arrays import F32, Floats
from fnormal.config import ERROR_THRESHOLDS_DEG
from fnormal.datasets.hdf5 import Dataset, Sample
from fnormal.errors import FNormalError
from fnormal.evaluation.breakdown import Breakdown
from fnormal.evaluation.metrics import ErrorMeter, ErrorSummary, pixel_errors_deg
from fnormal.evaluation.predictions import file_predictions, network_predictions
from fnormal.evaluation.report import Gallery, page
from fnormal.files import write_bytes
from fnormal.geometry.normals import likely_frame, unit
from fnormal.network.checkpoint import load_weights
from fnormal.network.model import CrossModalNet
from fnormal.options import Style

Rows = dict[str, ErrorSummary]
_FRAME_PIXELS = 500  # of each image, to look at the axes of predictions
_OTHER_FRAME_DEG = 5.0  # what other axes must gain before they are suspected


def open_pairs(path: Path) -> Dataset:
    """A data set that can be evaluated on.

    Raises:
        FNormalError: It has no images, or no normals to compare with.
    """
    data = Dataset(path)
    if data.modality != "pairs":
        raise FNormalError(f"{path} holds {data.modality} alone; eval needs image/normal pairs")
    return data


@dataclass(frozen=True)
class Scores:
    """What one method reached on a set.

    Attributes:
        summary: The paper's figures and the pooled ones.
        breakdown: By region, pose, light and subject.
        gallery: The best and the worst faces, for a report.
        advice: A line where the predictions seem to be in other axes, else empty.
    """

    summary: ErrorSummary
    breakdown: Breakdown
    gallery: Gallery
    advice: str = ""


@dataclass(frozen=True)
class Run:
    """How networks are run over a set.

    Attributes:
        batch_size: Images a pass.
        mirror: Average with the mirrored image's prediction.
        device: Where.
    """

    batch_size: int
    mirror: bool
    device: str


def score(predictions: Iterable[tuple[Sample, F32]]) -> Scores:
    """Compare predictions of any length, fnormal's frame, with the truth."""
    meter, breakdown, gallery = ErrorMeter(), Breakdown(), Gallery()
    thinned: list[tuple[F32, F32]] = []
    for index, (sample, pred) in enumerate(predictions):
        truth = _truth(sample)
        if not sample.mask.any():
            raise FNormalError(f"the mask of sample {index} ({sample.source}) is empty; make the set again")
        errors = pixel_errors_deg(pred, truth, sample.mask)
        meter.add_errors(errors)
        breakdown.add(sample, errors)
        gallery.add(sample, pred, errors)
        step = max(1, int(sample.mask.sum()) // _FRAME_PIXELS)
        thinned.append((pred[sample.mask][::step], truth[sample.mask][::step].astype(np.float32)))
    summary = meter.summary()
    pred_some, gt_some = (np.concatenate(part) for part in zip(*thinned, strict=True))
    frame, there_deg, here_deg = likely_frame(pred_some, gt_some)
    advice = ""
    if here_deg - there_deg > _OTHER_FRAME_DEG:
        advice = (
            f"these predictions seem to be in other axes: {here_deg:.1f} degrees as they are,"
            f" {there_deg:.1f} as {frame}; try --frame {frame}"
        )
    return Scores(summary, breakdown, gallery, advice)


def network_errors(
    model: CrossModalNet, data: Dataset, size_px: int, *, batch_size: int, mirror: bool = False
) -> ErrorSummary:
    """Errors of ``model`` over every sample of ``data``; see :func:`network_predictions`."""
    meter = ErrorMeter()
    for sample, pred in network_predictions(model, data, size_px, batch_size=batch_size, mirror=mirror):
        meter.add(pred, _truth(sample), sample.mask)
    return meter.summary()


def baseline_errors(data: Dataset) -> Rows:
    """Errors of what needs no network: a normal toward the viewer, and the mean of other subjects."""
    subjects = sorted(set(data.subjects))
    shape = (data.size_px, data.size_px, 3)
    sums = {s: np.zeros(shape, np.float64) for s in subjects}
    for i in range(len(data)):
        sums[data.subjects[i]] += _truth(data[i])
    total = np.sum(list(sums.values()), axis=0)
    toward = np.broadcast_to(np.array([0, 0, 1], np.float32), shape)
    meters = {"constant normal": ErrorMeter()}
    if len(subjects) > 1:
        meters["mean face of others"] = ErrorMeter()
    for i in range(len(data)):
        sample = data[i]
        meters["constant normal"].add(toward, _truth(sample), sample.mask)
        if len(subjects) > 1:
            mean = unit(total - sums[sample.subject])
            pred = np.where(mean.any(-1, keepdims=True), mean, toward)
            meters["mean face of others"].add(pred, _truth(sample), sample.mask)
    return {name: meter.summary() for name, meter in meters.items()}


def _truth(sample: Sample) -> Floats:
    assert sample.normals is not None, "open_pairs() saw to it"
    return sample.normals


def evaluate(data: Dataset, weights: Path | None, how: Run) -> tuple[str, Scores]:
    """Name and scores of a network on a set."""
    model, info = load_weights(weights)
    model.to(how.device)
    name = f"fnormal {info.arch}" if weights is None else weights.stem
    found = network_predictions(model, data, info.size_px, batch_size=how.batch_size, mirror=how.mirror)
    return name, score(found)


def named_weights(files: Sequence[Path]) -> dict[str, Path]:
    """Weights files by their name, or by their folder's where two have one name."""
    alike = len({file.stem for file in files}) < len(files)
    return {file.parent.name if alike else file.stem: file for file in files}


def compare_weights(data: Dataset, files: Sequence[Path], how: Run) -> Rows:
    """Errors of further networks, see :func:`named_weights`."""
    rows = {}
    for name, file in named_weights(files).items():
        model, info = load_weights(file)
        rows[name] = network_errors(
            model.to(how.device), data, info.size_px, batch_size=how.batch_size, mirror=how.mirror
        )
    return rows


def evaluate_files(data: Dataset, folder: Path, frame: str | None) -> tuple[str, Scores]:
    """Name and scores of anybody's normal maps on a set.

    Raises:
        FNormalError: See :func:`file_predictions`.
    """
    if not folder.is_dir():
        raise FNormalError(f"no such folder of normal maps: {folder}; check --predictions")
    return folder.name, score(file_predictions(folder, data, frame))


def write_report(folder: Path, name: str, data: Path, rows: Rows, scores: Scores) -> Path:
    """Write ``index.html`` into ``folder``, which needs nothing beside it."""
    path = folder / "index.html"
    write_bytes(path, page(name, str(data), rows, scores.breakdown, scores.gallery, scores.advice).encode())
    return path


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
