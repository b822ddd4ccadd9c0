"""Wide frames: all of a picture is answered, and a small or turned face inside as in the paper's crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fnormal.arrays import F32, Array
from fnormal.faces.crop import Crop, square_matrix, whole_picture
from fnormal.faces.detect import FaceBox
from fnormal.geometry.normals import unit
from fnormal.prediction.face_normals import FaceNormals
from fnormal.prediction.frames import Frame

_SMALL = 1.4  # side of a square / larger side of the face's box, beyond which the face is asked about alone
_LEAST_SCORE, _SURE_SCORE = 0.2, 0.65  # of a face inside a picture: to be looked at, to be believed at once
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
    the truth, beyond that 1 and more, below it none. A tight picture stays as it is: widened by a repeated,
    mirrored or black border it is answered no better.
    """
    return side_px > _SMALL * float(np.ptp(face.landmarks, axis=0).max())


def may_be_inside(face: FaceBox) -> bool:
    """Whether what was found inside a picture that is a face crop itself is worth a look."""
    return face.score >= _LEAST_SCORE


def chosen(outer: FaceNormals, inner: FaceNormals) -> FaceNormals:
    """The answer for a whole picture and for a face found inside: both, or the first alone.

    In a tight or hardly lit crop of a face the detector may take a part of it for a face: what it doubts must
    be what the network is surer of.
    """
    assert inner.face is not None, "it was found"
    if inner.face.score >= _SURE_SCORE:
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
    inside = np.pad(inner.part_mask.astype(np.uint8), 1)  # the part's border is a border
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
