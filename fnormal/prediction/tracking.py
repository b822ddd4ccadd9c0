"""A face through a video: followed by FaceMesh, in a frame that moves with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from fnormal.arrays import F32, U8
from fnormal.faces.detect import FaceBox, eyes_of
from fnormal.faces.facemesh import N_VERTICES, as_68, followed_468, landmarks_468
from fnormal.faces.ladder import find_all_faces
from fnormal.faces.profile import PROFILE_TRUST, by_turn, is_profile, profile_near
from fnormal.prediction.frames import Square

_LOST = 0.4  # FaceMesh's probability below which a face is looked for anew
_LOOK_EVERY = 5  # frames between two costly looks while there is no face
_LEAST_PX = 8  # of a face
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
        self._last: F32 | None = None  # the 68 points that were told last
        self._mesh = self._around = np.zeros((N_VERTICES, 2), np.float32)  # FaceMesh's, and where it looks
        self._looked: tuple[FaceBox, F32, F32] | None = None  # the last look: the face, and these two
        self._waited = _LOOK_EVERY
        self.is_new = False  # whether the last face was found, not followed

    def follow(self, picture: U8) -> FaceBox | None:
        """The face in the next frame, as it is seen there. [H, W, 3]"""
        face = self._seen(picture)
        self._looked = None
        if face is not None:
            self._last = face.landmarks
            self._looked = (face, self._mesh, self._around)
        return face

    def moved(self, picture: U8, move: Callable[[F32], F32]) -> FaceBox | None:
        """The face in the next frame without a look at it; None where it does not go so.

        Args:
            picture: The frame. [H, W, 3]
            move: Takes points of the frame that was looked at last to where they are now. [N, 2] both
        """
        if self._looked is None:
            return None
        face, *others = self._looked
        mesh, around, last = np.split(
            move(np.concatenate([*others, face.landmarks])), [N_VERTICES, 2 * N_VERTICES]
        )
        if not _is_face(last, picture, self._last):
            return None
        self._last, self._mesh, self._around, self.is_new = last, mesh, around, False
        return FaceBox.around(last, face.score)

    def _seen(self, picture: U8) -> FaceBox | None:
        """The face that is followed, or else a new one."""
        self.is_new = False
        if self._last is not None:
            face = self._followed(picture, self._last)
            if face is not None:
                return face
            self._last, self._waited = None, _LOOK_EVERY
        costly, self._waited = self._waited >= _LOOK_EVERY, self._waited + 1
        found = find_all_faces(picture, self._landmark_model, costly=costly)
        if costly:
            self._waited = 0
        if not found:
            return None
        self.is_new = True
        return self._begun(picture, found[0])

    def _begun(self, picture: U8, found: FaceBox) -> FaceBox:
        """A face that was found, with FaceMesh's points: another model's would make the square jump."""
        points = found.landmarks
        mesh, score = landmarks_468(picture, eyes_of(points), points[48:].mean(axis=0))
        self._mesh = self._around = mesh
        if score >= _LOST and _is_face(as_68(mesh), picture):
            return FaceBox.around(by_turn(picture, as_68(mesh)), score)
        return found

    def _followed(self, picture: U8, last: F32) -> FaceBox | None:
        """The face a frame later: by FaceMesh, or where that sees none, by the network for profiles."""
        self._around = _nearer(self._around, self._mesh)
        mesh, score = followed_468(picture, self._around)
        points = as_68(mesh)
        if score >= _LOST and _is_face(points, picture, last):
            self._mesh = mesh
            return FaceBox.around(by_turn(picture, points), score)
        profile, sure = profile_near(picture, last)
        if not is_profile(profile, sure) or not _is_face(profile, picture, last):
            return None
        self._mesh = np.asarray(self._mesh + profile.mean(axis=0) - last.mean(axis=0), np.float32)
        return FaceBox.around(profile, PROFILE_TRUST)


def _nearer(around: F32, points: F32) -> F32:
    """Points on the way from ``around`` to ``points``. [468, 2] all"""
    off = float(np.linalg.norm((points - around).mean(axis=0)) / max(np.ptp(points, axis=0).max(), 1.0))
    return np.asarray(around + _share(off) * (points - around), np.float32)


def _is_face(points: F32, picture: U8, before: F32 | None = None) -> bool:
    """Whether points [68, 2] are large enough, inside, and where a face can be a frame after ``before``."""
    height, width = picture.shape[:2]
    inside = ((points > 0) & (points < (width, height))).all(axis=1).mean()
    if inside < 0.7 or np.ptp(points, axis=0).min() < _LEAST_PX:
        return False
    if before is None:
        return True
    moved = np.linalg.norm(points.mean(axis=0) - before.mean(axis=0))
    return bool(moved <= _JUMP * np.ptp(before, axis=0).max())
