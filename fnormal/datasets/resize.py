"""Samples at another size; normals are never blended with the background."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fnormal.arrays import F32, Bools
from fnormal.datasets.sample import AnySample, ImageSample, NormalsSample, Pair
from fnormal.geometry.images import resize_image, resize_points
from fnormal.geometry.normals import unit


def resize_sample(sample: AnySample, size_px: int) -> AnySample:
    """A sample at another size, its landmarks moved with it; normals become float16."""
    side = sample.mask.shape[0]
    if side == size_px:
        return sample
    changed: dict[str, Any] = {"mask": resize_mask(sample.mask, size_px)}
    if isinstance(sample, NormalsSample):
        small, changed["mask"] = resize_normals(sample.normals.astype(np.float32), sample.mask, size_px)
        changed["normals"] = small.astype(np.float16)
    if isinstance(sample, ImageSample):
        changed["image"] = resize_image(sample.image, size_px)
    if isinstance(sample, Pair) and sample.albedo is not None and sample.depth is not None:
        changed["albedo"] = resize_image(sample.albedo, size_px)
        changed["depth"] = resize_depth(sample.depth.astype(np.float32), size_px).astype(np.float16)
    if sample.landmarks is not None:
        changed["landmarks"] = resize_points(sample.landmarks, size_px / side)
    return replace(sample, **changed)


def resize_normals(normals: F32, mask: Bools, size_px: int) -> tuple[F32, Bools]:
    """Resize normals [S, S, 3] inside a mask [S, S] without blending in the background's zeros."""
    if normals.shape[0] == size_px:
        return normals, mask
    total = resize_image(normals * mask[..., None], size_px)
    kept = resize_mask(mask, size_px)
    return unit(total, kept), kept


def resize_depth(depth_px: F32, size_px: int) -> F32:
    """Resize a depth [S, S] in pixels, and so its values, without blending in the nothing that 0 says."""
    known = (depth_px != 0).astype(np.float32)
    share = resize_image(known, size_px)
    level = resize_image(depth_px, size_px) / np.maximum(share, 1e-6)
    return np.asarray(np.where(share > 0.5, level * (size_px / depth_px.shape[0]), 0), np.float32)


def resize_mask(mask: Bools, size_px: int) -> Bools:
    """Resize a mask [S, S]: a pixel is in where more than half of it was."""
    return np.asarray(resize_image(mask.astype(np.float32), size_px) > 0.5)
