"""Albedo that was read off photos, with what is left of their light in it made weaker."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F32, U8, Array, Bools
from fnormal.geometry.images import srgb_to_linear

_SIDE_PX = 28  # of a face in which its light is looked for, about
_FEATURE = 0.3  # what differs more than this from its surroundings, in natural logarithms, is no light
_NARROW, _WIDE = 0.06, 0.24  # of the face's side: the finest light there is, and where features stand close
_WIDE_SPREAD = 0.08  # of real skin's albedo, where it changes slowly, in logarithms; more of it is light
_FINE_SPREAD = 0.12  # and where it changes quickly; more is highlights and shadows
_HIGHLIGHTS = 1.5  # times as much as what is darker than its surroundings
_KEPT = (slice(36, 42), slice(42, 48), slice(48, 60))  # eyes and mouth have whites, and teeth
_CODES = srgb_to_linear(np.arange(256, dtype=np.float32) / np.float32(255))
_LOG: F32 = np.log(np.maximum(_CODES, 0.003)).astype(np.float32)  # of each code
_GAMMA = 1 / 2.2  # what a factor of the light does to codes, nearly


def evened(albedo: U8, mask: Bools, landmarks: F32, amount: float) -> U8:
    """Albedo of skin that differs no more than real skin does: most of the rest is light. [H, W, 3]

    Brows, lips and beards differ too much from what is around them to be taken for light; what a scan
    measured stays nearly as it is.

    Args:
        albedo: sRGB. [H, W, 3]
        mask: Skin. [H, W]
        landmarks: The 68 points in pixels. [68, 2]
        amount: How much of that is done, 0 to 1.
    """
    import cv2

    side_px = float(np.ptp(landmarks, axis=0).max())
    step = max(1, round(side_px / _SIDE_PX))
    size = (mask.shape[1] // step, mask.shape[0] // step)
    small = _LOG[cv2.resize(albedo, size, interpolation=cv2.INTER_AREA)]
    skin = (cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.99).astype(np.float32)
    if side_px < _SIDE_PX / 2 or not skin.any():
        return albedo
    light = _light(small, skin, side_px / step)
    rest = (small - light).mean(axis=-1)
    light = light - np.median(light[skin > 0], axis=0)
    fine = _excess(rest[skin > 0], _FINE_SPREAD)
    fine_here = np.where(rest > 0, min(_HIGHLIGHTS * fine, 1), fine).astype(np.float32)
    for part in _KEPT:
        cv2.fillConvexPoly(fine_here, cv2.convexHull(np.rint(landmarks[part] / step).astype(np.int32)), 0)
    change = _excess(light[skin > 0], _WIDE_SPREAD) * light + (fine_here * rest)[..., None]
    gain = np.exp(-amount * _GAMMA * change * skin[..., None]).astype(np.float32)
    gain = cv2.resize(gain, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
    out = np.rint(np.clip(albedo * gain, 0, 255))
    return np.where(mask[..., None], out, albedo).astype(np.uint8)


def _excess(values: Array, usual: float) -> float:
    """The share of values around 0 by which they differ more than is usual."""
    spread = 1.48 * float(np.median(np.abs(values)))  # a normal distribution's standard deviation
    return max(1 - usual / max(spread, 1e-6), 0)


def _light(logs: F32, skin: F32, side_px: float) -> Array:
    """What plain skin looks like around each pixel, in logarithms. [h, w, 3]"""
    light = _around(logs, skin, _WIDE * side_px)[0]
    for sigma in (2 * _NARROW, _NARROW, _NARROW):
        far = (logs - light).mean(axis=-1)
        weight = skin / (1 + (far / _FEATURE) ** 4)
        wide, _ = _around(logs, weight, _WIDE * side_px)
        near, known = _around(logs, weight, sigma * side_px)
        share = np.clip(known / 0.15, 0, 1)[..., None]
        light = share * near + (1 - share) * wide
    return light


def _around(logs: F32, weight: F32, sigma_px: float) -> tuple[Array, Array]:
    """Weighted mean around each pixel [h, w, 3], and how much weight there is. [h, w]"""
    import cv2

    known = cv2.GaussianBlur(weight, (0, 0), sigma_px)
    total = cv2.GaussianBlur(logs * weight[..., None], (0, 0), sigma_px)
    return total / np.maximum(known, 1e-3)[..., None], known
