"""What a prediction is: the normals of one face, in the photo's own pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fnormal.arrays import F32, Array, Bools
from fnormal.config import UNIT_ERROR_DEG
from fnormal.faces.crop import Crop
from fnormal.faces.detect import FaceBox


@dataclass(frozen=True)
class FaceNormals:
    """The normals of one face, OpenGL axes: x right, y up, z toward the viewer.

    Only the part of the picture that the network saw is kept; ``normals``, ``mask`` and ``confidence`` give
    it in the full frame. In a picture of 100 megapixels that takes 1.6 GB.

    Attributes:
        part_normals: Unit, 0 outside the mask. float32 [h, w, 3]
        part_mask: The face. bool [h, w]
        part_confidence: See :attr:`confidence`. float32 [h, w]
        crop: What the network saw.
        face: Box and landmarks, None where the whole picture was taken as a crop.
        corner_px: Left column and top row of the part in the picture.
        frame_px: Rows and columns of the picture; None where the part is all of it.
        turn_deg: How far the face was turned upright for the network, counter-clockwise; ``crop`` then is
            the upright square around what it saw. The normals are in the picture's own axes.
    """

    part_normals: F32
    part_mask: Bools
    part_confidence: F32
    crop: Crop
    face: FaceBox | None
    corner_px: tuple[int, int] = (0, 0)
    frame_px: tuple[int, int] | None = None
    turn_deg: float = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the picture."""
        height, width = self.part_mask.shape if self.frame_px is None else self.frame_px
        return height, width

    @property
    def normals(self) -> F32:
        """Unit normals in the full frame, 0 outside the mask. float32 [H, W, 3]"""
        return np.asarray(self.whole(self.part_normals))

    @property
    def mask(self) -> Bools:
        """The face in the full frame. bool [H, W]"""
        return np.asarray(self.whole(self.part_mask))

    @property
    def confidence(self) -> F32:
        """Cosine of the error that the network expects, in the full frame, 0 outside the mask. float32 [H, W]

        The network's length of a normal tells it, where it was trained to (``train --confidence-weight``).
        Other networks only tell how far the predictions for the crop and its mirror image agree.
        """
        return np.asarray(self.whole(self.part_confidence))

    def whole(self, part: Array) -> Array:
        """An array of the part [h, w, ...] in the full frame [H, W, ...], 0 around it."""
        if self.frame_px is None:
            return part
        frame = np.zeros((*self.frame_px, *part.shape[2:]), part.dtype)
        (x, y), (height, width) = self.corner_px, part.shape[:2]
        frame[y : y + height, x : x + width] = part
        return frame


def confidence_of(length: F32, *, sure: bool) -> F32:
    """What the length of a mean prediction [h, w] says, 0..1."""
    if sure:
        expected_deg = UNIT_ERROR_DEG / np.maximum(length, UNIT_ERROR_DEG / 90)
        length = np.cos(np.radians(expected_deg))
    return np.asarray(np.clip(length, 0, 1), np.float32)
