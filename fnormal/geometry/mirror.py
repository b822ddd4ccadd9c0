"""Mirror images of pictures and of normal maps."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import Array


def mirror_image(image: Array) -> Array:
    """Left-right mirror of [H, W, ...]."""
    return np.ascontiguousarray(image[:, ::-1])


def mirror_normals(normals: Array) -> Array:
    """Left-right mirror of a normal map [H, W, 3]: the x components change sign too."""
    mirrored = mirror_image(normals)
    np.negative(mirrored[..., 0], out=mirrored[..., 0])
    return mirrored
