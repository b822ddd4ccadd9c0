"""Where faces are, from files of other tools: points or boxes, for one picture or for a folder of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fnormal.arrays import U8, Array
from fnormal.config import N_LANDMARKS
from fnormal.errors import FNormalError
from fnormal.faces import blazeface
from fnormal.faces.detect import FaceBox, has_landmark_model, points_in_box
from fnormal.faces.facemesh import landmarks_68
from fnormal.files.naming import of_picture
from fnormal.files.opening import LANDMARKS, check_file, decoding, read_json, read_matlab, read_npy, read_text

POINT_SUFFIXES = (".npy", ".json", ".pts", ".mat", ".txt")
_POINT_KEYS = ("landmarks", "landmarks_68", "landmark", "kps", "points", "pt3d_68", "pt2d")


def read_faces(path: Path) -> list[FaceBox]:
    """Faces of a file of 68 points, one or several.

    ``.npy`` [68, 2 or more], [2 or 3, 68] or [N, 68, 2]; ``.json`` of fnormal, of a list of points, or of a
    list of objects with ``landmarks`` and ``score`` (FAN, InsightFace); ``.pts`` of 300-W (1-based); ``.mat``
    of 300W-LP and AFLW2000 (``pt3d_68``, ``pt2d``); ``.txt`` of 3DDFA (three rows of 68 numbers, or 68 rows).

    Raises:
        FNormalError: Missing, unreadable, or not 68 points a face.
    """
    check_file(path, LANDMARKS)
    with decoding(path, LANDMARKS):
        arrays = [
            (one, score) for points, score in _read(path) for one in _as_faces(np.asarray(points, np.float32))
        ]
    faces = []
    for one, score in arrays:
        if one.shape != (N_LANDMARKS, 2):
            raise FNormalError(f"{path} holds {one.shape}, not {N_LANDMARKS} points x, y")
        if not np.isfinite(one).all() or np.ptp(one, axis=0).min() < 1:
            raise FNormalError(
                f"{path} holds points that are no numbers, or all on one line; {LANDMARKS.remedy}"
            )
        faces.append(FaceBox.around(one, score))
    if not faces:
        raise FNormalError(f"{path} holds no face; {LANDMARKS.remedy}")
    return faces


def _read(path: Path) -> list[tuple[Any, float]]:
    """Arrays of points with their scores."""
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return [(read_npy(path, LANDMARKS), 1.0)]
    if suffix == ".json":
        return _from_json(read_json(path, LANDMARKS))
    if suffix == ".mat":
        arrays = read_matlab(path, LANDMARKS)
        return [(next(arrays[name] for name in ("pt3d_68", "pt2d") if name in arrays)[:2].T, 1.0)]
    text = read_text(path, LANDMARKS)
    if suffix == ".txt":
        return [(np.array([line.split() for line in text.strip().splitlines()], np.float64), 1.0)]
    body = text.split("{")[1].split("}")[0]
    return [(np.array([line.split() for line in body.strip().splitlines()], np.float64) - 1, 1.0)]


def _from_json(value: Any) -> list[tuple[Any, float]]:
    if isinstance(value, dict):
        if "faces" in value and isinstance(value["faces"], list):
            return [part for face in value["faces"] for part in _from_json(face)]
        points = next(value[key] for key in _POINT_KEYS if key in value)
        score = value.get("score", value.get("det_score", 1.0))
        return [(points, 1.0 if score is None else float(score))]
    if value and isinstance(value[0], dict):
        return [part for face in value for part in _from_json(face)]
    return [(value, 1.0)]


def _as_faces(points: Array) -> list[Array]:
    """Points [68, 2] of each face in an array of any layout."""
    if points.ndim == 3:
        return [part for face in points for part in _as_faces(face)]
    if points.ndim == 2 and points.shape[0] in (2, 3) and points.shape[1] == N_LANDMARKS:
        points = points.T
    return [points[:, :2] if points.ndim == 2 else points]


def faces_of(picture_path: str, landmarks: Path) -> list[FaceBox]:
    """Faces of a picture from a file, or from the file of its name in a folder.

    Raises:
        FNormalError: See :func:`read_faces`; or the folder has no file of that name.
    """
    return read_faces(of_picture(landmarks, picture_path, POINT_SUFFIXES, "points"))


def parse_box(text: str) -> tuple[float, float, float, float]:
    """A box from ``left,top,right,bottom`` in pixels.

    Raises:
        FNormalError: Not four numbers that make a box.
    """
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError:
        left, top, right, bottom = 0.0, 0.0, 0.0, 0.0
    if not (np.isfinite([left, top, right, bottom]).all() and right - left >= 4 and bottom - top >= 4):
        raise FNormalError(f"--box {text}: give left,top,right,bottom in pixels, such as 120,80,360,340")
    return left, top, right, bottom


def face_in_box(picture: U8, box: Sequence[float], landmark_model: Path | None = None) -> FaceBox:
    """The face in a box: points by dlib's model, else by FaceMesh.

    Raises:
        FNormalError: The box lies outside the picture, or neither model is installed.
    """
    height, width = picture.shape[:2]
    left, top, right, bottom = (float(v) for v in box)
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        raise FNormalError(f"the box lies outside the picture of {width}x{height} pixels; check --box")
    edges = (left, top, right, bottom)
    if has_landmark_model(landmark_model) or not blazeface.is_installed():
        return FaceBox(edges, points_in_box(picture, edges, landmark_model), 1.0)
    middle, side = np.array([(left + right) / 2, (top + bottom) / 2]), max(right - left, bottom - top)
    eyes = np.stack([middle - side * np.array([0.2, 0.12]), middle + side * np.array([0.2, -0.12])])
    mouth = middle + side * np.array([0, 0.25])
    points, _ = landmarks_68(picture, eyes.astype(np.float32), mouth.astype(np.float32))
    return FaceBox(edges, points, 1.0)
