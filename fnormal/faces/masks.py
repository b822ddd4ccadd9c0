"""Face masks from the 68 landmarks."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F32, Bools

_BROWS = slice(17, 27)
_NOSE_BASE = 33
_TEMPLES = (0, 16)
_FOREHEAD = 0.95  # height of the forehead over the brows / distance from the brows to the nose base


def hull_mask(landmarks: F32, height_px: int, width_px: int, *, corner_px: tuple[int, int] = (0, 0)) -> Bools:
    """The paper's facial region (4.1): the convex hull of the 68 points. It ends at the brows. [H, W]

    Args:
        landmarks: In pixels of the picture. [68, 2]
        height_px: Rows of the mask.
        width_px: Columns of the mask.
        corner_px: Column and row of the picture where the mask begins.
    """
    import cv2

    hull = cv2.convexHull(np.round(landmarks).astype(np.int32) - np.array(corner_px, np.int32))
    mask = np.zeros((height_px, width_px), np.uint8)
    cv2.fillConvexPoly(mask, hull, 1)
    return mask.astype(bool)


def face_mask(landmarks: F32, height_px: int, width_px: int, *, corner_px: tuple[int, int] = (0, 0)) -> Bools:
    """The hull with an arc of forehead over it: the face as artists mean it. Args: see :func:`hull_mask`."""
    brow = landmarks[_BROWS].mean(axis=0)
    up = brow - landmarks[_NOSE_BASE]
    left, right = landmarks[_TEMPLES[0]], landmarks[_TEMPLES[1]]
    angle = np.linspace(0, np.pi, 33)[:, None]
    middle, half = (left + right) / 2, (right - left) / 2
    rise = (brow - middle) + _FOREHEAD * up
    arc = middle + np.cos(angle) * half + np.sin(angle) * rise
    outline = np.concatenate([landmarks, arc]).astype(np.float32)
    return hull_mask(outline, height_px, width_px, corner_px=corner_px)
