"""BlazeFace on a picture from afar, in turns, in parts: faces that fill it, lie on their side, are small."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import U8
from fnormal.faces import blazeface
from fnormal.faces.blazeface import FULL_RANGE, SHORT_RANGE, Candidate, without_doubles
from fnormal.geometry.images import lightest, resize_to_fit

_SHADOW_GAMMA, _LEAST_LIGHT = 0.45, 4.0
_COUNTED_PX = 1 << 16
_MARGIN = 0.25  # of the longer side
_TURNS_DEG = (90, -90, 180, 45, -45, 135, -135)
_CUT_FACE = 0.8  # of a part's side; larger ones are cut by it, and found in larger parts
_LEAST_FACE_PX = 16.0
_LARGE_FACES_PX = 640  # a picture is shrunk to this where what is searched is large


def from_afar(picture: U8) -> list[Candidate]:
    """Faces that fill a picture, whose parts BlazeFace takes for faces or nothing: the picture with a margin.

    The margin is black. With the picture's edge, repeated or mirrored, less is found, and so it is with a
    margin of 0.15 or 0.35.
    """
    import cv2

    shrunk = _shrunk(picture)
    if shrunk is None:
        return []
    small, scale = shrunk
    margin = round(_MARGIN * max(small.shape[:2]))
    wider = cv2.copyMakeBorder(small, margin, margin, margin, margin, cv2.BORDER_CONSTANT)
    back = np.array([[1, 0, -margin], [0, 1, -margin]]) / scale
    return [candidate.moved(back) for candidate in blazeface.detect(wider, SHORT_RANGE)]


def shadows_lifted(picture: U8) -> U8:
    """A picture of which what is dark is light: faces at night, and before windows. [H, W, 3] both

    With a twentieth of its light BlazeFace misses seven of ten rendered heads in a picture, and one in this.
    """
    import cv2

    white = max(lightest(picture, _COUNTED_PX), _LEAST_LIGHT)
    light = np.minimum(1, np.arange(256) / white) ** _SHADOW_GAMMA
    return np.asarray(cv2.LUT(picture, np.rint(255 * light).astype(np.uint8)), np.uint8)


def in_turns(picture: U8) -> list[Candidate]:
    """Faces that are turned by more than BlazeFace knows: the picture, shrunk, in seven turns."""
    import cv2

    shrunk = _shrunk(picture)
    if shrunk is None:
        return []
    small, scale = shrunk
    rows, columns = small.shape[:2]
    side = int(np.ceil(np.hypot(rows, columns)))
    found = []
    for turn_deg in _TURNS_DEG:
        matrix = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), turn_deg, 1.0)
        matrix[:, 2] += (side - columns) / 2, (side - rows) / 2
        turned = cv2.warpAffine(small, matrix, (side, side))
        back = cv2.invertAffineTransform(matrix) * [[1 / scale], [1 / scale]]
        found += [c.moved(back) for c in blazeface.detect(turned, SHORT_RANGE)]
    return without_doubles(found)


def in_parts(
    picture: U8, share: float, step: float, least_score: float = blazeface.LEAST_SCORE
) -> list[Candidate]:
    """Small faces: the picture in overlapping squares.

    Args:
        picture: RGB. [H, W, 3]
        share: Side of a square / longer side of the picture.
        step: From a square to the next / longer side of the picture.
        least_score: Of a candidate.
    """
    height, width = picture.shape[:2]
    longer = max(height, width)
    side = max(round(longer * share), 32)
    found = []
    for y in _starts(height, side, round(longer * step)):
        for x in _starts(width, side, round(longer * step)):
            part = np.ascontiguousarray(picture[y : y + side, x : x + side])
            corner = np.array([[1, 0, x], [0, 1, y]], np.float64)
            for candidate in blazeface.detect(part, FULL_RANGE, least_score):
                moved = candidate.moved(corner)
                if _LEAST_FACE_PX <= moved.width_px < _CUT_FACE * side:
                    found.append(moved)
    return without_doubles(found)


def _shrunk(picture: U8) -> tuple[U8, float] | None:
    """A picture that is enough for faces that are large in it, and its scale; None where none fits."""
    scale = min(1.0, _LARGE_FACES_PX / max(picture.shape[:2]))
    if min(picture.shape[:2]) * scale < _LEAST_FACE_PX:
        return None
    return resize_to_fit(picture, _LARGE_FACES_PX), scale


def _starts(length: int, side: int, step: int) -> list[int]:
    """Where squares begin that cover a length."""
    last = max(length - side, 0)
    return sorted({*range(0, last, max(step, 1)), last})
