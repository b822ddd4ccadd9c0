"""What the network sees of a face and the way back: a square of the picture, or an upright view of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fnormal.arrays import F32, F64, Array, Bools
from fnormal.config import CROP_SCALE
from fnormal.faces.crop import Crop, into_view, out_of_view, square_matrix, upright_view
from fnormal.faces.detect import FaceBox, roll_deg
from fnormal.faces.masks import Outline, seen_mask
from fnormal.geometry.images import in_unit_range
from fnormal.geometry.normals import turned_in_plane
from fnormal.geometry.plain_border import Part
from fnormal.geometry.showing import shown


@dataclass(frozen=True)
class Frame:
    """A face's place in the picture and in the network's input.

    Attributes:
        crop: The square that the network sees; for a turned face the upright square around it.
        mask: The face, in the part of the picture that begins at the crop's corner or at ``corner_px``.
        face: The face, None where the picture is taken for a crop.
        to_picture: Pixels of the network's input to the picture's, of a turned face. [2, 3]
        corner_px: Left column and top row of ``mask``, of a turned face.
        turn_deg: How far the face was turned upright, counter-clockwise.
        inner: A frame of the same face, in which the network is at its best, where this one is wider.
        averaged: Whether the answers in both count the same, instead of the inner one being laid over.
        lit: A face inside, by whose light the view is levelled, where ``face`` is None.
        within: What of the picture is seen, None for all: beyond it its edge is repeated.
    """

    crop: Crop
    mask: Bools
    face: FaceBox | None
    to_picture: F64 | None = None
    corner_px: tuple[int, int] = (0, 0)
    turn_deg: float = 0.0
    inner: Frame | None = None
    averaged: bool = False
    lit: FaceBox | None = None
    within: Part | None = None

    @property
    def parts(self) -> list[Frame]:
        """This frame, and the inner one where there is one: what the network is asked about."""
        return [self] if self.inner is None else [self, self.inner]

    @property
    def mask_corner_px(self) -> tuple[int, int]:
        """Left column and top row of ``mask`` in the picture."""
        return self.corner_px if self.to_picture is not None else (self.crop.x_px, self.crop.y_px)

    def placed(self, part: Part) -> Frame:
        """This frame of a part of a picture, of which alone it sees something, in the picture's pixels."""
        x, y = part.corner_px
        crop, to_picture = _moved(self.crop, self.to_picture, x, y)
        return replace(
            self,
            crop=crop,
            face=None if self.face is None else self.face.moved(x, y),
            to_picture=to_picture,
            corner_px=(self.corner_px[0] + x, self.corner_px[1] + y),
            inner=None if self.inner is None else self.inner.placed(part),
            lit=None if self.lit is None else self.lit.moved(x, y),
            within=part,
        )

    def face_in_view(self) -> Bools | None:
        """Where the face is in what the network sees, None where nobody has looked for it. [S, S]"""
        face, size_px = self.face or self.lit, self.crop.size_px
        if face is None:
            return None
        if self.to_picture is None:
            points = self.crop.from_picture(face.landmarks)
        else:
            points = into_view(face.landmarks, self.to_picture)
        return seen_mask(points, size_px, size_px)


