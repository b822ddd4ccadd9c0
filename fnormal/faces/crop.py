"""The crop of section 4.1 and its exact inverse."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from fnormal.arrays import F32, F64, Array
from fnormal.config import CROP_SCALE, CROP_SIZE_PX
from fnormal.geometry.images import resize_image, resize_points

_ROOM = 1.08  # side of a crop / larger side of the face with its forehead
ENOUGH_FINER = 4  # samples a pixel each way whose mean is enough for what small networks are asked


@dataclass(frozen=True)
class Crop:
    """A square of a picture, resized. Pixel centres have integer coordinates, y down.

    Attributes:
        x_px: Left column.
        y_px: Top row.
        side_px: Side of the square in the picture.
        size_px: Side after resizing.
    """

    x_px: int
    y_px: int
    side_px: int
    size_px: int = CROP_SIZE_PX

    def to_picture(self, points: F32) -> F32:
        """Crop pixels [..., 2] to picture pixels [..., 2]."""
        part = resize_points(points, self.side_px / self.size_px)
        return part + np.array([self.x_px, self.y_px], np.float32)

    def from_picture(self, points: F32) -> F32:
        """Picture pixels [..., 2] to crop pixels [..., 2]: the inverse of :meth:`to_picture`."""
        part = np.asarray(points) - (self.x_px, self.y_px)
        return resize_points(part, self.size_px / self.side_px)

    def cut(self, picture: Array) -> Array:
        """Cut and resize a picture [H, W, ...] -> [size, size, ...]; booleans by nearest neighbour."""
        return _resize(self.part(picture), self.size_px)

    def part(self, picture: Array) -> Array:
        """The square of a picture [H, W, ...] in its own pixels; what lies outside repeats the edge."""
        rows, columns = (
            np.clip(np.arange(first, first + self.side_px), 0, size - 1)
            for first, size in ((self.y_px, picture.shape[0]), (self.x_px, picture.shape[1]))
        )
        inside = rows[-1] - rows[0] == columns[-1] - columns[0] == self.side_px - 1
        if inside:  # a view, not a copy
            return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return picture[rows[:, None], columns]

    def enlarged(self, crop: Array) -> Array:
        """A crop [size, size, ...] of booleans or vectors in the picture's own pixels. [side, side, ...]

        Vectors are interpolated, cubically where they grow: renormalise normals afterwards.
        """
        return _resize(crop, self.side_px, cubic=True)

    def as_dict(self) -> dict[str, int]:
        """For JSON."""
        return asdict(self)


def _resize(picture: Array, side: int, *, cubic: bool = False) -> Array:
    import cv2

    if picture.shape[0] == side:
        return np.ascontiguousarray(picture)
    if picture.dtype == bool:
        nearest = cv2.resize(picture.view(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST_EXACT)
        return np.asarray(nearest.astype(bool))
    return resize_image(picture, side, cubic=cubic)


def crop_around(
    landmarks: F32,
    height_px: int,
    width_px: int,
    *,
    scale: float = CROP_SCALE,
    size_px: int = CROP_SIZE_PX,
) -> Crop:
    """The square of section 4.1: ``scale`` times the larger side of the points' box, same centre.

    A square larger than the picture shrinks to its shorter side; one that sticks out is moved inside.

    Args:
        landmarks: Points in picture pixels, y down. [N, 2]
        height_px: Rows of the picture.
        width_px: Columns.
        scale: Side of the square / larger side of the box.
        size_px: Side after resizing.
    """
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    side = round(float((high - low).max()) * scale)
    side = max(2, min(side, height_px, width_px))
    x, y = (round(float(v)) for v in (low + high) / 2 - side / 2)
    return Crop(min(max(x, 0), width_px - side), min(max(y, 0), height_px - side), side, size_px)


def holding(crop: Crop, points: F32, height_px: int, width_px: int) -> Crop:
    """The crop, or one as large around ``points``, larger where they need it; inside the picture."""
    low, high = points.min(axis=0), points.max(axis=0)
    box = float((high - low).max())
    scale = max(_ROOM, crop.side_px / max(box, 1e-6))
    return crop_around(points, height_px, width_px, scale=scale, size_px=crop.size_px)


def square_matrix(middle: Array, side: float, turn_deg: float, size_px: int) -> F64:
    """Pixels of a square of ``size_px`` to a picture's, y down. [2, 3]

    Args:
        middle: Of the square in the picture. [2]
        side: Of the square in the picture's pixels.
        turn_deg: How far it is turned, clockwise on the screen.
        size_px: Its own side.
    """
    angle = np.radians(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = side / size_px * turn
    return np.column_stack([linear, middle - linear @ np.full(2, (size_px - 1) / 2)]).astype(np.float64)


def into_view(points: Array, to_picture: F64) -> F32:
    """Points of a picture in the pixels of a square of :func:`square_matrix`. [N, 2] both"""
    return np.asarray((points - to_picture[:, 2]) @ np.linalg.inv(to_picture[:, :2]).T, np.float32)


def out_of_view(points: Array, to_picture: F64) -> F32:
    """The way back of :func:`into_view`. [N, 2] both"""
    return np.asarray(points @ to_picture[:, :2].T + to_picture[:, 2], np.float32)


def upright_view(picture: Array, to_picture: F64, size_px: int, *, most_finer: int | None = None) -> Array:
    """A square of a picture [H, W, 3], upright, averaged where it shrinks, its border repeated. [S, S, 3]

    Args:
        picture: Any numbers.
        to_picture: Pixels of the square to the picture's, of :func:`square_matrix`. [2, 3]
        size_px: Side of the square in its own pixels.
        most_finer: Samples a pixel each way that are averaged at most; None for all there are.
    """
    import cv2

    scale = float(np.sqrt(abs(np.linalg.det(to_picture[:, :2]))))
    finer = max(1, int(np.ceil(scale)))
    if most_finer is not None:
        finer = min(finer, most_finer)
    matrix = to_picture.copy()
    matrix[:, :2] /= finer
    matrix[:, 2] = to_picture[:, 2] - to_picture[:, :2] @ np.full(2, (finer - 1) / (2 * finer))
    side = (size_px * finer, size_px * finer)
    view = cv2.warpAffine(
        picture, matrix, side, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(cv2.resize(view, (size_px, size_px), interpolation=cv2.INTER_AREA))


def whole_picture(height_px: int, width_px: int, size_px: int = CROP_SIZE_PX) -> Crop:
    """The crop of a picture that already is one: its centred square."""
    side = min(height_px, width_px)
    return Crop((width_px - side) // 2, (height_px - side) // 2, side, size_px)
