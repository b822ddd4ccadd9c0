"""What a predictor is given: pictures of bytes or floats, points that must lie in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fnormal.arrays import U8, Array
from fnormal.errors import FNormalError
from fnormal.faces.detect import FaceBox


def check_range(image: Array) -> None:
    """See that a picture is RGB, of bytes or of floats in [0, 1].

    Raises:
        FNormalError: Not [H, W, 3], floats outside [0, 1], or floats that never go below 0.45: those
            were mapped from [0, 1] to [0.5, 1] once too often, a known mistake of re-users.
    """
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise FNormalError(f"the picture is {image.shape}, not [H, W, 3]; convert it to RGB")
    if image.dtype == np.uint8:
        return
    low, high = float(image.min()), float(image.max())
    if not (low >= 0 and high <= 1):
        raise FNormalError(f"float pictures go from 0 to 1, not {low:g} to {high:g}; divide by 255?")
    if low > 0.45:
        raise FNormalError(
            f"no pixel is below 0.45 (smallest {low:g}): was (x + 1) / 2 applied to a picture that"
            " was in [0, 1] already?"
        )


def inside(face: FaceBox, path: Path, picture: U8) -> FaceBox:
    """A face from a file, most of whose points must lie in the picture.

    Raises:
        FNormalError: They do not.
    """
    height, width = picture.shape[:2]
    inside = ((face.landmarks >= 0) & (face.landmarks < (width, height))).all(axis=1).mean()
    if inside < 0.5:
        raise FNormalError(
            f"{path}: only {inside:.0%} of the points lie in the picture of {width}x{height} pixels;"
            " give the points in this picture's pixels"
        )
    return face
