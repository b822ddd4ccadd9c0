"""eval: the paper's table of angular errors for a network and for what costs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from fnormal.batches import collate, resize_sample
from fnormal.checkpoint import load_weights
from fnormal.dataset import Dataset, Sample
from fnormal.errors import FNormalError
from fnormal.metrics import ErrorMeter, ErrorSummary
from fnormal.model import CrossModalNet
from fnormal.normals import unit
from fnormal.predictor import mirrored_mean

F32 = npt.NDArray[np.float32]
Rows = dict[str, ErrorSummary]


def open_pairs(path: Path) -> Dataset:
    """A data set that can be evaluated on.

    Raises:
        FNormalError: It has no images, or no normals to compare with.
    """
    data = Dataset(path)
    if data.modality != "pairs":
        raise FNormalError(f"{path} holds {data.modality} alone; eval needs image/normal pairs")
    return data


def network_errors(
    model: CrossModalNet,
    data: Dataset,
    size_px: int,
    *,
    batch_size: int,
    mirror: bool = False,
) -> ErrorSummary:
    """Errors of ``model`` over every sample of ``data``, at the data set's own resolution.

    Args:
        model: In eval mode.
        data: Pairs.
        size_px: Side that the network sees; its output is resized back to the data set's.
        batch_size: Images a pass.
        mirror: Average with the mirrored image's prediction.
    """
    meter = ErrorMeter()
    device = next(model.parameters()).device
    for start in range(0, len(data), batch_size):
        samples = [data[i] for i in range(start, min(start + batch_size, len(data)))]
        batch = collate(data.modality, [resize_sample(s, size_px) for s in samples]).to(device)
        assert batch.image is not None, "open_pairs() saw to it"
        with torch.inference_mode():
            raw = mirrored_mean(model, batch.image) if mirror else model.image_to_normals(batch.image)
            if size_px != data.size_px:
                raw = torch.nn.functional.interpolate(raw, data.size_px, mode="bilinear")
        for pred, sample in zip(raw.permute(0, 2, 3, 1).cpu().numpy(), samples, strict=True):
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


def _truth(sample: Sample) -> npt.NDArray[np.floating[Any]]:
    assert sample.normals is not None, "open_pairs() saw to it"
    return sample.normals


def evaluate(path: Path, weights: Path | None, *, batch_size: int, mirror: bool, device: str) -> Rows:
    """The rows of the table, by name: the network, then what needs none."""
    data = open_pairs(path)
    model, info = load_weights(weights)
    model.to(device)
    name = f"fnormal {info.arch}" if weights is None else weights.stem
    errors = network_errors(model, data, info.size_px, batch_size=batch_size, mirror=mirror)
    return {name: errors, **baseline_errors(data)}
