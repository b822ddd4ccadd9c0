"""How a face moves from one frame of a video to the next, and what moves along with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from fnormal.arrays import F32, U8
from fnormal.faces.crop import into_view, out_of_view, upright_view
from fnormal.prediction.frames import Square

_FLOW_PX = 128  # side of the view in which motion is measured
_MIDDLE = slice(_FLOW_PX // 5, _FLOW_PX - _FLOW_PX // 5)  # of the view, where the face is
_STEPS = 2  # toward where a point goes; each makes the error smaller by the flow's slope
_SPREAD = 55.0  # of the middle's grey levels, to which views are stretched
_MOST_STRETCH = 30.0  # beyond, there is hardly a picture
_SURE_OFF = (6.0, 18.0)  # such levels between a view and the one before, moved: surely the same, surely not
_CALM_KNOWN = 0.9  # of a face's motion, at least, where it may stand for a look at the face
_CALM_WAY = 0.04  # of the view's side that a face moves at most
_CALM_FORM = 0.002  # of a face's size by which its form changes at most


@dataclass(frozen=True)
class Motion:
    """Where the pixels of a view come from in the view of an earlier frame, which is called the one before.

    Attributes:
        places: Columns and rows in the view before. [S, S, 2]
        known: How sure that is, 0..1. [S, S]
    """

    places: F32
    known: F32

    def moved(self, field: F32) -> F32:
        """What was known of the view before, where it has moved to. [S, S, 3] both"""
        return _at(field, self.places)

    def mixed(self, field: F32, other: F32, share: float) -> F32:
        """A field with a share of another, less where the motion is not known. [S, S, 3] all"""
        return np.asarray(field + (share * self.known)[..., None] * (other - field), np.float32)

    def points(self, points: F32) -> F32:
        """Points of the view before where they have moved to, in pixels of the view. [N, 2] both

        Those outside move as the view's border does.
        """
        moved = points
        for _ in range(_STEPS):  # a flow tells where pixels come from, not where they go
            inside = np.clip(moved, 0, len(self.known) - 1)
            moved = points + inside - _at(self.places, inside[:, None])[:, 0]
        return moved

    def picture_points(self, points: F32, square: Square) -> F32:
        """Points of the picture where they have moved to, by the motion of a square's view. [N, 2] both"""
        to_picture = square.to_picture(len(self.known))
        return out_of_view(self.points(into_view(points, to_picture)), to_picture)

    def calm_turn(self, before: F32, now: F32, square: Square) -> float | None:
        """How far a face has turned in the picture, if it moved so little that nobody need look at it anew.

        Args:
            before: Points of a face in the picture. [N, 2]
            now: Where they have moved to. [N, 2]
            square: Whose view the motion is of.

        Returns:
            Radians, clockwise on the screen; None where it moved further, or changed, or may have.
        """
        places = into_view(now, square.to_picture(len(self.known)))
        known, way = _at(self.known, places[:, None]).mean(), np.linalg.norm(now - before, axis=1).mean()
        turn, rest = turn_and_rest(before, now)
        calm = known >= _CALM_KNOWN and way <= _CALM_WAY * square.side and rest <= _CALM_FORM
        return turn if calm else None


def grey_view(picture: U8, square: Square) -> U8:
    """A square of a picture [H, W, 3] as motion is measured in it."""
    import cv2

    (x, y), (rows, columns) = square.part_of((picture.shape[0], picture.shape[1]))
    grey = cv2.cvtColor(picture[y : y + rows, x : x + columns], cv2.COLOR_RGB2GRAY)
    to_part = square.to_picture(_FLOW_PX) - [[0, 0, x], [0, 0, y]]
    return np.asarray(upright_view(grey, to_part, _FLOW_PX, most_finer=2))


def motion_of(before: U8, now: U8, side_px: int) -> Motion:
    """The motion between two views of :func:`grey_view`, for fields of a side."""
    import cv2

    mean, spread = (float(value[0, 0]) for value in cv2.meanStdDev(before[_MIDDLE, _MIDDLE]))
    gain = min(_SPREAD / max(spread, 1e-6), _MOST_STRETCH)
    table = np.clip(128 + gain * (np.arange(256) - mean), 0, 255).astype(np.uint8)
    before, now = (cv2.LUT(view, table) for view in (before, now))
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(now, before, None)
    again = cv2.remap(before, flow + _grid(_FLOW_PX), None, cv2.INTER_LINEAR)
    off = cv2.GaussianBlur(cv2.absdiff(again, now).astype(np.float32), (0, 0), 2)
    sure, unsure = _SURE_OFF
    known = np.clip((unsure - off) / (unsure - sure), 0, 1)
    large, known = (cv2.resize(part, (side_px, side_px)) for part in (flow, known))  # linear
    large *= side_px / _FLOW_PX
    return Motion(large + _grid(side_px), known)


def turn_and_rest(before: F32, now: F32) -> tuple[float, float]:
    """How points have turned, and what is left of their motion beside shift, turn and scale. [N, 2] both

    Returns:
        Radians, clockwise where y goes down; and the mean of the rest, in parts of the points' size.
    """
    a, b = (points[:, 0] + 1j * points[:, 1] for points in (before, now))
    a, b = a - a.mean(), b - b.mean()
    turned = np.vdot(a, b) / max(float(np.vdot(a, a).real), 1e-12)
    size = max(float(np.ptp(before, axis=0).max()), 1e-6)
    return float(np.angle(turned)), float(np.abs(b - turned * a).mean() / size)


def _at(field: F32, places: F32) -> F32:
    """A field between its pixels, at columns and rows [..., 2], repeated beyond them."""
    import cv2

    found = cv2.remap(field, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)


@cache
def _grid(side_px: int) -> F32:
    """Columns and rows of the pixels of a field. [S, S, 2]"""
    steps = np.arange(side_px, dtype=np.float32)
    return np.stack(np.meshgrid(steps, steps), axis=-1)
