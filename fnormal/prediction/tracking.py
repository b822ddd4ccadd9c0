"""A face through a video: followed by FaceMesh, in a frame that moves with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fnormal.arrays import F32, U8
from fnormal.faces.detect import FaceBox, eyes_of, roll_deg
from fnormal.faces.facemesh import N_VERTICES, as_68, followed_468, landmarks_468
from fnormal.faces.headpose import yaw_of
from fnormal.faces.ladder import find_all_faces
from fnormal.faces.profile import profile_points
from fnormal.prediction.frames import Square

_LOST = 0.4  # FaceMesh's probability below which a face is looked for anew
_LOOK_EVERY = 5  # frames between two costly looks while there is no face
_LEAST_PX = 8  # of a face
_LOOK_FROM_DEG = 20.0  # yaw by FaceMesh's points, from which the network for profiles is asked
_PROFILE_FROM_DEG, _PROFILE_ALONE_DEG = 30.0, 45.0  # yaw by its own points
_JUMP = 0.5  # of the face's size: a face does not move further between two frames
_STEP, _HASTE = 0.4, 5.0  # share of the way that a square goes in a frame, and how it grows with the way


class FollowingSquare:
    """A square that follows a face: the further off, the faster, so that jitter is damped and motion is not.

    Measured on a panned still: held until the face was 8 % off, then blended over 8 frames, the normals
    flickered by 1.8 degrees, because a network's answer depends on the place in its frame; followed at once
    0.6, followed by halves 0.5.
    """

    def __init__(self) -> None:
        self._now: Square | None = None

    def next(self, wanted: Square, *, anew: bool) -> Square:
        """The square for a frame whose face asks for ``wanted``; ``anew`` after a cut or a lost face."""
        if self._now is None or anew:
            self._now = wanted
        else:
            self._now = self._now.toward(wanted, _share(_off(self._now, wanted)))
        return self._now


def _share(off: float) -> float:
    return min(1.0, _STEP + _HASTE * off)


def _off(square: Square, wanted: Square) -> float:
    """How far apart squares are, as a share of their side."""
    moved = float(np.linalg.norm(square.middle - wanted.middle)) / square.side
    turned = abs((square.turn_deg - wanted.turn_deg + 180) % 360 - 180) / 60
    return max(moved, abs(float(np.log(wanted.side / square.side))), turned)


class FaceTracker:
    """Points of the largest face in every frame; None where there is none.

    FaceMesh looks once a frame, in a box that follows the points as :class:`FollowingSquare` does: in the box
    of the last points themselves they jitter by 0.72 pixels (second differences on a clip of 640x480), by
    0.40 where it looks twice a frame, and by 0.34 so.
    """

    def __init__(self, landmark_model: Path | None = None) -> None:
        self._landmark_model = landmark_model
        self._last: F32 | None = None  # FaceMesh's 468 points
        self._around = np.zeros((N_VERTICES, 2), np.float32)  # the points whose box it looks in
        self._waited = _LOOK_EVERY
        self.is_new = False  # whether the last face was found, not followed

    def follow(self, picture: U8) -> FaceBox | None:
        """The face in the next frame. [H, W, 3]"""
        if self._last is not None:
            self._around = _nearer(self._around, self._last)
            points, score = followed_468(picture, self._around)
            if _fits(points, score, picture, self._last):
                self._last, self.is_new = points, False
                return FaceBox.around(_with_profile(picture, as_68(points)), score)
            self._last, self._waited = None, _LOOK_EVERY
        costly, self._waited = self._waited >= _LOOK_EVERY, self._waited + 1
        found = find_all_faces(picture, self._landmark_model, costly=costly)
        if costly:
            self._waited = 0
        if not found:
            return None
        self.is_new = True
        detected = found[0].landmarks
        # FaceMesh's points from the first frame on: another model's would make the square jump
        points, score = landmarks_468(picture, eyes_of(detected), detected[48:].mean(axis=0))
        if _fits(points, score, picture):
            self._last = self._around = points
            return FaceBox.around(_with_profile(picture, as_68(points)), score)
        self._waited = _LOOK_EVERY
        return found[0]


def _with_profile(picture: U8, points: F32) -> F32:
    """FaceMesh's points [68, 2], and the more those of the network for profiles the farther a face is turned.

    On rendered heads that turn to and fro by 60 and 85 degrees the points are a fifth nearer to the truth so,
    beyond 45 degrees the normals 0.4 degrees, and half as much of the mask lies beside the head.
    """
    if abs(yaw_of(points)) < _LOOK_FROM_DEG:
        return points
    low, high = points.min(axis=0), points.max(axis=0)
    turned, sure = profile_points(picture, (low + high) / 2, float((high - low).max()), roll_deg(points))
    off_deg = abs(yaw_of(turned)) - _PROFILE_FROM_DEG
    share = np.clip(off_deg / (_PROFILE_ALONE_DEG - _PROFILE_FROM_DEG), 0, 1) * sure
    return np.asarray(points + share * (turned - points), np.float32)


def _nearer(around: F32, points: F32) -> F32:
    """Points on the way from ``around`` to ``points``. [468, 2] all"""
    off = float(np.linalg.norm((points - around).mean(axis=0)) / np.ptp(points, axis=0).max())
    return np.asarray(around + _share(off) * (points - around), np.float32)


def _fits(points: F32, score: float, picture: U8, before: F32 | None = None) -> bool:
    """Whether FaceMesh's points [468, 2] are a face's, and where it can be a frame after ``before``."""
    found = as_68(points)
    height, width = picture.shape[:2]
    inside = ((found > 0) & (found < (width, height))).all(axis=1).mean()
    if score < _LOST or inside < 0.7 or np.ptp(found, axis=0).min() < _LEAST_PX:
        return False
    if before is None:
        return True
    last = as_68(before)
    moved = np.linalg.norm(found.mean(axis=0) - last.mean(axis=0))
    return bool(moved <= _JUMP * np.ptp(last, axis=0).max())
