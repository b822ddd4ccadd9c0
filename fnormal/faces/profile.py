"""The 68 points of profiles, which FaceMesh does not know: fnormal's own small network, run by OpenCV.

It was trained on rendered heads alone, at every yaw (scripts/profile_points.py).
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from fnormal.arrays import F32, U8, Array
from fnormal.faces.crop import square_matrix
from fnormal.faces.detect import roll_deg

SIDE_PX = 64  # of the network's input
FRAME_SCALE = 1.5  # its frame / larger side of the points' box
_PASSES = 3  # the first frame is a guess by the detector's box, the others come from the points before


@lru_cache(maxsize=1)
def _network() -> Any:
    import cv2

    model = (resources.files("fnormal") / "data" / "profile_points.onnx").read_bytes()
    return cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))


def profile_points(picture: U8, middle: Array, size: float, turn_deg: float) -> F32:
    """The 68 points of a face in pixels, hidden ones too. [68, 2]

    Args:
        picture: RGB. [H, W, 3]
        middle: About the middle of the face. [2]
        size: About the larger side of its points' box.
        turn_deg: About how far it is turned in the picture's plane, clockwise on the screen.
    """
    import cv2

    shrink = FRAME_SCALE * size / SIDE_PX / 2
    if shrink > 1.05:  # a large face would be sampled at a few of its pixels
        small = cv2.resize(picture, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
        found = profile_points(small, (middle + 0.5) / shrink - 0.5, size / shrink, turn_deg)
        return np.asarray((found + 0.5) * shrink - 0.5, np.float32)
    points = np.zeros((68, 2), np.float32)
    for _ in range(_PASSES):
        back = square_matrix(middle, FRAME_SCALE * size, turn_deg, SIDE_PX)
        flags = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP
        part = cv2.warpAffine(picture, back, (SIDE_PX, SIDE_PX), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        network = _network()
        network.setInput(cv2.dnn.blobFromImage(part, 1 / 255))
        flat = (network.forward().reshape(68, 2) + 0.5) * SIDE_PX - 0.5
        points = (flat @ back[:, :2].T + back[:, 2]).astype(np.float32)
        level = (points - middle) @ square_matrix(np.zeros(2), 1.0, turn_deg, 1)[:, :2]
        low, high = level.min(axis=0), level.max(axis=0)
        middle = middle + square_matrix(np.zeros(2), 1.0, turn_deg, 1)[:, :2] @ ((low + high) / 2)
        size, turn_deg = float((high - low).max()), roll_deg(points)
    return points
