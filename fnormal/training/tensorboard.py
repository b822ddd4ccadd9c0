"""TensorBoard, where it is asked for: curves of a run and pictures of what it predicts."""

from __future__ import annotations

from pathlib import Path

from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.sample import Pair
from fnormal.errors import FNormalError
from fnormal.evaluation.metrics import pixel_errors_deg
from fnormal.evaluation.pictures import SAMPLE_TITLES, grid, sample_pictures
from fnormal.evaluation.predictions import network_predictions
from fnormal.network.checkpoint import WeightsInfo
from fnormal.network.model import CrossModalNet

_FACES, _SIDE_PX = 4, 192  # of the panel


class TensorBoard:
    """A folder that ``tensorboard --logdir`` reads.

    Raises:
        FNormalError: The package tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise FNormalError("--tensorboard needs a package: pip install 'fnormal[log]'") from error
        self._writer = SummaryWriter(folder)

    def add(self, step: int, values: dict[str, float]) -> None:
        """Points of curves."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def show(self, epoch: int, model: CrossModalNet, info: WeightsInfo, data: Dataset[Pair]) -> None:
        """Image, truth, prediction and error of faces spread over ``data``."""
        rows, chosen = [], data.spread(_FACES)
        for sample, pred in network_predictions(model, info, data, batch_size=_FACES, only=chosen):
            rows.append(sample_pictures(sample, pred, pixel_errors_deg(pred, sample.normals, sample.mask)))
        panel = grid(rows, SAMPLE_TITLES, _SIDE_PX)
        self._writer.add_image("validation", panel, epoch, dataformats="HWC")
        self._writer.flush()