@dataclass(frozen=True)
class Square:
    """The upright square around a face: middle and side in pixels, turn clockwise on the screen."""

    middle: F64
    side: float
    turn_deg: float

    def to_picture(self, size_px: int) -> F64:
        """Pixels of the network's input to the picture's. [2, 3]"""
        return square_matrix(self.middle, self.side, self.turn_deg, size_px)

    def moved(self, x_px: int, y_px: int) -> Square:
        """The square so far to the right and down."""
        return Square(self.middle + np.array([x_px, y_px]), self.side, self.turn_deg)

    def part_of(self, shape: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Left column and top row, rows and columns of the part of a picture that holds the square."""
        height, width = shape
        to_picture = self.to_picture(1)  # whose one pixel is all of it
        corners = out_of_view(np.array([[x, y] for x in (-0.5, 0.5) for y in (-0.5, 0.5)]), to_picture)
        first = np.clip(np.floor(corners.min(axis=0)), 0, [width - 2, height - 2]).astype(int)
        last = np.clip(np.ceil(corners.max(axis=0)), first + 1, [width - 1, height - 1]).astype(int)
        columns, rows = (last - first + 1).tolist()
        return (int(first[0]), int(first[1])), (rows, columns)

    def toward(self, other: Square, share: float) -> Square:
        """A square between this and another."""
        turn = (other.turn_deg - self.turn_deg + 180) % 360 - 180
        return Square(
            self.middle + share * (other.middle - self.middle),
            self.side + share * (other.side - self.side), self.turn_deg + share * turn,
        )  # fmt: skip


def square_of(landmarks: F32, scale: float = CROP_SCALE) -> Square:
    """The square of section 4.1 around 68 points, turned upright. [68, 2]"""
    turn_deg = roll_deg(landmarks)
    angle = np.radians(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    level = landmarks.astype(np.float64) @ turn
    low, high = level.min(axis=0), level.max(axis=0)
    return Square(turn @ ((low + high) / 2), scale * float((high - low).max()), turn_deg)


def framed_square(
    face: FaceBox, square: Square, shape: tuple[int, int], size_px: int,
    outline: Outline,
) -> Frame:  # fmt: skip
    """The frame of a square around a face; where it reaches beyond the picture, the border is repeated."""
    import cv2

    height, width = shape
    to_picture, half = square.to_picture(size_px), size_px - 0.5
    corner, (rows, columns) = square.part_of(shape)
    mask = outline(face.landmarks, rows, columns, corner_px=corner)
    left, top, width_px, height_px = cv2.boundingRect(mask.view(np.uint8))
    ends = np.array([(x, y) for x in (left, left + width_px - 1) for y in (top, top + height_px - 1)])
    seen_ends = into_view(ends + corner, to_picture)
    if (seen_ends <= -0.5).any() or (seen_ends >= half).any():  # the outline is wider than the square
        mask = mask & _seen_pixels(to_picture, half, (rows, columns), corner)
    crop = Crop(corner[0], corner[1], min(max(rows, columns), height, width), size_px)
    return Frame(crop, mask, face, to_picture, corner, square.turn_deg)


def _seen_pixels(to_picture: F64, half: float, shape: tuple[int, int], corner: tuple[int, int]) -> Bools:
    """The pixels of a part of the picture that a square covers. [h, w]"""
    rows, columns = shape
    x = np.arange(columns) + corner[0] - to_picture[0, 2]
    y = np.arange(rows)[:, None] + corner[1] - to_picture[1, 2]
    covered = np.ones(shape, bool)
    for to_x, to_y in np.linalg.inv(to_picture[:, :2]):
        place = to_x * x + to_y * y
        covered &= (place > -0.5) & (place < half)
    return covered


def seen(picture: Array, frame: Frame, *, levels: bool) -> list[F32]:
    """What the network sees of a picture [H, W, 3] in a frame, one view for each of its parts. [S, S, 3]"""
    views = [_view(picture, part) for part in frame.parts]
    if not levels:
        return views
    return [shown(view, part.face_in_view()) for view, part in zip(views, frame.parts, strict=True)]


def _view(picture: Array, frame: Frame) -> F32:
    """What the network sees of a picture [H, W, 3]: float32 in [0, 1]. [S, S, 3]"""
    crop, to_picture = frame.crop, frame.to_picture
    if frame.within is not None:
        x, y = frame.within.corner_px
        picture = frame.within.of(picture)
        crop, to_picture = _moved(crop, to_picture, -x, -y)
    if to_picture is not None:
        return in_unit_range(upright_view(picture, to_picture, crop.size_px))
    # the part alone is made floats, not the picture
    return replace(crop, x_px=0, y_px=0).cut(in_unit_range(crop.part(picture)))


def _moved(crop: Crop, to_picture: F64 | None, x_px: int, y_px: int) -> tuple[Crop, F64 | None]:
    """A crop, and the matrix of an upright one, so far to the right and down."""
    if to_picture is not None:
        to_picture = to_picture + np.array([[0, 0, x_px], [0, 0, y_px]])
    return replace(crop, x_px=crop.x_px + x_px, y_px=crop.y_px + y_px), to_picture


def carried_back(mean: F32, to_picture: F64, shape: tuple[int, ...], corner_px: tuple[int, int]) -> F32:
    """A prediction [S, S, 3] of an upright view, in the picture's pixels and axes. [h, w, 3]"""
    import cv2

    matrix = to_picture.copy()
    matrix[:, 2] -= corner_px
    rows, columns = shape[:2]
    part = cv2.warpAffine(
        mean, matrix, (columns, rows), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return turned_in_plane(part, float(np.arctan2(to_picture[1, 0], to_picture[0, 0])))
