"""A face through a video: followed by FaceMesh, in a frame that moves with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fnormal.arrays import F32, F64, U8
from fnormal.config import CROP_SCALE
from fnormal.faces.detect import FaceBox
from fnormal.faces.facemesh import landmarks_68
from fnormal.faces.ladder import find_all_faces, roll_deg

_LOST = 0.4  # FaceMesh's probability below which a face is looked for anew
_LOOK_EVERY = 5  # frames between two full looks while there is no face
_LEAST_PX = 8  # of a face
_JUMP = 0.5  # of the face's size: a face does not move further between two frames
_STEP, _HASTE = 0.4, 5.0  # share of the way that the square goes in a frame, and how it grows with the way


@dataclass(frozen=True)
class Square:
    """The upright square around a face: middle and side in pixels, turn clockwise on the screen."""

    middle: F64
    side: float
    turn_deg: float

    def to_picture(self, size_px: int) -> F64:
        """Pixels of the network's input to the picture's. [2, 3]"""
        angle = np.radians(self.turn_deg)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        linear = self.side / size_px * turn
        return np.column_stack([linear, self.middle - linear @ np.full(2, (size_px - 1) / 2)])

    def toward(self, other: Square, share: float) -> Square:
        """A square between this and another."""
        turn = (other.turn_deg - self.turn_deg + 180) % 360 - 180
        return Square(
            self.middle + share * (other.middle - self.middle),
            self.side + share * (other.side - self.side), self.turn_deg + share * turn,
        )  # fmt: skip


def square_of(landmarks: F32, scale: float = CROP_SCALE) -> Square:
    """The square of section 4.1 around 68 points, turned upright. [68, 2]"""
    turn_deg = roll_deg(landmarks)
    angle = np.radians(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    level = landmarks.astype(np.float64) @ turn
    low, high = level.min(axis=0), level.max(axis=0)
    return Square(turn @ ((low + high) / 2), scale * float((high - low).max()), turn_deg)


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
            self._now = self._now.toward(wanted, min(1.0, _STEP + _HASTE * _off(self._now, wanted)))
        return self._now


def _off(square: Square, wanted: Square) -> float:
    """How far apart squares are, as a share of their side."""
    moved = float(np.linalg.norm(square.middle - wanted.middle)) / square.side
    turned = abs((square.turn_deg - wanted.turn_deg + 180) % 360 - 180) / 60
    return max(moved, abs(float(np.log(wanted.side / square.side))), turned)


class FaceTracker:
    """Points of the largest face in every frame; None where there is none."""

    def __init__(self, landmark_model: Path | None = None) -> None:
        self._landmark_model = landmark_model
        self._last: FaceBox | None = None
        self._waited = _LOOK_EVERY
        self.is_new = False  # whether the last face was found, not followed

    def follow(self, picture: U8) -> FaceBox | None:
        """The face in the next frame. [H, W, 3]"""
        if self._last is not None:
            face = self._followed(picture, self._last)
            if face is not None:
                self._last, self.is_new = face, False
                return face
            self._last, self._waited = None, _LOOK_EVERY
        self._waited += 1
        if self._waited < _LOOK_EVERY:
            return None
        self._waited = 0
        found = find_all_faces(picture, self._landmark_model)
        if not found:
            return None
        # FaceMesh's points from the first frame on: another model's would make the square jump
        self._last = self._followed(picture, found[0], still=False) or found[0]
        self.is_new = True
        return self._last

    def _followed(self, picture: U8, last: FaceBox, *, still: bool = True) -> FaceBox | None:
        points = last.landmarks
        eyes = np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0)])
        found, score = landmarks_68(picture, eyes, points[48:].mean(axis=0))
        size = float(np.ptp(points, axis=0).max())
        moved = float(np.linalg.norm(found.mean(axis=0) - points.mean(axis=0)))
        height, width = picture.shape[:2]
        inside = ((found > 0) & (found < (width, height))).all(axis=1).mean()
        if (
            score < _LOST
            or inside < 0.7
            or (still and moved > _JUMP * size)
            or np.ptp(found, axis=0).min() < 8
        ):
            return None
        low, high = found.min(axis=0), found.max(axis=0)
        box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
        return replace(last, box=box, landmarks=found, score=score)
