"""What surrounds a face that was cut out: one colour, where pictures have a neck, ears, hair and a room."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F32, U8, Bools
from fnormal.geometry.images import near_color

_SAME = 0.04  # colours that differ by less are one, in a view whose colours differ by 1
_EDGE, _EDGE_SAME = 3 / 256, 0.15  # so near to it, of the side, by less than this: JPEG's work
_CONTRAST_PCT, _STEP = 99, 4  # of each so many pixels of a view differ by less than its contrast
_SPECK_PX = 3  # what is narrower than this belongs to the surroundings
_RIM = 4 / 256  # of the side: further inside nothing is empty, as the dark half of a face before black is not
_BORDER = (0.5, 0.6)  # share of one colour on a view's border: from here it is another, from there all of it
_HEAD = (1.35, 1.65)  # faces' areas: what was cut out is no more than a face up to here, a head from there
_BLUR = 12 / 256  # of the side: how far the colours that go on are mixed
_COARSE = 4  # times the pixels of what is blurred, which nobody sees


def surrounded(view: F32, face: Bools | None = None) -> F32:
    """A view, whose surroundings go on in the colours of the face's edge if they are of one colour.

    A network that knows photos takes the edge of a face that was cut out for its outline. Heads before an
    even backdrop, whose edge is their outline, stay as they are where the face is known.

    Args:
        view: What a network is to see, in [0, 1]. [S, S, 3]
        face: Where the face is, if that is known. [S, S]
    """
    import cv2

    border = np.concatenate([view[0], view[-1], view[:, 0], view[:, -1]])
    color = np.median(border, axis=0)
    contrast = float(np.percentile(abs(view[::_STEP, ::_STEP] - color), _CONTRAST_PCT))
    share = (abs(border - color).max(axis=1) < _SAME * contrast).mean()
    changed = np.interp(share, _BORDER, (0, 1))
    empty = _empty(view, color, contrast) if changed else None
    if empty is None or empty.all():
        return view
    whole = _without_hollows(~empty if face is None else ~empty | face)
    if face is not None and face.any():
        changed *= np.interp(whole.sum() / face.sum(), _HEAD, (1, 0))
    if changed == 0:
        return view
    empty = _but_inside(empty, whole)
    if empty.all() or not empty.any():
        return view
    going_on = cv2.addWeighted(view, 1 - changed, _gone_on(view, empty), changed, 0)
    return np.asarray(cv2.copyTo(going_on, empty.view(np.uint8), view.copy()), np.float32)


def _empty(view: F32, color: F32, contrast: float) -> Bools:
    """Where a view has a colour, from its border to all else. [S, S]"""
    import cv2

    flat = cv2.morphologyEx(near_color(view, color, _SAME * contrast), cv2.MORPH_CLOSE, _square(_SPECK_PX))
    beside = cv2.dilate(_from_border(flat), _square(1 + 2 * round(_EDGE * len(view))))
    return _from_border(flat | (beside & near_color(view, color, _EDGE_SAME * contrast))) > 0


def _without_hollows(inside: Bools) -> U8:
    """1 in the convex hull of what is True somewhere. [S, S] both"""
    import cv2

    hull = np.zeros(inside.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(cv2.findNonZero(inside.view(np.uint8))), 1)
    return hull


def _but_inside(empty: Bools, whole: U8) -> Bools:
    """What is empty and not deep inside of a whole, with the mixed pixels beside it. [S, S] all"""
    import cv2

    deep = cv2.erode(whole, _square(1 + 2 * round(_RIM * len(whole)))) > 0
    return np.asarray(cv2.dilate((empty & ~deep).view(np.uint8), _square(3)) > 0)


def _from_border(flat: U8) -> U8:
    """The parts of what is 255 that reach the border. [S, S] both"""
    import cv2

    around = cv2.copyMakeBorder(flat, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(255,))
    cv2.floodFill(around, None, (0, 0), (1,))
    return np.where(around[1:-1, 1:-1] == 1, np.uint8(255), np.uint8(0))


def _gone_on(view: F32, empty: Bools) -> F32:
    """In every pixel the colour of the nearest that is not empty, blurred. [S, S, 3]"""
    import cv2

    _, nearest = cv2.distanceTransformWithLabels(
        empty.view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colors = np.zeros((int(nearest.max()) + 1, 3), np.float32)
    colors[nearest[~empty]] = view[~empty]
    small = cv2.resize(colors[nearest], None, fx=1 / _COARSE, fy=1 / _COARSE, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), _BLUR * len(view) / _COARSE)
    return np.asarray(cv2.resize(small, view.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _square(side_px: int) -> U8:
    return np.ones((side_px, side_px), np.uint8)
