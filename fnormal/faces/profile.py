"""The 68 points of profiles, which FaceMesh does not know: fnormal's own small network, run by OpenCV.

It was trained on rendered heads at every yaw, and on photos of what is a face and what is none
(scripts/profile_points.py).
"""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F32, U8, Array
from fnormal.faces.crop import ENOUGH_FINER, square_matrix, upright_view
from fnormal.faces.detect import roll_deg
from fnormal.faces.own_networks import ask

SIDE_PX = 64  # of the network's input
FRAME_SCALE = 1.5  # its frame / larger side of the points' box
_PASSES = 5  # the first frame is a guess by the detector's box, the others come from the points before
_SETTLED = 2  # passes after which the frame is right, if that is a face


def profile_points(picture: U8, middle: Array, size: float, turn_deg: float) -> tuple[F32, float]:
    """The 68 points of a face in pixels, hidden ones too, and how surely it is one, 0..1. [68, 2]

    Args:
        picture: RGB. [H, W, 3]
        middle: About the middle of the face. [2]
        size: About the larger side of its points' box.
        turn_deg: About how far it is turned in the picture's plane, clockwise on the screen.
    """
    points, logit = np.zeros((68, 2), np.float32), 50.0
    for done in range(_PASSES):
        back = square_matrix(middle, FRAME_SCALE * size, turn_deg, SIDE_PX)
        part = upright_view(picture, back, SIDE_PX, most_finer=ENOUGH_FINER)
        told = ask("profile_points.onnx", part).reshape(-1)
        flat = (told[:136].reshape(68, 2) + 0.5) * SIDE_PX - 0.5
        if done >= _SETTLED:  # what is no face looks like one in some frame, and hardly in three
            logit = min(logit, float(told[136]))
        points = (flat @ back[:, :2].T + back[:, 2]).astype(np.float32)
        low, high = flat.min(axis=0), flat.max(axis=0)
        middle = back[:, :2] @ ((low + high) / 2) + back[:, 2]
        size *= FRAME_SCALE * float((high - low).max()) / SIDE_PX
        turn_deg = roll_deg(points)
    return points, float(1 / (1 + np.exp(-max(logit, -50.0))))
