"""Prediction and mesh side by side in one small square of the photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fnormal.arrays import F32, Bools
from fnormal.enhancement.blend import sample
from fnormal.prediction.face_normals import FaceNormals
from fnormal.render.camera import Camera

_AROUND = 1.1  # side of the square / longer side of the mask


@dataclass(frozen=True)
class Square:
    """A square around a prediction's mask, resampled.

    Attributes:
        normals: Predicted, unit or 0. [S, S, 3]
        mask: The face. [S, S]
        middle: Of the square in the photo's pixel frame, y up. [2]
        side_px: Of the square in the photo.
    """

    normals: F32
    mask: Bools
    middle: tuple[float, float]
    side_px: float

    def camera(self) -> Camera:
        """What sees a mesh in the photo's pixel frame in this square."""
        size = self.mask.shape[0]
        return Camera(np.eye(3, dtype=np.float32), self.middle, self.side_px / 2, size, size)


def square_of(result: FaceNormals, size_px: int) -> Square:
    """The square of a prediction, ``size_px`` pixels wide."""
    rows, columns = np.nonzero(result.part_mask)
    x, y = result.corner_px
    middle = np.array([columns.min() + columns.max(), rows.min() + rows.max()]) / 2
    side = _AROUND * max(float(np.ptp(columns)), float(np.ptp(rows))) + 2
    at = (np.arange(size_px) + 0.5) / size_px * side - 0.5 + (middle - (side - 1) / 2)[:, None]
    grid = np.stack(np.meshgrid(at[0], at[1]), axis=-1).astype(np.float32).reshape(-1, 2)
    normals = sample(result.part_normals, grid).reshape(size_px, size_px, 3)
    mask = sample(result.part_mask.astype(np.float32), grid).reshape(size_px, size_px) > 0.5
    place = float(middle[0] + x), float(result.shape[0] - 1 - (middle[1] + y))
    return Square(normals, mask, place, side)


def wide(values: F32, weights: F32, sigma_px: float) -> F32:
    """Values [H, W, C] blurred over where there are weights [H, W], and carried on beyond. [H, W, C]"""
    import cv2

    total = cv2.GaussianBlur(values * weights[..., None], (0, 0), sigma_px)
    share = cv2.GaussianBlur(weights, (0, 0), sigma_px)
    return np.asarray(total / np.maximum(share, 1e-4)[..., None], np.float32)
