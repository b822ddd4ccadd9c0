"""A picture that already is a face crop: all of it is answered, a small face inside framed as trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fnormal.arrays import F32, Array
from fnormal.faces.crop import Crop, square_matrix, whole_picture
from fnormal.faces.detect import FaceBox
from fnormal.faces.ladder import roll_deg
from fnormal.geometry.normals import unit
from fnormal.prediction.face_normals import FaceNormals
from fnormal.prediction.frames import Frame

_SMALL = (
    1.45  # side of the picture / larger side of the face's box, from which on the face is looked at alone
)
_RIM = 0.12  # of the inner part's shorter side, over which its answer goes over into the outer one


def whole_frame(shape: Sequence[int], size_px: int) -> Frame:
    """The frame of every pixel of a picture [H, W]: the square around it, its border repeated."""
    height, width = shape[0], shape[1]
    mask = np.ones((height, width), bool)
    if height == width:
        return Frame(whole_picture(height, width, size_px), mask, None)
    middle = (np.array([width, height]) - 1) / 2
    to_picture = square_matrix(middle, max(height, width), 0.0, size_px)
    return Frame(Crop(0, 0, min(height, width), size_px), mask, None, to_picture)


def needs_own_frame(face: FaceBox, shape: Sequence[int], upright_deg: float) -> bool:
    """Whether a face in a picture [H, W] is smaller or more turned than the network is at its best with.

    A tight picture stays as it is: widened by a repeated, mirrored or black border it is answered no better.
    """
    side = float(np.ptp(face.landmarks, axis=0).max())
    return max(shape[0], shape[1]) > _SMALL * side or abs(roll_deg(face.landmarks)) > upright_deg


def merged(outer: FaceNormals, inner: FaceNormals) -> FaceNormals:
    """The answer for a whole picture with that for the face inside laid over it; the seam is soft."""
    import cv2

    height, width = inner.part_mask.shape
    inside = np.pad(inner.part_mask.astype(np.uint8), 1)  # the picture's border is a border
    away_px = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    weight = np.clip(away_px / max(1.0, _RIM * min(height, width)), 0, 1)
    (x, y) = inner.corner_px
    here = np.s_[y : y + height, x : x + width]

    def blended(whole: F32, part: F32, share: Array) -> F32:
        mixed = whole.copy()
        mixed[here] = whole[here] + share * (part - whole[here])
        return mixed

    normals = blended(outer.part_normals, inner.part_normals, weight[..., None])
    confidence = blended(outer.part_confidence, inner.part_confidence, weight)
    normals = unit(normals) * outer.part_mask[..., None]
    return replace(outer, part_normals=normals, part_confidence=confidence, face=inner.face)
