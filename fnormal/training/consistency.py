"""Pictures alone: in any frame and damage the network agrees with a slow copy of itself in a clean frame.

Beyond the paper. The slow copy sees the face upright in the paper's crop; its normals are carried into the
frame that the network sees. A turn of the picture turns the normals, a mirror image mirrors them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from fnormal.arrays import F32, F64, U8
from fnormal.config import CROP_SCALE
from fnormal.datasets.batch import ImageBatch
from fnormal.datasets.sample import ImageSample
from fnormal.geometry.mirror import mirror_image
from fnormal.network.model import CrossModalNet
from fnormal.network.torch_runner import mirrored_mean
from fnormal.network.vectors import unit
from fnormal.training.augment import as_shown, photometric
from fnormal.training.cover import some_cut_out
from fnormal.training.framing import cut_square, reframe
from fnormal.training.losses import angle_error, masked_mean


@dataclass(frozen=True)
class ConsistencyBatch(ImageBatch):
    """Pictures in random frames, and the same faces in the paper's crop.

    Attributes:
        clean: RGB, uint8; on their device float32 in [0, 1]. [B, 3, S, S]
        to_clean: Pixels of ``image`` to pixels of ``clean``, y down. [B, 2, 3]
    """

    clean: Tensor
    to_clean: Tensor


@dataclass(frozen=True)
class TwoFrames:
    """A picture in a random frame, the same face in the paper's crop, and the way from one to the other."""

    student: ImageSample
    clean: U8
    to_clean: F32


def two_frames(
    sample: ImageSample, size_px: int, rng: np.random.Generator, *, cover: bool = False
) -> TwoFrames:
    """Cut a picture twice; its landmarks are known. With ``cover`` some are the face alone the first time."""
    assert sample.landmarks is not None, "the caller looked"
    clean, clean_points = cut_square(sample.image, sample.landmarks, CROP_SCALE, size_px)
    if cover:
        image, mask = some_cut_out(sample.image, sample.mask, sample.landmarks, rng)
        sample = replace(sample, image=image, mask=mask)
    student = reframe(sample, size_px, rng)
    assert student.landmarks is not None
    image, mask, points = student.image, student.mask, student.landmarks
    if rng.random() < 0.5:
        image, mask = mirror_image(image), mirror_image(mask)
        points = np.stack([size_px - 1 - points[:, 0], points[:, 1]], axis=1)
    to_clean = _similarity(points, clean_points)
    image = as_shown(photometric(image, rng))
    whole = ImageSample(mask, sample.subject, sample.source, image)
    return TwoFrames(whole, as_shown(clean), to_clean.astype(np.float32))


def _similarity(points: F32, others: F32) -> F64:
    """The affine map that takes ``points`` [68, 2] to ``others``, which are the same points. [2, 3]"""
    known = np.concatenate([points, np.ones((len(points), 1))], axis=1).astype(np.float64)
    return np.asarray(np.linalg.lstsq(known, others.astype(np.float64), rcond=None)[0].T)


def consistency_batch(pairs: Sequence[TwoFrames]) -> ConsistencyBatch:
    """Stack what :func:`two_frames` gives."""
    plain = ImageBatch.of([pair.student for pair in pairs])
    clean = torch.from_numpy(np.stack([pair.clean for pair in pairs])).permute(0, 3, 1, 2)
    to_clean = torch.from_numpy(np.stack([pair.to_clean for pair in pairs]))
    return ConsistencyBatch(plain.mask, plain.image, clean, to_clean)


def consistency_loss(raw: Tensor, batch: ConsistencyBatch, slow: CrossModalNet) -> Tensor:
    """Distance of the network's unit normals to those of its slow copy, carried into the same frame.

    Args:
        raw: Of ``batch.image``. [B, 3, S, S]
        batch: On the network's device.
        slow: The averaged network.
    """
    with torch.no_grad():
        was = slow.training
        slow.eval()
        mean = mirrored_mean(slow, batch.clean)
        slow.train(was)
        wanted, known = carried(mean, batch.to_clean)
    pred = unit(raw.float())
    mask = (batch.mask & known).to(pred.dtype)
    return masked_mean(angle_error(pred, wanted), mask)


def carried(normals: Tensor, to_source: Tensor) -> tuple[Tensor, Tensor]:
    """Normals of one frame in another that is turned, scaled, shifted or mirrored.

    Args:
        normals: Of any length, y up. [B, 3, S, S]
        to_source: Pixels of the new frame to pixels of theirs, y down. [B, 2, 3]

    Returns:
        Unit normals [B, 3, S, S], and where they come from inside the source [B, S, S].
    """
    side = normals.shape[-1]
    centre = (side - 1) / 2
    linear = to_source[:, :, :2]
    # in grid_sample's coordinates, where the outer edges of the border pixels are -1 and 1
    shift = (linear.sum(dim=2) * centre + to_source[:, :, 2] - centre) * (2 / side)
    theta = torch.cat([linear, shift[:, :, None]], dim=2)
    grid = nn.functional.affine_grid(theta, list(normals.shape), align_corners=False)
    moved = nn.functional.grid_sample(normals, grid, mode="bilinear", align_corners=False)
    turn = linear / linear.det().abs().sqrt()[:, None, None]
    flip = turn.new_tensor([[1.0, -1.0], [-1.0, 1.0]])  # y up
    planar = torch.einsum("bji,bjhw->bihw", turn * flip, moved[:, :2])
    turned = torch.cat([planar, moved[:, 2:]], dim=1)
    return unit(turned), (grid.abs() < 1).all(dim=-1)
