"""A stored view as that of a head of another shape, so that no head is ever seen twice.

A network that sees a few thousand heads again and again learns them by heart: its error on them falls, and on
others it grows. Sets for this keep albedo and depth (``--keep-albedo``), and are lit anew after.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fnormal.arrays import F32, Array, Bools
from fnormal.datasets.sample import Pair
from fnormal.geometry.normals import unit

_CELLS = 6  # of a view's side: what is one place of a face that is stretched or raised
_STRETCH = 0.07  # standard deviation of how much longer a small part of the view gets
_WIDER, _HIGHER, _DEEPER = 0.06, 0.06, 0.15  # largest change of the logarithm of the whole head's sides
_SLOPE = 0.10  # largest rms slope of what is raised and sunk


def reshape(pair: Pair, rng: np.random.Generator) -> Pair:
    """The view of a head that is wider or narrower here and there, deeper or flatter, raised or sunk.

    With the depth z of the view, p' = p - f(p') and z'(p') = c z(p) + h(p'), the slope becomes
    c J^T grad z + grad h, where J = dp / dp'. It is exact for an orthographic view.

    Args:
        pair: With albedo and depth; its picture stays as it is, so that it must be lit anew.
        rng: The sample's own generator.
    """
    assert pair.albedo is not None, "the caller looked"
    assert pair.depth is not None, "they come together"
    side = pair.mask.shape[0]
    x, y = _flow(rng, side)
    depth = pair.depth.astype(np.float32)
    known = depth != 0
    level = float(depth[known].mean()) if known.any() else 0.0
    deeper = float(np.exp(rng.uniform(-_DEEPER, _DEEPER)))
    raised = _waves(rng, side) * rng.uniform(0, _SLOPE)

    share = _moved(known.astype(np.float32), x, y)
    moved = _moved(np.where(known, depth - level, 0), x, y) / np.maximum(share, 1e-6)
    depth = np.where(share > 0.5, level + deeper * moved + raised, 0)
    normals, mask = _turned(pair, x, y, deeper, raised)
    return replace(
        pair, mask=mask, normals=normals.astype(np.float16), depth=depth.astype(np.float16),
        albedo=_moved(pair.albedo, x, y),
        landmarks=None if pair.landmarks is None else _carried(pair.landmarks, x, y),
    )  # fmt: skip


def _flow(rng: np.random.Generator, side: int) -> tuple[F32, F32]:
    """Where each pixel of the new view comes from: columns and rows. [S, S] both"""
    row, column = np.mgrid[:side, :side].astype(np.float32)
    middle = (side - 1) / 2
    wider, higher = np.exp(rng.uniform((-_WIDER, -_HIGHER), (_WIDER, _HIGHER)))
    x = middle + (column - middle) / wider + _STRETCH * _waves(rng, side)
    y = middle + (row - middle) / higher + _STRETCH * _waves(rng, side)
    return np.asarray(x, np.float32), np.asarray(y, np.float32)


def _waves(rng: np.random.Generator, side: int) -> F32:
    """Smooth heights in pixels whose slope has a root mean square of 1. [S, S]"""
    import cv2

    cells = rng.standard_normal((_CELLS + 3, _CELLS + 3), np.float32)
    grown = side * (_CELLS + 3) // _CELLS
    first = (grown - side) // 2
    smooth = cv2.resize(cells, (grown, grown), interpolation=cv2.INTER_CUBIC)[first:, first:][:side, :side]
    down, right = np.gradient(smooth)
    return np.asarray(smooth / np.sqrt((down**2 + right**2).mean()), np.float32)


def _moved(picture: Array, x: F32, y: F32) -> Array:
    import cv2

    moved: Array = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return moved


def _turned(pair: Pair, x: F32, y: F32, deeper: float, raised: F32) -> tuple[F32, Bools]:
    """Normals [S, S, 3] and mask [S, S] of the new view, without a division: finite at the outline."""
    mask = _moved(pair.mask.astype(np.float32), x, y) > 0.5
    old = unit(_moved(pair.normals.astype(np.float32) * pair.mask[..., None], x, y))
    x_down, x_right = np.gradient(x)
    y_down, y_right = np.gradient(y)
    down, right = np.gradient(raised)
    slope_x, slope_y = -old[..., 0], old[..., 1]  # times n_z; rows go down, y goes up
    new_x = deeper * (x_right * slope_x + y_right * slope_y) + old[..., 2] * right
    new_y = deeper * (x_down * slope_x + y_down * slope_y) + old[..., 2] * down
    mask &= old.any(axis=-1)
    return unit(np.stack([-new_x, new_y, old[..., 2]], axis=-1), mask), mask


def _carried(points: F32, x: F32, y: F32) -> F32:
    """Points of the old view in the new one: where the flow comes from them, found step by step. [68, 2]"""
    import cv2

    now = points.astype(np.float32)
    for _ in range(6):  # each is five times as close
        column, row = now[:, :1].copy(), now[:, 1:].copy()
        there = [cv2.remap(a, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for a in (x, y)]
        now = now + points - np.concatenate(there, axis=1)
    return np.asarray(now, np.float32)
