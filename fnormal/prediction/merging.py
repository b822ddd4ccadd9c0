"""One answer out of two: that for a picture or a wide crop, and that for the face inside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fnormal.arrays import F32, U8, Array
from fnormal.faces.detect import FaceBox
from fnormal.geometry.normals import unit
from fnormal.prediction.face_normals import FaceNormals

_LEAST_SCORE, _SURE_SCORE = 0.2, 0.65  # of a face inside a picture: to be looked at, to be believed at once
_RIM = 0.06  # of the inner part's shorter side, over which its answer goes over into the outer one


def may_be_inside(face: FaceBox) -> bool:
    """Whether what was found inside a picture that is a face crop itself is worth a look."""
    return face.score >= _LEAST_SCORE


def is_sure(face: FaceBox) -> bool:
    """Whether what was found inside such a picture is believed at once."""
    return face.score >= _SURE_SCORE


def chosen(outer: FaceNormals, inner: FaceNormals, share: float = 1.0) -> FaceNormals:
    """The answer for a whole picture and for a face found inside: both, or the first alone.

    In a tight or hardly lit crop of a face the detector may take a part of it for a face: what it doubts must
    be what the network is surer of.
    """
    assert inner.face is not None, "it was found"
    if is_sure(inner.face):
        return merged(outer, inner, share)
    alone, together = inner.confidence, outer.confidence
    seen = inner.mask & outer.mask
    if seen.any() and alone[seen].mean() > together[seen].mean():
        return merged(outer, inner, share)
    return outer


def merged(outer: FaceNormals, inner: FaceNormals, share: float = 1.0) -> FaceNormals:
    """The answer in a wide frame with that in an inner frame laid over it; the seam is soft.

    Args:
        outer: For the wide frame.
        inner: For the other.
        share: How much the inner one counts where there are both: 1 for it alone, 0.5 for the mean.
    """
    import cv2

    height, width = inner.part_mask.shape
    inside = _with_border(inner, outer)
    away_px = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    weight = share * np.clip(away_px / max(1.0, _RIM * min(height, width)), 0, 1)
    low = np.array(inner.corner_px)
    high = low + np.array([width, height])
    corner = np.array(outer.corner_px)
    left, top = np.maximum(low, corner)
    right, bottom = np.minimum(high, corner + outer.part_mask.shape[::-1])
    there = np.s_[top - corner[1] : bottom - corner[1], left - corner[0] : right - corner[0]]
    here = np.s_[top - low[1] : bottom - low[1], left - low[0] : right - low[0]]

    def blended(whole: F32, part: F32, most: Array) -> F32:
        mixed = whole.copy()
        mixed[there] += most[here] * (part[here] - whole[there])
        return mixed

    normals = blended(outer.part_normals, inner.part_normals, weight[..., None])
    confidence = blended(outer.part_confidence, inner.part_confidence, weight)
    return replace(
        outer,
        part_normals=unit(normals, outer.part_mask),
        part_confidence=confidence * outer.part_mask,
        face=inner.face,
    )


def _with_border(inner: FaceNormals, outer: FaceNormals) -> U8:
    """The inner mask with a border of one pixel, outside but where the outer part ends too. [h + 2, w + 2]"""
    inside = np.pad(inner.part_mask.astype(np.uint8), 1)
    first = np.array(inner.corner_px) - outer.corner_px
    last = first + inner.part_mask.shape[::-1] - outer.part_mask.shape[::-1]
    if first[1] <= 0:
        inside[0] = inside[1]
    if last[1] >= 0:
        inside[-1] = inside[-2]
    if first[0] <= 0:
        inside[:, 0] = inside[:, 1]
    if last[0] >= 0:
        inside[:, -1] = inside[:, -2]
    return inside
