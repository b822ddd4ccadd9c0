"""Frames other than the paper's: wide ones, in which a face is asked about alone too, and tight ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fnormal.arrays import F32, U8, Array
from fnormal.config import CROP_SCALE
from fnormal.faces.crop import Crop, square_matrix, whole_picture
from fnormal.faces.detect import FaceBox
from fnormal.geometry.normals import unit
from fnormal.prediction.face_normals import FaceNormals
from fnormal.prediction.frames import Frame, Square

_SMALL = 1.4  # side of a square / larger side of the face's box, beyond which the face is asked about alone
_TIGHT = 1.1  # and below which the square is widened
_LEAST_SCORE, _SURE_SCORE = 0.2, 0.65  # of a face inside a picture: to be looked at, to be believed at once
_MOST_BORDER = 1.15  # side of a square / shorter side of the picture, at most
_RIM = 0.06  # of the inner part's shorter side, over which its answer goes over into the outer one


def whole_frame(shape: Sequence[int], size_px: int) -> Frame:
    """The frame of every pixel of a picture [H, W]: the square around it, its border repeated."""
    height, width = shape[0], shape[1]
    mask = np.ones((height, width), bool)
    if height == width:
        return Frame(whole_picture(height, width, size_px), mask, None)
    middle = (np.array([width, height]) - 1) / 2
    to_picture = square_matrix(middle, max(height, width), 0.0, size_px)
    return Frame(Crop(0, 0, min(height, width), size_px), mask, None, to_picture)


def needs_own_frame(face: FaceBox, side_px: float) -> bool:
    """Whether a face in a square of this side is smaller than the network is at its best with.

    On unseen rendered heads whose square is 1.4 to 1.6 times the face the paper's crop is 0.3 degrees nearer
    the truth, beyond that 1 and more, below it none.
    """
    return side_px > _SMALL * _box_px(face)


def own_square(face: FaceBox, shape: tuple[int, int]) -> Square:
    """The square of section 4.1 around a face, level with the picture, though it reach beyond its border."""
    low, high = face.landmarks.min(axis=0), face.landmarks.max(axis=0)
    side = min(CROP_SCALE * _box_px(face), _MOST_BORDER * min(shape))
    return Square((low + high).astype(np.float64) / 2, side, 0.0)


def is_tight(face: FaceBox, side_px: float) -> bool:
    """Whether a face fills a square of this side more than the paper's crop, so that a border does good.

    Its own square, the picture's border repeated around, is better then: on unseen rendered heads cut from
    the brows to the chin by 0.1 to 0.3 degrees; on portraits the answer in a square of the points' very box
    is 3.0 degrees from that in the paper's instead of 3.5. A mirrored or black border is worse than none, and
    a face that is beside the middle is answered as well where it is.
    """
    return side_px < _TIGHT * _box_px(face)


def _box_px(face: FaceBox) -> float:
    return float(np.ptp(face.landmarks, axis=0).max())


def may_be_inside(face: FaceBox) -> bool:
    """Whether what was found inside a picture that is a face crop itself is worth a look."""
    return face.score >= _LEAST_SCORE


def is_sure(face: FaceBox) -> bool:
    """Whether what was found inside such a picture is believed at once."""
    return face.score >= _SURE_SCORE


def chosen(outer: FaceNormals, inner: FaceNormals) -> FaceNormals:
    """The answer for a whole picture and for a face found inside: both, or the first alone.

    In a tight or hardly lit crop of a face the detector may take a part of it for a face: what it doubts must
    be what the network is surer of.
    """
    assert inner.face is not None, "it was found"
    if is_sure(inner.face):
        return merged(outer, inner)
    alone, together = inner.confidence, outer.confidence
    seen = inner.mask & outer.mask
    if seen.any() and alone[seen].mean() > together[seen].mean():
        return merged(outer, inner)
    return outer


def merged(outer: FaceNormals, inner: FaceNormals) -> FaceNormals:
    """The answer in a wide frame with that in an inner frame laid over it; the seam is soft."""
    import cv2

    height, width = inner.part_mask.shape
    inside = _with_border(inner)
    away_px = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    weight = np.clip(away_px / max(1.0, _RIM * min(height, width)), 0, 1)
    low = np.array(inner.corner_px)
    high = low + np.array([width, height])
    corner = np.array(outer.corner_px)
    left, top = np.maximum(low, corner)
    right, bottom = np.minimum(high, corner + outer.part_mask.shape[::-1])
    there = np.s_[top - corner[1] : bottom - corner[1], left - corner[0] : right - corner[0]]
    here = np.s_[top - low[1] : bottom - low[1], left - low[0] : right - low[0]]

    def blended(whole: F32, part: F32, share: Array) -> F32:
        mixed = whole.copy()
        mixed[there] += share[here] * (part[here] - whole[there])
        return mixed

    normals = blended(outer.part_normals, inner.part_normals, weight[..., None])
    confidence = blended(outer.part_confidence, inner.part_confidence, weight)
    return replace(
        outer,
        part_normals=unit(normals, outer.part_mask),
        part_confidence=confidence * outer.part_mask,
        face=inner.face,
    )


def _with_border(part: FaceNormals) -> U8:
    """A part's mask with a border of one pixel, outside but where the picture ends. [h + 2, w + 2]"""
    inside = np.pad(part.part_mask.astype(np.uint8), 1)
    rows, columns = part.part_mask.shape
    left, top = part.corner_px
    if top == 0:
        inside[0] = inside[1]
    if top + rows == part.shape[0]:
        inside[-1] = inside[-2]
    if left == 0:
        inside[:, 0] = inside[:, 1]
    if left + columns == part.shape[1]:
        inside[:, -1] = inside[:, -2]
    return inside
