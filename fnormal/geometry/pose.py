"""Where a camera without perspective stands, from points whose places on a head are known."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import Array


def weak_perspective(shape: Array, target: Array, weight: Array) -> tuple[Array, float, Array]:
    """Rotation, scale and shift that bring points [N, 3] to [N, 2], y up: nearest to the affine fit.

    Args:
        shape: On the head. [N, 3]
        target: In the picture. [N, 2]
        weight: How much each point counts. [N]
    """
    w = weight / weight.sum()
    from_mean, to_mean = w @ shape, w @ target
    a, b = (shape - from_mean) * weight[:, None], (target - to_mean) * weight[:, None]
    affine = np.linalg.lstsq(a, b, rcond=None)[0].T  # [2, 3]
    u, s, vt = np.linalg.svd(affine, full_matrices=False)
    rows = u @ vt
    turn = np.concatenate([rows, np.cross(rows[0], rows[1])[None]])
    scale = float(s.mean())
    return turn, scale, to_mean - scale * from_mean @ turn[:2].T
