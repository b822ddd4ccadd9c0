"""The light of a view: its haze, its colour cast and its exposure, taken out for the network."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from fnormal.arrays import F32, Bools

Sliced = TypeVar("Sliced", bound=Any)  # an array, or a tensor of torch

PCT = (2.0, 97.0)  # of a face's pixels are darker than its dark and its light, in each colour
DARK = np.float32(0.04)  # what the dark becomes
LIGHT = np.array([0.9, 0.8, 0.75], np.float32)  # and the light
MOST_GAIN = 30.0  # beyond, bytes hold hardly a picture
MOST_CAST = 5.0  # a colour is strengthened so many times as much as another
WHITE = 0.99  # and brighter is burnt out, where no curve brings anything back
BURNT = (0.03, 0.06)  # of a face: up to here it is levelled, from there left as it is
RIM = 0.2  # of the side: what is not a view's middle
SIDE_PX = 64  # of the view as it is measured, about: some of its rows and columns


def levelled(view: F32, face: Bools | None = None) -> F32:
    """A view with the dark, the light and the colours that faces have on the mean. [S, S, 3] both, in [0, 1]

    Whatever was added to a colour, or by what it was multiplied, the result is the same. A face that is burnt
    out is better left alone.

    Args:
        view: What a network is to see.
        face: Where the face is, whose pixels are measured; None for the middle of the view. [S, S]
    """
    import cv2

    pixels = _measured(view, face)
    kept = np.float32(np.interp((pixels >= WHITE).any(axis=1).mean(), BURNT, (0, 1)))
    dark, light = np.percentile(pixels, PCT, axis=0).astype(np.float32)
    gain = np.minimum((LIGHT - DARK) / np.maximum(light - dark, 1e-6), MOST_GAIN)
    gain = np.minimum(gain, MOST_CAST * gain.min())
    level = cv2.transform(view, np.column_stack([np.diag(gain), DARK - dark * gain]))
    level = np.clip(level, 0, 1, out=level)
    return np.asarray(level if kept == 0 else (1 - kept) * level + kept * view, np.float32)


def middle_of(view: Sliced) -> Sliced:
    """Some of the pixels in the middle of a view. [S, S, ...] to [T, T, ...]"""
    step, rim = _step(len(view)), round(RIM * len(view))
    inner = slice(rim, len(view) - rim, step)
    middle: Sliced = view[inner, inner]
    return middle


def _measured(view: F32, face: Bools | None) -> F32:
    """Some of the pixels of a face, or of the middle of a view. [N, 3]"""
    step = _step(len(view))
    if face is not None:
        pixels = view[::step, ::step][face[::step, ::step]]
        if len(pixels):
            return pixels
    return middle_of(view).reshape(-1, 3)


def _step(side_px: int) -> int:
    return max(1, side_px // SIDE_PX)
