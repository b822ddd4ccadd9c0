"""What a method reached on a set: a network, anybody's predictions, or what costs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fnormal.arrays import F32
from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.sample import Pair
from fnormal.errors import FNormalError
from fnormal.evaluation.breakdown import Breakdown
from fnormal.evaluation.metrics import ErrorMeter, ErrorSummary, pixel_errors_deg
from fnormal.evaluation.predictions import file_predictions, network_predictions, stated_frame
from fnormal.evaluation.report import Gallery
from fnormal.geometry.normals import compose_frames, likely_frame, unit
from fnormal.network.checkpoint import WeightsInfo, load_weights, named_weights
from fnormal.network.model import CrossModalNet

_FRAME_PIXELS = 500  # of each image, to look at the axes of predictions
_OTHER_FRAME_DEG = 5.0  # what other axes must gain before they are suspected


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


def score(predictions: Iterable[tuple[Pair, F32]], read_as: str = "x,y,z") -> Scores:
    """Compare predictions of any length, fnormal's frame, with the truth.

    Args:
        predictions: Samples with their predicted normals. [H, W, 3]
        read_as: Frame that the predictions' files were read in, for the advice.

    Raises:
        FNormalError: A mask is empty, or predictions are not finite.
    """
    meter, breakdown, gallery = ErrorMeter(), Breakdown(), Gallery()
    thinned: list[tuple[F32, F32]] = []
    for index, (sample, pred) in enumerate(predictions):
        truth = sample.normals
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
        other = compose_frames(read_as, frame)
        advice = (
            f"these predictions seem to be in other axes: {here_deg:.1f} degrees read as {read_as},"
            f" {there_deg:.1f} as {other}; try --frame {other}"
        )
    return Scores(summary, breakdown, gallery, advice)


def network_errors(
    model: CrossModalNet, info: WeightsInfo, data: Dataset[Pair], *, batch_size: int, mirror: bool = False
) -> ErrorSummary:
    """Errors of ``model`` over every sample of ``data``; see :func:`network_predictions`."""
    meter = ErrorMeter()
    predicted = network_predictions(model, info, data, batch_size=batch_size, mirror=mirror)
    for sample, pred in predicted:
        meter.add(pred, sample.normals, sample.mask)
    return meter.summary()


def baseline_errors(data: Dataset[Pair]) -> dict[str, ErrorSummary]:
    """Errors of what needs no network: a normal toward the viewer, and the mean of other subjects."""
    subjects = sorted(set(data.subjects))
    shape = (data.size_px, data.size_px, 3)
    sums = {s: np.zeros(shape, np.float64) for s in subjects}
    for i in range(len(data)):
        sums[data.subjects[i]] += data[i].normals
    total = np.sum(list(sums.values()), axis=0)
    toward = np.broadcast_to(np.array([0, 0, 1], np.float32), shape)
    meters = {"constant normal": ErrorMeter()}
    if len(subjects) > 1:
        meters["mean face of others"] = ErrorMeter()
    for i in range(len(data)):
        sample = data[i]
        meters["constant normal"].add(toward, sample.normals, sample.mask)
        if len(subjects) > 1:
            mean = unit(total - sums[sample.subject])
            pred = np.where(mean.any(-1, keepdims=True), mean, toward)
            meters["mean face of others"].add(pred, sample.normals, sample.mask)
    return {name: meter.summary() for name, meter in meters.items()}


def score_network(data: Dataset[Pair], weights: Path | None, run: Run) -> tuple[str, Scores]:
    """Name and scores of a network on a set."""
    model, info = load_weights(weights)
    model.to(run.device)
    name = f"fnormal {info.arch}" if weights is None else weights.stem
    predicted = network_predictions(model, info, data, batch_size=run.batch_size, mirror=run.mirror)
    return name, replace(score(predicted), advice="")  # a network has no --frame to change


def compare_weights(data: Dataset[Pair], files: Sequence[Path], run: Run) -> dict[str, ErrorSummary]:
    """Errors of further networks, see :func:`named_weights`."""
    rows = {}
    for name, file in named_weights(files).items():
        model, info = load_weights(file)
        model.to(run.device)
        rows[name] = network_errors(model, info, data, batch_size=run.batch_size, mirror=run.mirror)
    return rows


def score_files(data: Dataset[Pair], folder: Path, frame: str | None) -> tuple[str, Scores]:
    """Name and scores of anybody's normal maps on a set.

    Raises:
        FNormalError: See :func:`file_predictions`.
    """
    if not folder.is_dir():
        raise FNormalError(f"no such folder of normal maps: {folder}; check --predictions")
    read_as = frame or stated_frame(folder, data)
    return folder.name, score(file_predictions(folder, data, frame), read_as)
