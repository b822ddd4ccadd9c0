"""Regions of a face from its 68 landmarks: where on it an error is."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F32, U8, Bools

REGIONS = ("rim", "cheeks", "brow", "nose", "mouth", "eyes")
_RIM = 0.06  # width of the rim / larger side of the landmarks' box
_AROUND = {"brow": (slice(17, 27), 0.03), "nose": (slice(27, 36), 0.03), "mouth": (slice(48, 60), 0.04)}
_EYES = (slice(36, 42), slice(42, 48))
_EYE_MARGIN = 0.03  # grown by this share of the box's side, as are the others by theirs above


def region_map(landmarks: F32, mask: Bools) -> U8:
    """Which of ``REGIONS`` each pixel is in: 1 + its index, 0 outside the mask. [H, W]

    Later regions win: eyes over brows, all over the cheeks; the rim is the mask's border.

    Args:
        landmarks: The 68 points in pixels, y down. [68, 2]
        mask: True on the face. [H, W]
    """
    import cv2

    side = float(np.ptp(landmarks, axis=0).max())
    labels = np.where(mask, 1 + REGIONS.index("cheeks"), 0).astype(np.uint8)
    for name, (part, margin) in _AROUND.items():
        _paint(labels, landmarks[part], margin * side, 1 + REGIONS.index(name))
    inside = cv2.erode(np.pad(mask, 1).astype(np.uint8), _disc(_RIM * side))[1:-1, 1:-1]
    labels[(inside == 0) & (labels == 1 + REGIONS.index("cheeks"))] = 1 + REGIONS.index("rim")
    for eye in _EYES:
        _paint(labels, landmarks[eye], _EYE_MARGIN * side, 1 + REGIONS.index("eyes"))
    labels[~mask] = 0
    return labels


def _paint(labels: U8, points: F32, margin_px: float, value: int) -> None:
    """Set the hull of some points, grown by a margin, to a value."""
    import cv2

    shape = np.zeros_like(labels)
    cv2.fillConvexPoly(shape, cv2.convexHull(np.round(points).astype(np.int32)), 1)
    labels[cv2.dilate(shape, _disc(margin_px)) > 0] = value


def _disc(radius_px: float) -> U8:
    import cv2

    side = 2 * max(1, round(radius_px)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
