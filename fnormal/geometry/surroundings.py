"""What surrounds a face that was cut out: one colour, where pictures have a neck, ears, hair and a room."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F32, U8, Bools

_SAME = 0.03  # colours that differ by less are one
_EDGE, _EDGE_SAME = 3 / 256, 0.1  # so near to it, of the side, by less than this: what JPEG leaves at an edge
_SPECK_PX = 3  # what is narrower than this belongs to the surroundings
_RIM = 4 / 256  # of the side: further inside nothing is empty, as the dark half of a face before black is not
_BORDER_SHARE = 0.5  # of a view's border has one colour where a face was cut out
_BLUR = 12 / 256  # of the side: how far the colours that go on are mixed


def surrounded(view: F32, face: Bools | None = None) -> F32:
    """A view, whose surroundings go on in the colours of the face's edge if they are of one colour.

    A network that knows photos takes the edge of a face that was cut out for its outline. Whole heads before
    an even backdrop are answered as well with such surroundings as with their own.

    Args:
        view: What a network is to see, in [0, 1]. [S, S, 3]
        face: Where the face is, if that is known. [S, S]
    """
    import cv2

    empty = _empty(view, face)
    if empty is None:
        return view
    _, nearest = cv2.distanceTransformWithLabels(
        empty.view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colors = np.zeros((int(nearest.max()) + 1, 3), np.float32)
    colors[nearest[~empty]] = view[~empty]
    going_on = cv2.GaussianBlur(colors[nearest], (0, 0), _BLUR * len(view))
    return np.where(empty[..., None], going_on, view)


def _empty(view: F32, face: Bools | None) -> Bools | None:
    """Where a view has the colour of its border, around all else; None where that is not one. [S, S]"""
    import cv2

    border = np.concatenate([view[0], view[-1], view[:, 0], view[:, -1]])
    color = np.median(border, axis=0)
    if (abs(border - color).max(axis=1) < _SAME).mean() < _BORDER_SHARE:
        return None
    off = abs(view - color).max(axis=2)
    flat = cv2.morphologyEx((off < _SAME).view(np.uint8), cv2.MORPH_CLOSE, _square(_SPECK_PX))
    beside = cv2.dilate(_from_border(flat), _square(1 + 2 * round(_EDGE * len(view))))
    empty = _from_border(flat | (beside & (off < _EDGE_SAME))).view(bool)
    inside = ~empty if face is None else ~empty | face
    if empty.all() or not inside.any():
        return None
    deep = np.zeros(empty.shape, np.uint8)
    cv2.fillConvexPoly(deep, cv2.convexHull(np.argwhere(inside)[:, ::-1].astype(np.int32)), 1)
    return empty & (cv2.erode(deep, _square(1 + 2 * round(_RIM * len(view)))) == 0)


def _from_border(flat: U8) -> U8:
    """The parts of what is not 0 that reach the border. [S, S] both"""
    import cv2

    _, parts = cv2.connectedComponents(flat)
    outer = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    return np.isin(parts, outer[outer > 0]).view(np.uint8)


def _square(side_px: int) -> U8:
    return np.ones((side_px, side_px), np.uint8)
