"""Plain bars around a picture, as letterboxes, passe-partouts and padded crops have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fnormal.arrays import F32, Array, Bools
from fnormal.geometry.images import near_color

_SAME = 3 / 255  # of the range: colours that differ by less are one
_OTHER = 24 / 255  # by more than this: surely two, whatever JPEG made of them
_BLURRED_PX = 16  # how far JPEG carries what lies behind a bar into it: the side of its blocks of colour
_MIXED_PX = 1  # how many rows between a bar and what lies behind it may have some of both
_LEAST_SHARE = 0.5  # of the row behind a bar that has another colour, and so much
_STRAIGHT, _LATER_PX = 0.8, 8  # of what has one so many rows later: bars end in a line, not at an outline
_LEAST_PX = 32  # of what is left
_AT_ONCE_PX = 1 << 18  # that are compared


class Part(NamedTuple):
    """A rectangle of a picture's pixels, the first and the one after the last of its rows and columns."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left

    @property
    def corner_px(self) -> tuple[int, int]:
        """Left column and top row."""
        return self.left, self.top

    def joined(self, other: Part) -> Part:
        """The smallest part that holds both."""
        top, left = min(self.top, other.top), min(self.left, other.left)
        return Part(top, max(self.bottom, other.bottom), left, max(self.right, other.right))

    def of(self, picture: Array) -> Array:
        """The part of a picture [H, W, ...], a view and no copy. [h, w, ...]"""
        return picture[self.top : self.bottom, self.left : self.right]


def without_bars(picture: Array) -> Part:
    """What plain bars at its sides leave of a picture: mostly all of it.

    A bar is of one colour and ends in a straight line, behind which nearly all is of another: the wall over a
    head is none, nor is the darkness beside a face that is lit from one side.

    Args:
        picture: RGB, bytes or floats in [0, 1]. [H, W, 3]
    """
    height, width = picture.shape[:2]
    everything = Part(0, height, 0, width)
    if min(height, width) < _LEAST_PX:
        return everything
    plain = _plain_edges(picture)
    if not any(plain) or plain[0] + plain[1] >= height:
        return everything
    top, bottom, left, right = _bars(picture, plain)
    part = Part(top, height - bottom, left, width - right)
    return part if min(part.shape) >= _LEAST_PX else everything


def _plain_edges(picture: Array) -> list[int]:
    """How far each edge is of one colour: the upper, the lower, and between those the left and the right."""
    top, bottom = (_plain_rows(side) for side in _from_sides(picture)[:2])
    level = picture[top : picture.shape[0] - bottom]
    left, right = (_plain_rows(side) for side in _from_sides(level)[2:]) if level.size else (0, 0)
    return [top, bottom, left, right] if left + right < picture.shape[1] else [top, bottom, 0, 0]


def _bars(picture: Array, plain: Sequence[int]) -> list[int]:
    """How wide the bars at the four edges are, 0 where there is none, of edges that are so far plain."""
    height, width = picture.shape[:2]
    top, bottom, left, right = plain
    upright, level = picture[:, left : width - right], picture[top : height - bottom]
    sides = (*_from_sides(upright)[:2], *_from_sides(level)[2:])
    ends = [_end(side, count) for side, count in zip(sides, plain, strict=True)]
    straight = [end for end in ends if end]
    if 2 * len(straight) < np.count_nonzero(plain):
        return [0] * 4  # one may be the straight brow of a face that was cut out
    if len(straight) > 1 and max(straight) - min(straight) <= _MIXED_PX:
        # bars of one width on some sides go on around what is as dark as they are
        return [end or min(count, straight[0]) for end, count in zip(ends, plain, strict=True)]
    return ends


def _from_sides(picture: Array) -> tuple[Array, Array, Array, Array]:
    """A picture whose first row is its upper, its lower, its left and its right edge. [H, W, 3] each"""
    across = picture.swapaxes(0, 1)
    return picture, picture[::-1], across, across[::-1]


def _plain_rows(picture: Array) -> int:
    """How many of the first rows have the colour of the corner."""
    color, same = picture[0, 0], _SAME * _unit(picture)
    count, step = 0, 1
    while count < len(picture):  # a photo's first row is not plain, so that no other is looked at
        rows = np.ascontiguousarray(picture[count : count + step])
        plain = near_color(rows, color, same).all(axis=1)
        if not plain.all():
            return count + int(plain.argmin())
        count, step = count + len(rows), max(1, _AT_ONCE_PX // rows.shape[1])
    return count


def _end(picture: Array, plain: int) -> int:
    """The row before which a bar ends, the first of which are plain; 0 where it is none."""
    if not plain:
        return 0
    color = picture[0, 0]
    rows = picture[plain - 1 : plain + _BLURRED_PX + _MIXED_PX + _LATER_PX]
    away = _apart(rows, color)
    for i in range(1, len(rows) - _MIXED_PX - _LATER_PX):
        behind = i + _MIXED_PX
        step = (away[behind] > _OTHER) & (_apart(rows[behind], rows[i - 1]) > _OTHER)
        if _is_straight(step, away[behind + _LATER_PX] > _OTHER):
            return plain + i - 1
    behind = 1 + _MIXED_PX
    if len(rows) > behind + _LATER_PX and _is_straight(
        away[behind] > _SAME, away[behind + _LATER_PX] > _SAME
    ):
        return plain
    return 0


def _is_straight(here: Bools, later: Bools) -> bool:
    """Whether what begins in a row is most of what there is later. [W] both"""
    return bool(here.mean() > max(_LEAST_SHARE, _STRAIGHT * later.mean()))


def _apart(colors: Array, other: Array) -> F32:
    """The largest difference of the channels, of the range. [...] of [..., 3] and [..., 3]"""
    return np.asarray(abs(colors.astype(np.float32) - other).max(axis=-1) / np.float32(_unit(colors)))


def _unit(colors: Array) -> float:
    return 255 if colors.dtype == np.uint8 else 1
