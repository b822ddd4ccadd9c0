"""What may spoil a prediction: flags that a reader of the results can filter by."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F32, Array, Bools
from fnormal.faces.covered import covered_share
from fnormal.faces.detect import FaceBox, eyes_of

_DARK, _BRIGHT = 0.06, 0.985  # of full range: median, and the level that a third of the face is above
_SMALL_PX = 48  # width of the points' box
_SHARP = 0.012  # rms of the face's finest detail at 64 pixels / its contrast
_UNSURE_DEG = 11.5  # mean over the face: of 237 portraits 19 in 20 stay below, by the default weights
_COVERED = 0.06  # share of the face
_PROFILE = 0.28  # distance of the eyes / height of the face, about 55 degrees of yaw


def quality_flags(picture: Array, mask: Bools, corner_px: tuple[int, int], face: FaceBox | None) -> list[str]:
    """``too dark``, ``burnt out``, ``too small``, ``blurred``, ``profile``, ``covered``: those that apply.

    Args:
        picture: RGB, uint8 or float in [0, 1]. [H, W, 3]
        mask: The face in a part of the picture. [h, w]
        corner_px: Column and row where that part begins.
        face: Its points, where they are known.
    """
    import cv2

    x, y = corner_px
    rows, columns = mask.shape
    part = picture[y : y + rows, x : x + columns]
    scale = 255.0 if part.dtype == np.uint8 else 1.0
    step = max(1, round((mask.size / 250_000) ** 0.5))
    grey = np.add.reduce([part[::step, ::step, channel] for channel in range(3)], dtype=np.float32) / (
        3 * scale
    )
    inside = grey[mask[::step, ::step]]
    flags = []
    if inside.size and np.median(inside) < _DARK:
        flags.append("too dark")
    if inside.size and (inside > _BRIGHT).mean() > 1 / 3:
        flags.append("burnt out")
    if face is not None and _width_px(face) < _SMALL_PX:
        flags.append("too small")
    if inside.size:
        small = cv2.resize(np.asarray(grey, np.float32), (64, 64), interpolation=cv2.INTER_AREA)
        detail = small - cv2.GaussianBlur(small, (0, 0), 1.0)
        if float(detail[8:-8, 8:-8].std()) < _SHARP * max(float(np.ptp(inside)), 0.1):
            flags.append("blurred")
    if face is not None and _is_profile(face):
        flags.append("profile")  # of which the hull shows the background too, as if that covered it
    elif face is not None and covered_share(picture, face.landmarks) > _COVERED:
        flags.append("covered")
    return flags


def doubtful(confidence: F32) -> list[str]:
    """``unsure``, where a network that knows its errors expects more than on nearly all portraits.

    A thing before the face raises them only a little: of 150 faces with one 23 % were unsure, of the same
    faces without it 11 %.

    Args:
        confidence: Cosines of the errors that it expects, inside the mask. [N]
    """
    if not confidence.size:
        return []
    expected_deg = np.degrees(np.arccos(np.clip(confidence, 0, 1))).mean()
    return ["unsure"] if expected_deg > _UNSURE_DEG else []


def _width_px(face: FaceBox) -> float:
    return float(np.ptp(face.landmarks, axis=0).max())


def _is_profile(face: FaceBox) -> bool:
    points = face.landmarks
    right, left = eyes_of(points)
    across = np.linalg.norm(left - right)
    high = np.linalg.norm(points[8] - points[27])
    return bool(across < _PROFILE * high)
