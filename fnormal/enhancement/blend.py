"""Append predicted normals to a mesh ("normal mapping", section 4 and [12]): where and how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fnormal.arrays import F32, I32, Bools
from fnormal.geometry.connectivity import edges_of
from fnormal.geometry.normals import angular_error_deg, unit

_GRAZING, _FACING = 0.15, 0.40  # n_z of the coarse mesh: no weight below, full weight above
_AGREE_DEG, _DISAGREE_DEG = 35.0, 65.0  # angle to the coarse normal: full weight below, none above
_FEATHER = 0.05  # width of the mask's soft rim / side of the crop
_SMOOTHINGS = 8  # rounds over the mesh's edges, each half a step to the neighbours' mean
_REACH_PX = 2.0  # from a vertex to the farthest pixel that its depth is compared with
_HIDDEN = 0.02  # a vertex this share of the crop's side behind the visible surface is hidden


def sample(picture: F32, xy_px: F32) -> F32:
    """Bilinear samples of a picture [H, W] or [H, W, C] at pixels [V, 2] (y down), 0 outside. [V(, C)]"""
    import cv2

    columns = np.ascontiguousarray(xy_px[None, :, 0], np.float32)
    rows = np.ascontiguousarray(xy_px[None, :, 1], np.float32)
    values = [
        cv2.remap(picture, columns[:, i : i + 30000], rows[:, i : i + 30000], cv2.INTER_LINEAR)
        for i in range(0, columns.shape[1], 30000)  # remap takes fewer than 32,768 columns
    ]
    return np.asarray(np.concatenate(values, axis=1)[0])


def photo_pixels(vertices: F32, height_px: int) -> F32:
    """Vertices of the photo's pixel frame [V, 3] as its columns and rows, y down. [V, 2]"""
    return np.stack([vertices[:, 0], height_px - 1 - vertices[:, 1]], axis=1)


@dataclass(frozen=True)
class Shown:
    """Where the photo shows the vertices.

    Attributes:
        xy_px: Pixels of the vertices in the mask, y down. [V, 2]
        mask: The face. [H, W]
        front_z: Depth of the nearest surface at each vertex's pixel, -inf where there is none. [V]
        side_px: Side of the crop, the scale of the tolerances.
    """

    xy_px: F32
    mask: Bools
    front_z: F32
    side_px: float

    @property
    def tolerance_px(self) -> float:
        """How far behind the visible surface a vertex still counts as on it."""
        return _HIDDEN * self.side_px


def vertex_weights(vertices: F32, normals: F32, pred_normals: F32, shown: Shown) -> tuple[F32, F32]:
    """How far each vertex trusts the prediction, and how well the photo shows it, both 0..1. [V], [V]

    The second is the product of: seen by the camera; facing it; inside the mask, fading to its rim. The
    first also of not contradicting the coarse normal.

    Args:
        vertices: In the photo's pixel frame (y up). [V, 3]
        normals: Coarse, unit. [V, 3]
        pred_normals: Sampled at the vertices, unit or 0. [V, 3]
        shown: Where the photo shows them.
    """
    import cv2

    front_z, side_px = shown.front_z, shown.side_px
    inside = cv2.distanceTransform(np.pad(shown.mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    rim = np.clip(sample(inside, shown.xy_px) / (_FEATHER * side_px), 0, 1)
    # from a vertex to that pixel a surface recedes by its slope: grazing parts must not hide themselves
    slope = np.sqrt(1 - np.clip(normals[:, 2], 0, 1) ** 2) / np.maximum(normals[:, 2], _GRAZING)
    seen = (vertices[:, 2] >= front_z - shown.tolerance_px - _REACH_PX * slope).astype(np.float32)
    facing = np.clip((normals[:, 2] - _GRAZING) / (_FACING - _GRAZING), 0, 1)
    angle = angular_error_deg(normals, pred_normals)
    agree = np.clip((_DISAGREE_DEG - angle) / (_DISAGREE_DEG - _AGREE_DEG), 0, 1)
    known = np.linalg.norm(pred_normals, axis=1) > 0.5
    shows = seen * facing * rim * known
    return np.asarray(shows * agree, np.float32), np.asarray(shows, np.float32)


def smooth(weights: F32, faces: I32) -> F32:
    """Average weights [V] with their neighbours' along the edges, so that no tooth shows where they end."""
    from scipy.sparse import coo_matrix

    ends = edges_of(faces).ends
    n = len(weights)
    links = coo_matrix(
        (np.ones(2 * len(ends)), np.concatenate([ends, ends[:, ::-1]]).T), shape=(n, n)
    ).tocsr()
    count = np.maximum(np.asarray(links.sum(axis=1)).ravel(), 1)
    for _ in range(_SMOOTHINGS):
        weights = (weights + (links @ weights) / count) / 2
    return np.asarray(weights, np.float32)


def blend(normals: F32, pred_normals: F32, weights: F32) -> F32:
    """Unit normals between coarse (weight 0) and predicted (weight 1). [V, 3]"""
    w = weights[:, None]
    return unit((1 - w) * normals + w * pred_normals)
