"""Crops -> mean predictions by torch, on a CPU or a GPU."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from fnormal.arrays import F32
from fnormal.config import CROP_SIZE_PX
from fnormal.network.checkpoint import load_weights
from fnormal.network.exported import OnnxNetwork
from fnormal.network.inference import ready_to_run
from fnormal.network.memory import keep_freed_memory
from fnormal.network.model import CrossModalNet
from fnormal.network.vectors import unit


def mirrored_mean(model: CrossModalNet | OnnxNetwork, image: Tensor, *, raw: bool = False) -> Tensor:
    """Mean of the predictions for images [B, 3, S, S] and for their mirror images. [B, 3, S, S]

    Of unit normals, or of ``raw`` ones, of which the surer counts more.
    """
    both = model.image_to_normals(torch.cat([image, image.flip(-1)])).float()  # torch is slow on one alone
    direct, other = (both if raw else unit(both)).chunk(2)
    return (direct + other.flip(-1) * other.new_tensor([-1, 1, 1])[:, None, None]) / 2


class TorchRunner:
    """See :class:`fnormal.network.serving.Runner`; an ``.onnx`` of 'fnormal export' runs in it too."""

    def __init__(self, weights: Path | str | CrossModalNet | None, device: str, threads: int | None) -> None:
        keep_freed_memory()
        if threads is not None:
            torch.set_num_threads(threads)
        self.size_px, self.sure, self.levels = CROP_SIZE_PX, False, True
        self._device = torch.device(device)
        self.model: CrossModalNet | OnnxNetwork
        if isinstance(weights, CrossModalNet):
            self.model = ready_to_run(weights).to(self._device)
        elif str(weights).endswith(".onnx"):
            self.model = OnnxNetwork(Path(str(weights)))
            self.size_px, self.levels = self.model.info.size_px, self.model.info.levels
        else:
            model, info = load_weights(weights)
            self.model = ready_to_run(model).to(self._device)
            self.size_px, self.sure, self.levels = info.size_px, info.sure, info.levels

    def mean(self, images: F32, *, mirror: bool) -> F32:
        """See :class:`fnormal.network.serving.Runner`."""
        batch = torch.from_numpy(images).permute(0, 3, 1, 2).to(self._device)
        with torch.inference_mode():
            if mirror:
                found = mirrored_mean(self.model, batch, raw=self.sure)
            else:
                found = self.model.image_to_normals(batch).float()
                found = found if self.sure else unit(found)
        mean: F32 = found.permute(0, 2, 3, 1).cpu().numpy()
        return mean
