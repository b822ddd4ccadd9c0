"""How much of a face is covered by hands, hair, dark glasses, things: a small network, run by OpenCV.

It was trained on photos over which things were drawn (scripts/cover_map.py).
"""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F32, Array
from fnormal.faces.crop import ENOUGH_FINER, square_matrix, upright_view
from fnormal.faces.detect import roll_deg
from fnormal.faces.masks import hull_mask
from fnormal.faces.own_networks import ask

SIDE_PX, CELLS = 64, 32  # of the network's input, and of its answer
FRAME_SCALE = 1.15  # its frame / larger side of the points' box


def covered_share(picture: Array, landmarks: F32) -> float:
    """Share of the hull of a face's 68 points [68, 2] that something covers, in a picture [H, W, 3]."""
    import cv2

    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    back = square_matrix(
        (low + high) / 2, FRAME_SCALE * float((high - low).max()), roll_deg(landmarks), SIDE_PX
    )
    view = upright_view(picture, back, SIDE_PX, most_finer=ENOUGH_FINER)
    logits = ask("cover_map.onnx", view)[0, 0]
    inverse = cv2.invertAffineTransform(back)
    points = (landmarks @ inverse[:, :2].T + inverse[:, 2] + 0.5) * (CELLS / SIDE_PX) - 0.5
    hull = hull_mask(points.astype(np.float32), CELLS, CELLS)
    return float((logits[hull] > 0).mean()) if hull.any() else 0.0
