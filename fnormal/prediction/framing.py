"""Which frames of a face the network is asked about: the paper's crop, the picture as it is, or both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fnormal.config import CROP_SCALE
from fnormal.faces.crop import Crop, crop_around, holding, square_matrix, whole_picture
from fnormal.faces.detect import FaceBox, roll_deg
from fnormal.faces.masks import Outline, given_mask, moved_outline, seen_mask, with_forehead
from fnormal.geometry.plain_border import Part
from fnormal.prediction.frames import Frame, Square, framed_square, square_of
from fnormal.prediction.merging import is_sure

_UPRIGHT_DEG = 30.0  # up to this turn in the picture's plane the network was trained on common turns,
_AS_IT_IS_DEG = 50.0  # and up to this one it is asked about tight pictures as they are, too
_SMALL = 1.4  # side of a square / larger side of the face's box, beyond which the face is asked about alone
_TIGHT = 1.1  # and below which the square is widened
_MOST_BORDER = 1.15  # side of a square / shorter side of the picture, at most


def face_frame(part: Part, face: FaceBox, scale: float, outline: Outline, size_px: int) -> Frame:
    """What the network will see of a face: the paper's crop, or an upright view of a turned face.

    In a wider or tighter one it is asked about the paper's crop too, so that its answer is the same. In a
    picture without room for that it is asked about what there is, and with a border around.

    Args:
        part: What is seen of the picture, as if it were all there is.
        face: The face, in the picture.
        scale: Side of the crop / larger side of the landmarks' box.
        outline: Where a face of the picture is.
        size_px: Side of the network's input.
    """
    face, outline = _inside(part, face, outline)
    return _face_frame(part.shape, face, scale, outline, size_px).placed(part)


def square_frame(part: Part, face: FaceBox, square: Square, outline: Outline, size_px: int) -> Frame:
    """The frame of a square around a face; the other arguments are :func:`face_frame`'s."""
    x, y = part.corner_px
    face, outline = _inside(part, face, outline)
    return framed_square(face, square.moved(-x, -y), part.shape, size_px, outline).placed(part)


def _inside(part: Part, face: FaceBox, outline: Outline) -> tuple[FaceBox, Outline]:
    """A face and the outline of faces of a picture, in the pixels of a part of it."""
    x, y = part.corner_px
    return face.moved(-x, -y), moved_outline(outline, x, y)


def _face_frame(
    shape: tuple[int, int], face: FaceBox, scale: float, outline: Outline, size_px: int
) -> Frame:  # fmt: skip
    if _is_turned(face):
        return _turned_frame(shape, face, scale, outline, size_px)
    crop = crop_around(face.landmarks, *shape, scale=scale, size_px=size_px)
    if outline is not seen_mask:  # the forehead must not end at the straight edge of the crop
        crop = holding(crop, with_forehead(face.landmarks), *shape)
    corner, side = (crop.x_px, crop.y_px), crop.side_px
    frame = Frame(crop, outline(face.landmarks, side, side, corner_px=corner), face)
    if not _is_small(face, side) and not _is_tight(face, side):
        return frame
    return replace(frame, inner=_bare_frame(shape, face, size_px), averaged=_fills(face, shape))


def _turned_frame(
    shape: tuple[int, int], face: FaceBox, scale: float, outline: Outline, size_px: int
) -> Frame:  # fmt: skip
    frame = framed_square(face, square_of(face.landmarks, scale), shape, size_px, outline)
    if _is_known_at_its_turn(face) and _fills(face, shape):
        crop = crop_around(face.landmarks, *shape, size_px=size_px)
        return replace(frame, inner=_everywhere(crop, face), averaged=True)
    return frame if _TIGHT <= scale <= _SMALL else replace(frame, inner=_bare_frame(shape, face, size_px))


def whole_frame(part: Part, face: FaceBox | None, size_px: int) -> Frame:
    """The frame of every pixel of a part of a picture, with that of a face inside which needs one of its own.

    Args:
        part: What is seen of the picture, as if it were all there is.
        face: A face of the part, in its pixels, if there is one.
        size_px: Side of the network's input.
    """
    return _whole_frame(part.shape, face, size_px).placed(part)


