"""Samples of one modality stacked into tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from fnormal.arrays import Array
from fnormal.datasets.sample import FIELDS, ImageSample, Modality, Sample

AnyBatch = TypeVar("AnyBatch", bound="Batch")


@dataclass(frozen=True)
class Batch:
    """What batches of every modality have: ``mask``, True on the face. bool [B, S, S]

    Arrays are as they are stored until :meth:`to` brings them to a device.
    """

    mask: Tensor

    def to(self: AnyBatch, device: torch.device) -> AnyBatch:
        """The batch on ``device`` in single precision, pictures channels-last and in [0, 1]."""
        return type(self)(**{f.name: _moved(getattr(self, f.name), device) for f in fields(self)})


@dataclass(frozen=True)
class ImageBatch(Batch):
    """Pictures alone: RGB, uint8; on their device float32 in [0, 1]. [B, 3, S, S]"""

    image: Tensor

    @staticmethod
    def of(samples: Sequence[ImageSample]) -> ImageBatch:
        """The pictures of samples, whatever else they have."""
        return ImageBatch(_stacked([s.mask for s in samples]), _channels_first([s.image for s in samples]))


@dataclass(frozen=True)
class NormalsBatch(Batch):
    """Normal maps alone: unit, fnormal's frame, float16; on their device float32. [B, 3, S, S]"""

    normals: Tensor


@dataclass(frozen=True)
class PairBatch(NormalsBatch, ImageBatch):
    """Pictures and their normals."""


_BATCH_TYPES: dict[Modality, type[Batch]] = {
    "pairs": PairBatch,
    "images": ImageBatch,
    "normals": NormalsBatch,
}


def collate(modality: Modality, samples: Sequence[Sample]) -> Batch:
    """Stack samples, as they are stored: a quarter and a half of single precision's bytes on their way."""
    parts = {name: _channels_first([getattr(s, name) for s in samples]) for name in FIELDS[modality]}
    return _BATCH_TYPES[modality](mask=_stacked([s.mask for s in samples]), **parts)


def _stacked(arrays: Sequence[Array]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))


def _channels_first(arrays: Sequence[Array]) -> Tensor:
    return _stacked(arrays).permute(0, 3, 1, 2)


def _moved(x: Tensor, device: torch.device) -> Tensor:
    if x.ndim == 3:
        return x.to(device)
    there = x.to(device, memory_format=torch.channels_last)
    if x.dtype == torch.uint8:
        return there.float() * (1 / 255)
    return there.float() if x.dtype == torch.float16 else there
