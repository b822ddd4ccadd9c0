"""Where a forehead ends: at hair, hats and the background, told from skin by colour."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F32, U8, Array, Bools
from fnormal.faces.crop import ENOUGH_FINER, square_matrix, upright_view
from fnormal.faces.masks import Outline, face_mask, moved_outline, seen_mask, with_forehead
from fnormal.geometry.images import as_bytes
from fnormal.geometry.plain_border import without_bars

_SIDE_PX = 144  # at which colours are told apart: hair is no finer than that in a mask
_AROUND = 1.5  # side of what is looked at / larger side of the face with its forehead
_ROUNDS = 2  # four give the same foreheads, to 0.05 % of their pixels
_UNDER_PX = 12  # rows under the nose that are looked at: what lies lower says little of foreheads
_BROW_PX, _EYE_PX = 9, 7  # around brows, eyes: dark, and in the face all the same
_SMOOTH_PX, _NARROW_PX = 2.2, 9
_LEAST_SPREAD = np.array([18.0, 4.0, 4.0], np.float32)  # of Lab in bytes
_ALIKE = 6.0  # squared distance in spreads
_EYES = (slice(36, 42), slice(42, 48))
_BROWS = (slice(17, 22), slice(22, 27))
_NOSE_BRIDGE, _NOSE_BASE = 27, 33


def to_the_hairline(picture: Array) -> Outline:
    """The outline of a face of a picture [H, W, 3]: the hull, and of the forehead over it what is skin.

    Colours of the cheeks and the nose are skin's, those far around the head are not; a cut through the
    fewest alike neighbours parts what lies between (GrabCut: Rother, Kolmogorov, Blake 2004). Plain bars
    around the picture are left out.
    """
    content = without_bars(picture)
    if content.shape != picture.shape[:2]:
        return moved_outline(to_the_hairline(content.of(picture)), -content.left, -content.top)

    def outline(
        landmarks: F32, height_px: int, width_px: int, *, corner_px: tuple[int, int] = (0, 0)
    ) -> Bools:
        import cv2

        hull = seen_mask(landmarks, height_px, width_px, corner_px=corner_px)
        whole = face_mask(landmarks, height_px, width_px, corner_px=corner_px)
        points = with_forehead(landmarks)
        low, high = points.min(axis=0), points.max(axis=0)
        side = _AROUND * float((high - low).max())
        to_picture = square_matrix((low + high) / 2, side, 0.0, _SIDE_PX)
        view = as_bytes(upright_view(picture, to_picture, _SIDE_PX, most_finer=ENOUGH_FINER))
        skin = _skin(view, _inside(landmarks, to_picture))
        to_part = to_picture.copy()
        to_part[:, 2] -= corner_px
        share = cv2.warpAffine(skin, to_part, (width_px, height_px), flags=cv2.INTER_LINEAR)
        return np.asarray(hull | (whole & (share > 0.5)))

    return outline


def _inside(points: F32, to_picture: Array) -> F32:
    """Points of the picture [N, 2] in the square's pixels. [N, 2]"""
    return np.asarray((points - to_picture[:, 2]) / to_picture[0, 0], np.float32)


def _colored_as(view: U8, known: Bools) -> Bools:
    """Which pixels of a picture [S, S, 3] have the colours of some of them. [S, S]"""
    import cv2

    lab = cv2.cvtColor(view, cv2.COLOR_RGB2Lab).astype(np.float32)
    middle, spread = np.median(lab[known], axis=0), lab[known].std(axis=0)
    away = (lab - middle) / np.maximum(1.3 * spread, _LEAST_SPREAD)
    return np.asarray((away**2).sum(axis=-1) < _ALIKE)


def _skin(view: U8, points: F32) -> F32:
    """How much of each pixel is skin of the face or the forehead, 0..1. [S, S]"""
    import cv2
    from scipy.ndimage import binary_fill_holes

    hull = seen_mask(points, _SIDE_PX, _SIDE_PX)
    forehead = face_mask(points, _SIDE_PX, _SIDE_PX) & ~hull
    dark = np.zeros(hull.shape, np.uint8)
    for part in (*_EYES, *_BROWS):
        width = _BROW_PX if part in _BROWS else _EYE_PX
        cv2.polylines(dark, [np.rint(points[part]).astype(np.int32)], part in _EYES, 1, width)
    row = np.arange(_SIDE_PX)[:, None]
    cheeks = hull & (dark == 0) & (row > points[_NOSE_BRIDGE, 1]) & (row < points[_NOSE_BASE, 1])
    cheeks = cv2.erode(cheeks.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    label = np.full(hull.shape, cv2.GC_BGD, np.uint8)
    near = cv2.dilate((hull | forehead).astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
    label[near] = cv2.GC_PR_BGD
    label[hull | forehead] = cv2.GC_PR_FGD
    label[cheeks] = cv2.GC_FGD
    if not cheeks.any():
        return np.asarray(hull | forehead, np.float32)
    rows = slice(int(np.nonzero(cheeks.any(axis=1))[0][-1]) + 1 + _UNDER_PX)
    cv2.setRNGSeed(0)  # of its first clusters
    cv2.grabCut(view[rows, :, ::-1].copy(), label[rows], None, np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS,
                cv2.GC_INIT_WITH_MASK)  # fmt: skip
    # around a bald head there is skin too: what has the cheeks' colour stays, whatever the cut says
    kept = hull | (forehead & ((label == cv2.GC_PR_FGD) | _colored_as(view, cheeks)))
    # strands between hair and skin, and horns of hair that has skin's colour, are no forehead
    round_ = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_NARROW_PX, _NARROW_PX))
    kept = cv2.morphologyEx(kept.astype(np.uint8), cv2.MORPH_OPEN, round_)
    _, piece = cv2.connectedComponents(kept)
    held = np.bincount(piece[cheeks & (piece > 0)], minlength=2).argmax()
    kept = binary_fill_holes((piece == held) | hull)
    return np.asarray(cv2.GaussianBlur(kept.astype(np.float32), (0, 0), _SMOOTH_PX))