def _whole_frame(shape: tuple[int, int], face: FaceBox | None, size_px: int) -> Frame:
    frame = _picture_frame(shape, size_px)
    if face is None:
        return frame
    tight = _is_tight(face, max(shape))
    own = _is_turned(face) or _is_small(face, max(shape)) or tight
    return replace(
        frame, inner=_bare_frame(shape, face, size_px) if own else None,
        averaged=tight and _is_known_at_its_turn(face), lit=face if is_sure(face) else None,
    )  # fmt: skip


def _picture_frame(shape: tuple[int, int], size_px: int) -> Frame:
    """The frame of every pixel of a picture [H, W]: the square around it, its border repeated."""
    height, width = shape
    mask = np.ones((height, width), bool)
    if height == width:
        return Frame(whole_picture(height, width, size_px), mask, None)
    middle = (np.array([width, height]) - 1) / 2
    to_picture = square_matrix(middle, max(height, width), 0.0, size_px)
    return Frame(Crop(0, 0, min(height, width), size_px), mask, None, to_picture)


def _bare_frame(shape: tuple[int, int], face: FaceBox, size_px: int) -> Frame:
    """What the network will see of a face in the paper's crop, all of it inside the mask."""
    if _is_turned(face):
        square = square_of(face.landmarks)
    elif _fills(face, shape):
        square = _own_square(face, shape)
    else:
        return _everywhere(crop_around(face.landmarks, *shape, size_px=size_px), face)
    return framed_square(face, square, shape, size_px, given_mask(np.ones(shape, bool)))


def _everywhere(crop: Crop, face: FaceBox) -> Frame:
    """The frame of a crop, all of which is inside the mask."""
    return Frame(crop, np.ones((crop.side_px, crop.side_px), bool), face)


def _own_square(face: FaceBox, shape: tuple[int, int]) -> Square:
    """The square of section 4.1 around a face, level with the picture, though it reach beyond its border."""
    low, high = face.landmarks.min(axis=0), face.landmarks.max(axis=0)
    side = min(CROP_SCALE * _box_px(face), _MOST_BORDER * min(shape))
    return Square((low + high).astype(np.float64) / 2, side, 0.0)


def _is_turned(face: FaceBox) -> bool:
    return abs(roll_deg(face.landmarks)) > _UPRIGHT_DEG


def _is_known_at_its_turn(face: FaceBox) -> bool:
    """Whether the network knows a face at its turn well enough for its answer to count.

    In tight crops of rendered heads that are turned by 30 to 50 degrees the mean of that answer and of the
    upright view's is 0.4 to 0.7 degrees nearer the truth than the latter, whose border is mostly made up;
    beyond, 0.6 further.
    """
    return abs(roll_deg(face.landmarks)) <= _AS_IT_IS_DEG


def _is_small(face: FaceBox, side_px: float) -> bool:
    """Whether a face in a square of this side is smaller than the network is at its best with.

    On unseen rendered heads whose square is 1.4 to 1.6 times the face the paper's crop is 0.3 degrees nearer
    the truth, beyond that 1 and more, below it none.
    """
    return side_px > _SMALL * _box_px(face)


def _is_tight(face: FaceBox, side_px: float) -> bool:
    """Whether a face fills a square of this side more than the paper's crop.

    The mean of the answer to it and to its own square, the picture's border repeated around, is better than
    either then: on rendered heads cut from the brows to the chin by 0.1 to 0.3 degrees. A mirrored or black
    border is worse than none.
    """
    return side_px < _TIGHT * _box_px(face)


def _fills(face: FaceBox, shape: tuple[int, int]) -> bool:
    """Whether a picture has no room for the paper's crop of a face."""
    return _is_tight(face, crop_around(face.landmarks, *shape).side_px)


def _box_px(face: FaceBox) -> float:
    return float(np.ptp(face.landmarks, axis=0).max())
