"""A normal map from a file in the place of a prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fnormal.arrays import U8
from fnormal.config import ENHANCE_CROP_SCALE
from fnormal.errors import FNormalError
from fnormal.faces.crop import crop_around
from fnormal.faces.detect import FaceBox
from fnormal.faces.masks import face_mask
from fnormal.geometry.normal_maps import read_normals
from fnormal.prediction.face_normals import FaceNormals


def given_normals(path: Path, picture: U8, face: FaceBox, frame: str | None = None) -> FaceNormals:
    """A normal map of the picture's size, in axes ``frame``, as if it had been predicted.

    Raises:
        FNormalError: It cannot be read, or has another size.
    """
    values, known = read_normals(path, frame)
    height, width = picture.shape[:2]
    if values.shape[:2] != (height, width):
        raise FNormalError(
            f"{path} is {values.shape[1]}x{values.shape[0]}, the photo {width}x{height};"
            " give a normal map in the photo's own pixels"
        )
    mask = known & face_mask(face.landmarks, height, width)
    crop = crop_around(face.landmarks, height, width, scale=ENHANCE_CROP_SCALE)
    return FaceNormals(values * mask[..., None], mask, mask.astype(np.float32), crop, face)
