"""The losses of section 3.3, inside the face mask."""

from __future__ import annotations

import math
import pkgutil

import torch
from torch import Tensor

from fnormal.config import UNIT_ERROR_DEG
from fnormal.errors import FNormalError
from fnormal.network.vectors import length, unit
from fnormal.training import NORMAL_LOSSES, parallel

_FLAT = 0.01  # radians; smaller errors count by their square, so that the gradient has no jump at 0


def masked_mean(value: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``value`` [B, H, W] over each mask [B, H, W], then over the images that have one.

    Where several processes share a batch: their mean is the mean over all its images.
    """
    count = mask.sum(dim=(1, 2))
    per_image = (value * mask).sum(dim=(1, 2)) / count.clamp(min=1)
    images = parallel.total((count > 0).sum())
    return per_image.sum() / images.clamp(min=1) * parallel.world()


def cosine_error(pred_normals: Tensor, gt_normals: Tensor) -> Tensor:
    """Eq. 1: 1 - cosine of the angle, which grows with its square. [B, 3, H, W] twice -> [B, H, W]"""
    return 1 - (pred_normals * gt_normals).sum(dim=1)


def angle_error(pred_normals: Tensor, gt_normals: Tensor) -> Tensor:
    """Ours: the distance of the unit vectors, 2 sin(angle / 2). [B, 3, H, W] twice -> [B, H, W]"""
    return ((pred_normals - gt_normals).square().sum(dim=1) + _FLAT**2).sqrt()


def normal_loss(pred_raw: Tensor, gt_normals: Tensor, mask: Tensor, kind: str = "cosine") -> Tensor:
    """An error of the normals, averaged over the mask.

    Args:
        pred_raw: Network output, any length. [B, 3, H, W]
        gt_normals: Unit normals. [B, 3, H, W]
        mask: True on the face. [B, H, W]
        kind: A name in :data:`fnormal.training.NORMAL_LOSSES`; ``cosine`` is Eq. 1.

    Raises:
        FNormalError: An unknown kind.
    """
    if kind not in NORMAL_LOSSES:
        raise FNormalError(f"unknown normal loss '{kind}': use {', '.join(NORMAL_LOSSES)}")
    value: Tensor = pkgutil.resolve_name(NORMAL_LOSSES[kind])(unit(pred_raw.float()), gt_normals)
    return masked_mean(value, mask.to(value.dtype))


def image_loss(pred_image: Tensor, gt_image: Tensor, mask: Tensor) -> Tensor:
    """Eq. 2: squared error inside the mask.

    The paper leaves open whether the squared norm is summed or averaged; a sum over pixels swamps
    Eq. 1 at equal weights, so it is averaged over pixels and channels.

    Args:
        pred_image: [B, 3, H, W]
        gt_image: In [0, 1]. [B, 3, H, W]
        mask: True on the face. [B, H, W]
    """
    error = (pred_image.float() - gt_image).square().mean(dim=1)
    return masked_mean(error, mask.to(error.dtype))


def confidence_loss(pred_raw: Tensor, gt_normals: Tensor, mask: Tensor) -> Tensor:
    """Ours: teaches the length of the raw normals how far off they are; their direction learns nothing.

    A raw normal of length r expects an error of ``config.UNIT_ERROR_DEG / r``: the likelihood of the errors
    is that of a planar Laplace distribution, s^2 exp(-s d) / 2 pi, whose mean 2 / s is that error.

    Args: as :func:`normal_loss`.
    """
    raw = pred_raw.float()
    strength = length(raw).clamp(min=1e-3)
    error = angle_error(unit(raw.detach()), gt_normals)
    scale = strength * (2 / math.radians(UNIT_ERROR_DEG))
    return masked_mean(scale * error - 2 * scale.log(), mask.to(raw.dtype))


@torch.no_grad()
def mean_error_deg(pred_raw: Tensor, gt_normals: Tensor, mask: Tensor) -> Tensor:
    """Mean angular error of a batch, for the log. Args: as :func:`normal_loss`."""
    pred, gt = unit(pred_raw.float()), unit(gt_normals.float())
    error_deg = torch.rad2deg(2 * torch.atan2(length(pred - gt), length(pred + gt)))
    return masked_mean(error_deg, mask.to(error_deg.dtype))


def gradient_loss(pred_raw: Tensor, gt_normals: Tensor, mask: Tensor) -> Tensor:
    """L1 between the finite differences of unit predictions and normals: ours, for sharper detail.

    Args: as :func:`normal_loss`. A difference counts where both of its pixels are in the mask.
    """
    off = unit(pred_raw.float()) - gt_normals
    total = off.new_zeros(())
    for axis in (2, 3):
        first, last = slice(None, -1), slice(1, None)
        ahead = (slice(None),) * axis + (last,)
        behind = (slice(None),) * axis + (first,)
        difference = off[ahead] - off[behind]
        both = mask[(slice(None),) * (axis - 1) + (last,)] & mask[(slice(None),) * (axis - 1) + (first,)]
        total = total + masked_mean(difference.abs().sum(dim=1), both.to(off.dtype))
    return total
