"""Face masks from the 68 landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from fnormal.arrays import F32, Bools

_SHIFT = 4  # bits: corners are placed to a sixteenth of a pixel, which small faces show
_BROWS = slice(17, 27)
_NOSE_BASE = 33
_TEMPLES = (0, 16)
# jaw and brows; nose; eyes and nose bridge; eyes, nose base and mouth; chin and mouth; brows and nose bridge
_PARTS = (
    range(27), range(27, 36), (*range(27, 31), *range(36, 48)), range(31, 60),
    (*range(6, 11), *range(48, 60)), range(17, 28),
)  # fmt: skip
_FOREHEAD = 0.95  # height of the forehead over the brows / distance from the brows to the nose base


class Outline(Protocol):
    """What says where a face is in a part of a picture: :func:`hull_mask`, :func:`face_mask`, or a mask."""

    def __call__(
        self, landmarks: F32, height_px: int, width_px: int, *, corner_px: tuple[int, int] = (0, 0)
    ) -> Bools:
        """See :func:`hull_mask`."""


def moved_outline(outline: Outline, x_px: int, y_px: int) -> Outline:
    """The outline of faces of a part of a picture that begins at a column and a row, by that of the whole."""
    if outline is seen_mask:
        return outline  # it knows no picture

    def part(landmarks: F32, height_px: int, width_px: int, *, corner_px: tuple[int, int] = (0, 0)) -> Bools:
        points = landmarks + np.array([x_px, y_px], np.float32)
        return outline(points, height_px, width_px, corner_px=(corner_px[0] + x_px, corner_px[1] + y_px))

    return part


def given_mask(whole: Bools) -> Outline:
    """The outline of a face that is masked in the whole picture [H, W], whatever its points say."""

    def part(landmarks: F32, height_px: int, width_px: int, *, corner_px: tuple[int, int] = (0, 0)) -> Bools:
        del landmarks
        x, y = corner_px
        return whole[y : y + height_px, x : x + width_px]

    return part


def hull_mask(landmarks: F32, height_px: int, width_px: int, *, corner_px: tuple[int, int] = (0, 0)) -> Bools:
    """The paper's facial region (4.1): the convex hull of the 68 points. It ends at the brows. [H, W]

    Args:
        landmarks: In pixels of the picture. [68, 2]
        height_px: Rows of the mask.
        width_px: Columns of the mask.
        corner_px: Column and row of the picture where the mask begins.
    """
    return _filled([landmarks], (height_px, width_px), corner_px)


def seen_mask(landmarks: F32, height_px: int, width_px: int, *, corner_px: tuple[int, int] = (0, 0)) -> Bools:
    """The hull without the background over and under the nose of a profile: 5 % of it at 75 degrees.

    It is the hulls of a face's parts: 1 % of background. Where nose and mouth lie inside of jaw and brows it
    is :func:`hull_mask`, whose arguments it takes.
    """
    return _filled([landmarks[list(part)] for part in _PARTS], (height_px, width_px), corner_px)


def _filled(parts: Sequence[F32], shape: tuple[int, int], corner_px: tuple[int, int]) -> Bools:
    """The convex hulls of sets of points. [H, W]"""
    import cv2

    mask = np.zeros(shape, np.uint8)
    for part in parts:
        points = np.round((part.astype(np.float64) - corner_px) * (1 << _SHIFT))
        cv2.fillConvexPoly(mask, cv2.convexHull(points.astype(np.int32)), 1, shift=_SHIFT)
    return mask.astype(bool)


def face_mask(landmarks: F32, height_px: int, width_px: int, *, corner_px: tuple[int, int] = (0, 0)) -> Bools:
    """The hull with an arc of forehead over it: the face as artists mean it. Args: see :func:`hull_mask`."""
    return hull_mask(with_forehead(landmarks), height_px, width_px, corner_px=corner_px)


def with_forehead(landmarks: F32) -> F32:
    """The 68 points and an arc over the brows, in the same pixels. [101, 2]"""
    brow = landmarks[_BROWS].mean(axis=0)
    up = brow - landmarks[_NOSE_BASE]
    left, right = landmarks[_TEMPLES[0]], landmarks[_TEMPLES[1]]
    angle = np.linspace(0, np.pi, 33)[:, None]
    middle, half = (left + right) / 2, (right - left) / 2
    rise = (brow - middle) + _FOREHEAD * up
    arc = middle + np.cos(angle) * half + np.sin(angle) * rise
    return np.concatenate([landmarks, arc]).astype(np.float32)
