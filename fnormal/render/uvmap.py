"""Vertex values at the texels of a texture: the mesh laid flat by its texture coordinates, and drawn."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F32, I32, Array, Bools
from fnormal.render import kernels, shading


def at_texels(faces: I32, uv: F32, values: F32, width_px: int, height_px: int) -> tuple[F32, Bools]:
    """Values of a mesh, interpolated over its texture, and which texels it covers.

    Where faces overlap in the texture the later one is taken.

    Args:
        faces: [F, 3]
        uv: Texture coordinates, v up. [V, 2]
        values: Any vertex values. [V, C]
        width_px: Columns of the texture.
        height_px: Rows of the texture.

    Returns:
        Values [H, W, C], 0 where nothing is, and the mask [H, W].
    """
    screen = np.zeros((len(uv), 5), np.float32)
    screen[:, 0] = uv[:, 0] * width_px - 0.5
    screen[:, 1] = (1 - uv[:, 1]) * height_px - 0.5
    screen[:, 3] = 1
    unsigned = np.ascontiguousarray(faces, np.int32).view(np.uint32)
    seen = np.empty((height_px, width_px), np.int32)
    kernels.rasterise(screen, unsigned, seen, np.empty((height_px, width_px), np.float32))
    face, pixel, at = kernels.centres(seen, 1)
    view = np.array([0, 0, 1, 0, 0], np.float32)
    table = np.ascontiguousarray(values, np.float32)
    _, found = shading.interpolate(screen, unsigned, view, face, at, table)
    texels = np.zeros((height_px * width_px, values.shape[1]), np.float32)
    texels[pixel] = found
    mask = np.zeros(height_px * width_px, bool)
    mask[pixel] = True
    return texels.reshape(height_px, width_px, -1), mask.reshape(height_px, width_px)


def bled(texels: Array, mask: Bools, margin_px: int) -> Array:
    """A texture [H, W, C] carried over the rims of its islands, so that filters find no background."""
    from scipy.ndimage import distance_transform_edt

    distance, nearest = distance_transform_edt(~mask, return_indices=True)
    near = (distance <= margin_px) & ~mask
    out = texels.copy()
    out[near] = texels[tuple(part[near] for part in nearest)]
    return out
