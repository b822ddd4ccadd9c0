"""Photometric stereo: normals from photos of one pose under several known lights."""

from __future__ import annotations

import itertools

import numpy as np

from fnormal.arrays import F32, Bools
from fnormal.geometry.normals import unit

_SHADOW = 0.12  # of a pixel's brightest photo: what is darker lies in shadow and says nothing of its slope
_DARK = 0.02  # a pixel that no photo shows brighter has no normal
_BURNT = 0.99  # the sensor's end: brighter than it says
_MISFIT = 0.05  # share of the brightness from which one photo shows a highlight or a cast shadow,
_NOISES = 5.0  # if it is also so many times the usual misfit, which is noise


def directions(zenith_deg: F32, azimuth_deg: F32) -> F32:
    """Unit vectors toward lights [L, 3]: zenith from the viewer's direction, azimuth from x toward y."""
    zenith, azimuth = np.radians(zenith_deg), np.radians(azimuth_deg)
    x, y = np.sin(zenith) * np.cos(azimuth), np.sin(zenith) * np.sin(azimuth)
    return np.stack([x, y, np.cos(zenith)], axis=-1).astype(np.float32)


def photometric_stereo(photos: F32, lights: F32, *, linear: bool = True) -> tuple[F32, F32, Bools]:
    """Normals and albedo of a Lambertian surface, robust to shadows and highlights.

    Each pixel is solved by least squares over the photos that can be believed there: neither in shadow
    nor burnt out. Where they do not fit one normal, one of them is left out: the one without which the
    albedo is nearest to what most of the surface has, for a highlight makes it too bright and a cast
    shadow too dark.

    Args:
        photos: Grey values in 0..1. [L, H, W], L of 3 or more
        lights: Unit vectors toward the lights, camera frame. [L, 3]
        linear: Whether the values are linear light; else they go through the sRGB curve first.

    Returns:
        Unit normals [H, W, 3], camera frame, 0 where unknown; albedo [H, W]; where they are known [H, W].
    """
    from fnormal.geometry.images import srgb_to_linear

    values = np.asarray(photos, np.float32)
    burnt = values >= _BURNT
    if not linear:
        values = srgb_to_linear(values)
    count, height, width = values.shape
    flat = values.reshape(count, -1)
    brightest = flat.max(axis=0)
    believed = (flat > _SHADOW * brightest) & ~burnt.reshape(count, -1) & (brightest > _DARK)
    scaled = _solve(flat, lights, believed)
    misfit = np.where(believed, np.abs(lights @ scaled.T - flat), 0).max(axis=0)
    tested = believed.sum(axis=0) > 3  # three photos always fit
    noise = float(np.median(misfit[tested])) if tested.any() else 0.0
    torn = tested & (misfit > np.maximum(_MISFIT * brightest, _NOISES * noise))
    usual = np.linalg.norm(scaled[tested & ~torn], axis=1)
    if torn.any() and len(usual):
        scaled[torn] = _leave_one_out(flat[:, torn], lights, believed[:, torn], float(np.median(usual)))
    known = (believed.sum(axis=0) >= 3) & (scaled[:, 2] > 0)
    normals = unit(scaled) * known[:, None]
    albedo = np.linalg.norm(scaled, axis=1) * known
    shape = (height, width)
    return (
        normals.reshape(*shape, 3).astype(np.float32),
        albedo.reshape(shape).astype(np.float32),
        known.reshape(shape),
    )


def _leave_one_out(flat: F32, lights: F32, believed: Bools, albedo: float) -> F32:
    """The solution without one photo whose albedo is nearest to ``albedo``, at each pixel. [P, 3]"""
    solutions = []
    for i in range(len(lights)):
        without = believed.copy()
        without[i] = False
        solutions.append(_solve(flat, lights, without))
    candidates = np.stack(solutions)
    length = np.linalg.norm(candidates, axis=-1)
    away = np.where(length > 0, np.abs(np.log(np.maximum(length, 1e-6) / albedo)), np.inf)
    return np.asarray(candidates[away.argmin(axis=0), np.arange(flat.shape[1])], np.float32)


def _solve(flat: F32, lights: F32, believed: Bools) -> F32:
    """Albedo times normal [P, 3] by least squares, one solve for each choice of at least three photos."""
    out = np.zeros((flat.shape[1], 3), np.float32)
    code = believed.T @ (1 << np.arange(len(lights)))
    for size in range(3, len(lights) + 1):
        for choice in itertools.combinations(range(len(lights)), size):
            rows = list(choice)
            here = code == sum(1 << i for i in rows)
            if here.any():
                out[here] = (np.linalg.pinv(lights[rows]) @ flat[rows][:, here]).T
    return out
