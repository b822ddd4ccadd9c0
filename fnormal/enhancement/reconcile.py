"""Predicted normals whose wide forms are those of the coarse geometry, or between the two.

A network is right about wrinkles, lids and lips, and errs by some degrees over whole cheeks; a coarse mesh
and a smoothed depth map are the other way round. Where both err, and not alike, their mean errs less.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fnormal.arrays import F32, Bools
from fnormal.config import RECONCILE_MM, RECONCILE_SHARE
from fnormal.enhancement.square import square_of, wide
from fnormal.geometry.mesh import Mesh
from fnormal.geometry.normals import unit
from fnormal.prediction.face_normals import FaceNormals
from fnormal.render.drawing import Renderer
from fnormal.render.lighting import headlight

_SIDE_PX = 256
_LEAST_PX = 400
_FACING = 0.2  # n_z of the mesh below which its own normals say little


def reconciled(pred: F32, other: F32, both: Bools, sigma_px: float, share: float) -> F32:
    """What to take from predicted normals so that their wide forms go over to the other's. [H, W, 3]

    Args:
        pred: Unit. [H, W, 3]
        other: Unit. [H, W, 3]
        both: Where both are known. [H, W]
        sigma_px: Forms wider than this count.
        share: 0 keeps the prediction's, 1 takes the other's.
    """
    weights = both.astype(np.float32)
    return share * wide(np.asarray(pred - other, np.float32), weights, sigma_px)


def reconciled_with_mesh(
    renderer: Renderer, mesh: Mesh, result: FaceNormals, px_per_mm: float,
    sigma_mm: float = RECONCILE_MM, share: float = RECONCILE_SHARE,
) -> FaceNormals:  # fmt: skip
    """A prediction reconciled with a mesh that lies over the photo.

    Args:
        renderer: Draws the mesh; it is loaded anew.
        mesh: In the photo's pixel frame.
        result: The prediction.
        px_per_mm: The photo's scale.
        sigma_mm: Forms wider than this are the mesh's,
        share: by this share.
    """
    import cv2

    square = square_of(result, _SIDE_PX)
    renderer.load(mesh)
    drawn = renderer.render(square.camera(), headlight())
    both = square.mask & drawn.mask & (drawn.normals[..., 2] > _FACING)
    if both.sum() < _LEAST_PX:
        return result
    sigma_px = sigma_mm * px_per_mm * _SIDE_PX / square.side_px
    too_much = reconciled(square.normals, drawn.normals, both, sigma_px, share)
    # back onto the prediction's own pixels; it is smooth, so linear interpolation does
    height, width = result.part_mask.shape
    scale = _SIDE_PX / square.side_px
    left = square.middle[0] - result.corner_px[0] - (square.side_px - 1) / 2
    top = (result.shape[0] - 1 - square.middle[1]) - result.corner_px[1] - (square.side_px - 1) / 2
    columns = ((np.arange(width) - left + 0.5) * scale - 0.5).astype(np.float32)
    rows = ((np.arange(height) - top + 0.5) * scale - 0.5).astype(np.float32)
    x, y = np.meshgrid(columns, rows)
    field = cv2.remap(too_much, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    normals = unit(result.part_normals - field, result.part_mask)
    return replace(result, part_normals=np.asarray(normals, np.float32))
