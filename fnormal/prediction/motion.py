"""How a face moves from one frame of a video to the next, and what moves along with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fnormal.arrays import F32, U8, Array
from fnormal.faces.crop import into_view, out_of_view, upright_view
from fnormal.prediction.frames import Square

_FLOW_PX = 128  # side of the view in which motion is measured
_STEPS = 3  # toward where a point goes; each makes the error smaller by the flow's slope
_SPREAD = 55.0  # of a view's grey levels, to which views are stretched
_MOST_STRETCH = 30.0  # beyond, there is hardly a picture
_SURE_OFF = (6.0, 18.0)  # such levels between a view and the one before, moved: surely the same, surely not
_CALM_KNOWN = 0.9  # of a face's motion, at least, where it may stand for a look at the face
_CALM_WAY = 0.04  # of the view's side that a face moves at most
_CALM_FORM = 0.002  # of a face's size by which its form changes at most


@dataclass(frozen=True)
class Motion:
    """Where the pixels of a view come from in the view of the frame before.

    Attributes:
        columns: Of the view before. [S, S]
        rows: Of the view before. [S, S]
        known: How sure that is, 0..1. [S, S]
    """

    columns: F32
    rows: F32
    known: F32

    def moved(self, field: F32) -> F32:
        """What was known of the view before, where it has moved to. [S, S, 3] both"""
        return _at(field, self.columns, self.rows)

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
            x, y = np.ascontiguousarray(inside.T)
            came = np.stack([_at(places, x, y).ravel() for places in (self.columns, self.rows)], axis=1)
            moved = points + inside - came
        return moved

    def picture_points(self, points: F32, square: Square) -> F32:
        """Points of the picture where they have moved to, by the motion of a square's view. [N, 2] both"""
        to_picture = square.to_picture(len(self.known))
        return out_of_view(self.points(into_view(points, to_picture)), to_picture)

    def is_calm(self, before: F32, now: F32, square: Square) -> bool:
        """Whether the face of these points moved so little, and so surely, that nobody need look at it anew.

        Args:
            before: Points of a face in the picture. [N, 2]
            now: Where they have moved to. [N, 2]
            square: Whose view the motion is of.
        """
        x, y = np.ascontiguousarray(into_view(now, square.to_picture(len(self.known))).T)
        known, way = _at(self.known, x, y).mean(), np.linalg.norm(now - before, axis=1).mean()
        return bool(
            known >= _CALM_KNOWN
            and way <= _CALM_WAY * square.side
            and change_of_form(before, now) <= _CALM_FORM
        )


def grey_view(picture: U8, square: Square) -> U8:
    """A square of a picture [H, W, 3] as motion is measured in it."""
    import cv2

    view = upright_view(picture, square.to_picture(_FLOW_PX), _FLOW_PX)
    return np.asarray(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY))


def motion_of(before: U8, now: U8, side_px: int) -> Motion:
    """The motion between two views of :func:`grey_view`, for fields of a side."""
    import cv2

    gain = min(_SPREAD / max(float(before.std()), 1e-6), _MOST_STRETCH)
    table = np.clip(128 + gain * (np.arange(256) - before.mean()), 0, 255).astype(np.uint8)
    before, now = (cv2.LUT(view, table) for view in (before, now))
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(now, before, None)
    size = (side_px, side_px)
    large = cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR) * np.float32(side_px / _FLOW_PX)
    again = cv2.remap(before, *_places(flow), cv2.INTER_LINEAR)
    off = cv2.GaussianBlur(cv2.absdiff(again, now).astype(np.float32), (0, 0), 2)
    sure, unsure = _SURE_OFF
    known = np.clip((unsure - off) / (unsure - sure), 0, 1)
    return Motion(*_places(large), np.asarray(cv2.resize(known, size, interpolation=cv2.INTER_LINEAR)))


def change_of_form(before: F32, now: F32) -> float:
    """What is left of points' motion beside shift, turn and scale, in parts of their size. [N, 2] both"""
    a, b = (points[:, 0] + 1j * points[:, 1] for points in (before, now))
    a, b = a - a.mean(), b - b.mean()
    turned = np.vdot(a, b) / max(float(np.vdot(a, a).real), 1e-12)
    return float(np.abs(b - turned * a).mean() / max(float(np.ptp(before, axis=0).max()), 1e-6))


def _at(field: F32, columns: F32, rows: F32) -> F32:
    """A field between its pixels, repeated beyond them."""
    import cv2

    found = cv2.remap(field, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)


def _places(flow: Array) -> tuple[F32, F32]:
    """Columns and rows [S, S] that pixels come from along a flow [S, S, 2]."""
    steps = np.arange(flow.shape[0], dtype=np.float32)
    return flow[..., 0] + steps, flow[..., 1] + steps[:, None]
