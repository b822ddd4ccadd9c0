"""The 68 points of profiles, which FaceMesh does not know: fnormal's own small network, run by OpenCV.

It was trained on rendered heads at every yaw, and on photos of what is a face and what is none
(scripts/profile_points.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fnormal.arrays import F32, F64, U8, Array
from fnormal.config import N_LANDMARKS
from fnormal.faces.crop import ENOUGH_FINER, out_of_view, square_matrix, upright_view
from fnormal.faces.detect import roll_deg
from fnormal.faces.headpose import yaw_of
from fnormal.faces.own_networks import ask

SIDE_PX = 64  # of the network's input
PROFILE_SURE = 0.98
FAR_TURNED_DEG = 45.0  # yaw by its points, from which they are a profile's
_LOOK_FROM_DEG = 30.0  # yaw by FaceMesh's points, from which this network is asked too in a video,
_PART_FROM_DEG, _ALONE_FROM_DEG = 45.0, 60.0  # and by its own, from which they count, and alone
PROFILE_TRUST = 0.5  # score of the points of a profile that FaceMesh takes for no face
FRAME_SCALE = 1.5  # its frame / larger side of the points' box
_PASSES = 5  # the first frame is a guess by the detector's box, the others come from the points before
_SETTLED = 2  # passes after which the frame is right, if that is a face
# squares all over a picture: sides / its shorter side, from one to the next / side, how many of them count
_SHARES, _STEP, _LIKELIEST = (0.85, 0.6, 0.42, 0.3), 0.35, 6
_LEAST_PX, _LONGEST = 16, 4  # side of such a square; longer side of the picture / its shorter one
_LEAST_LOGIT = 2.0  # of one look at such a square: heads gave 6.7 and more, empty rooms -1 at most


def profile_points(picture: U8, middle: Array, size: float, turn_deg: float) -> tuple[F32, float]:
    """The 68 points of a face in pixels, hidden ones too, and how surely it is one, 0..1. [68, 2]

    Args:
        picture: RGB. [H, W, 3]
        middle: About the middle of the face. [2]
        size: About the larger side of its points' box.
        turn_deg: About how far it is turned in the picture's plane, clockwise on the screen.
    """
    points, least = np.zeros((N_LANDMARKS, 2), np.float32), 50.0
    for done in range(_PASSES):
        look = _looked(picture, middle, size, turn_deg)
        points, middle, size, turn_deg = look.points, look.middle, look.size, roll_deg(look.points)
        if done >= _SETTLED:  # what is no face looks like one in some frame, and hardly in three
            least = min(least, look.logit)
    return points, float(1 / (1 + np.exp(-max(least, -50.0))))


def profile_near(picture: U8, points: F32, *, shift: float = 0.0, scale: float = 1.0) -> tuple[F32, float]:
    """See :func:`profile_points`, of a face that is about where ``points`` [68, 2] are.

    The first frame may be moved by a share of the points' box, right and down, and be larger than they ask.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    size = float((high - low).max())
    return profile_points(picture, (low + high) / 2 + shift * size, scale * size, roll_deg(points))


def by_turn(picture: U8, points: F32) -> F32:
    """FaceMesh's points [68, 2], and more of this network's the farther the face is turned, without a jump.

    On rendered heads that turn to and fro by 85 degrees they are 8 pixels of 150 off instead of 14. Of
    portraits that are turned by less than 45 degrees FaceMesh knows more.
    """
    if abs(yaw_of(points)) < _LOOK_FROM_DEG:
        return points
    turned, sure = profile_near(picture, points)
    share = np.clip((abs(yaw_of(turned)) - _PART_FROM_DEG) / (_ALONE_FROM_DEG - _PART_FROM_DEG), 0, 1) * sure
    return np.asarray(points + share * (turned - points), np.float32)


def is_profile(points: F32, sure: float) -> bool:
    """Whether the network is sure that its points [68, 2] are a profile's."""
    return sure >= PROFILE_SURE and abs(yaw_of(points)) > FAR_TURNED_DEG


def likely_frames(picture: U8) -> list[tuple[F64, float]]:
    """Middles [2] and sizes of upright profiles that fill much of a picture, for :func:`profile_points`.

    The network looks once at about a hundred squares: where a detector has no idea of a profile at all.
    """
    shape = np.array(picture.shape[1::-1], np.float64)
    looks: list[_Look] = []
    if shape.min() * min(_SHARES) < _LEAST_PX or shape.max() > _LONGEST * shape.min():
        return []
    for share in _SHARES:
        size = share * float(shape.min())
        steps = np.ceil((shape - size) / (_STEP * size)).astype(int) + 1
        columns, rows = (
            np.linspace(size / 2, long - size / 2, n) for long, n in zip(shape, steps, strict=True)
        )
        looks += [_looked(picture, np.array([x, y]), size, 0.0) for y in rows for x in columns]
    likely = sorted((look for look in looks if look.logit >= _LEAST_LOGIT), key=lambda look: -look.logit)
    return [(look.middle, look.size) for look in likely[:_LIKELIEST]]


@dataclass(frozen=True)
class _Look:
    """What the network says of one frame.

    Attributes:
        points: In the picture's pixels. [68, 2]
        middle: Of the points' box, level with the frame. [2]
        size: Its larger side.
        logit: That it is a face.
    """

    points: F32
    middle: F64
    size: float
    logit: float


def _looked(picture: U8, middle: Array, size: float, turn_deg: float) -> _Look:
    """One look. Args: as :func:`profile_points`."""
    back = square_matrix(middle, FRAME_SCALE * size, turn_deg, SIDE_PX)
    part = upright_view(picture, back, SIDE_PX, most_finer=ENOUGH_FINER)
    told = ask("profile_points.onnx", part).reshape(-1)
    flat = (told[:-1].reshape(N_LANDMARKS, 2) + 0.5) * SIDE_PX - 0.5
    low, high = flat.min(axis=0), flat.max(axis=0)
    return _Look(
        out_of_view(flat, back),
        back[:, :2] @ ((low + high) / 2) + back[:, 2],
        size * FRAME_SCALE * float((high - low).max()) / SIDE_PX,
        float(told[-1]),
    )
