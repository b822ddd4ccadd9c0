"""A face through a video: followed by FaceMesh, in a frame that moves with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fnormal.arrays import U8
from fnormal.faces.detect import FaceBox, eyes_of
from fnormal.faces.facemesh import landmarks_68
from fnormal.faces.ladder import find_all_faces
from fnormal.prediction.frames import Square

_LOST = 0.4  # FaceMesh's probability below which a face is looked for anew
_LOOK_EVERY = 5  # frames between two costly looks while there is no face
_LEAST_PX = 8  # of a face
_JUMP = 0.5  # of the face's size: a face does not move further between two frames
_STEP, _HASTE = 0.4, 5.0  # share of the way that the square goes in a frame, and how it grows with the way


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
        costly, self._waited = self._waited >= _LOOK_EVERY, self._waited + 1
        found = find_all_faces(picture, self._landmark_model, costly=costly)
        if costly:
            self._waited = 0
        if not found:
            return None
        # FaceMesh's points from the first frame on: another model's would make the square jump
        self._last = self._followed(picture, found[0], still=False) or found[0]
        self.is_new = True
        return self._last

    def _followed(self, picture: U8, last: FaceBox, *, still: bool = True) -> FaceBox | None:
        points = last.landmarks
        found, score = landmarks_68(picture, eyes_of(points), points[48:].mean(axis=0))
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
        return FaceBox.around(found, score)
