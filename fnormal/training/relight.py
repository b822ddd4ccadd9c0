"""A stored view under another light every time it is read, with fine relief in its shading and its truth.

Sets for this keep albedo and depth (``render-dataset --keep-albedo``). A light at 205 px costs 13 ms of a
core, a third of a step of the ``lite`` network at 128 px, and no two epochs show a head in the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fnormal.arrays import F32, F64, U8, Bools
from fnormal.datasets.sample import Pair
from fnormal.geometry.images import resize_image
from fnormal.render.environment import EnvironmentMap, evaluate, random_environment
from fnormal.render.lighting import random_backdrop
from fnormal.render.relight import Lamps, displaced, over_backdrop, relit, to_codes, whole_scene

_ALONE_SHARE = 0.35  # of the samples: one hard lamp and nearly nothing else
_NEAR_SHARE = 0.3  # of the lamps
_SUNNY_SHARE = 0.35  # of the samples under a panorama that has a sun: it alone is the lamp, as hard as it is
_SUN_RADIUS_RAD = 0.01  # what the sun fills of the sky
_RELIEF_SHARE = 0.7  # of the samples
_RELIEF_SLOPE = 0.10  # largest rms slope of made-up relief
_DEEP_SLOPE = 0.25  # largest rms slope of relief read off the albedo: dark is deep
_DEEP_SIGMA = 0.008  # of the picture's side: only what is finer than this is taken for relief


def relight(pair: Pair, rng: np.random.Generator, maps: Sequence[EnvironmentMap] = ()) -> Pair:
    """The pair in new light; it comes back without albedo and depth.

    Args:
        pair: With albedo and depth.
        rng: The sample's own generator.
        maps: Panoramas to take the surroundings from; without, they are made up.
    """
    assert pair.albedo is not None, "the caller looked"
    assert pair.depth is not None, "they come together"
    normals, depth = pair.normals.astype(np.float32), pair.depth.astype(np.float32)
    shaded, scene = whole_scene(normals, depth, pair.mask)
    if rng.random() < _RELIEF_SHARE:
        height = _relief(pair.albedo, pair.mask, rng, deep=scene is pair.mask)
        normals = displaced(normals, height) * pair.mask[..., None]
        shaded = np.where(pair.mask[..., None], normals, shaded)
    lamps = random_lamps(rng, pair.mask.shape[0], maps)
    light = relit(pair.albedo, shaded, depth, scene, lamps)
    image = _exposed(light, scene, rng)
    image = over_backdrop(image, scene, _backdrop(rng, pair.mask.shape[0]))
    return replace(pair, image=image, normals=normals.astype(np.float16), albedo=None, depth=None)


def random_lamps(rng: np.random.Generator, side_px: int, maps: Sequence[EnvironmentMap]) -> Lamps:
    """Up to three lamps, near or far, small or large, and surroundings; or a panorama with its sun."""
    chosen = maps[int(rng.integers(len(maps)))] if maps and rng.random() < 0.8 else None
    turn_rad = rng.uniform(0, 2 * np.pi)
    sunny = chosen.sun_and_sky(turn_rad) if chosen and rng.random() < _SUNNY_SHARE else None
    if sunny is not None and sunny[0][2] > 0:
        toward, sun_rgb, sky = sunny
        return _lamps(rng, np.array([[*toward, 0.0]]), sun_rgb[None], sky, np.array([_SUN_RADIUS_RAD]))
    alone = rng.random() < _ALONE_SHARE
    count = 1 if alone else int(rng.integers(0, 4))
    toward = rng.normal(size=(count, 3))
    toward[:, 2] = np.abs(toward[:, 2])
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    at = np.concatenate([toward, np.zeros((count, 1))], axis=1)
    for lamp in at:
        if rng.random() < _NEAR_SHARE:
            lamp[:3] *= side_px * rng.uniform(1.0, 3.0)
            lamp[3] = 1
    share = np.sort(rng.dirichlet(np.full(max(count, 1), 0.7)))[::-1][:count, None]
    hard = 1.0 if alone else rng.uniform(0.1, 1.0)
    rgb = hard * share * (1 + rng.uniform(-0.2, 0.2, (count, 3)))
    around = random_environment(rng) if chosen is None else chosen.irradiance(turn_rad)
    soft = rng.uniform(0, 0.06) if alone else max(1 - hard, 0.02)
    if count == 0:
        soft = 1.0
    around = around * soft / max(float(around[0].mean()), 1e-6)
    return _lamps(rng, at, rgb, around, np.exp(rng.uniform(np.log(0.01), np.log(0.5), count)))


def _lamps(rng: np.random.Generator, at: F64, rgb: F64, around: F64, radius_rad: F64) -> Lamps:
    """Lamps [N, 4] and surroundings as bright as a picture is, on skin of some gloss."""
    views = np.array([[0, 0, 1], [0.6, 0, 0.8], [-0.6, 0, 0.8]])
    toward = at[:, :3] / np.linalg.norm(at[:, :3], axis=1, keepdims=True)
    level = (np.clip(views @ toward.T, 0, None) @ rgb + evaluate(views, around)).mean()
    level = max(float(level), 0.05)
    creep = rng.uniform(0, 0.3)
    return Lamps(
        at.astype(np.float32), (rgb / level).astype(np.float32), radius_rad.astype(np.float32),
        (around / level).astype(np.float32),
        specular=float(rng.uniform(0, 2.0)), roughness=float(rng.uniform(0.25, 0.6)),
        scatter=np.array([creep, 0.4 * creep, 0.25 * creep], np.float32),
        occlusion=float(rng.uniform(0, 1.5)),
    )  # fmt: skip


def _relief(albedo: U8, mask: Bools, rng: np.random.Generator, *, deep: bool) -> F32:
    """A height in pixels: pores and creases that are made up, and the albedo's own fine detail. [S, S]

    The latter not, unless ``deep``, where hair covers some: strands are no creases of the skin.
    """
    import cv2

    side = mask.shape[0]
    height: F32 = np.zeros(mask.shape, np.float32)
    if rng.random() < 0.6 and deep:
        grey = cv2.cvtColor(albedo, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
        known = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        fine = cv2.GaussianBlur(grey, (0, 0), 0.8) - cv2.GaussianBlur(grey, (0, 0), _DEEP_SIGMA * side)
        height += _of_slope(np.clip(fine, -0.06, 0.06), known, rng.uniform(0, _DEEP_SLOPE))
    for _ in range(int(rng.integers(0, 3))):
        noise = rng.standard_normal(mask.shape, np.float32)
        sigma = side * float(np.exp(rng.uniform(np.log(0.003), np.log(0.02))))
        stretch = float(rng.uniform(1, 4))  # creases: long one way
        noise = cv2.GaussianBlur(noise, (0, 0), sigma * stretch, sigmaY=sigma)
        turn = cv2.getRotationMatrix2D((side / 2, side / 2), float(rng.uniform(-50, 50)), 1.0)
        noise = cv2.warpAffine(noise, turn, (side, side), borderMode=cv2.BORDER_REFLECT_101)
        where = cv2.GaussianBlur(rng.standard_normal(mask.shape, np.float32), (0, 0), 0.06 * side)
        where = 1 / (1 + np.exp(-2 * where / max(float(where.std()), 1e-6)))
        height += _of_slope(noise * where, mask, rng.uniform(0, _RELIEF_SLOPE))
    return height


def _of_slope(height: F32, mask: Bools, slope: float) -> F32:
    """A height scaled so that its slope inside the mask has this root mean square."""
    down, right = (np.asarray(part) for part in np.gradient(height))
    rms = float(np.sqrt((down[mask] ** 2 + right[mask] ** 2).mean())) if mask.any() else 0.0
    return np.asarray(height * (slope / rms) if rms > 1e-9 else 0 * height, np.float32)


def _exposed(light: F32, mask: Bools, rng: np.random.Generator) -> U8:
    """Through a camera: from two stops under to burnt out, with a cast."""
    some = light[mask][::17].max(axis=-1)
    bright = float(np.percentile(some, 90)) if some.size else 1.0
    cast = np.exp(rng.normal(0, 0.1, 3))
    gain = 2.0 ** rng.uniform(-2.0, 0.5) * cast / cast.mean() / max(bright, 0.02)
    return to_codes(light * gain.astype(np.float32))


def _backdrop(rng: np.random.Generator, side_px: int) -> U8:
    """Something out of focus behind the head, more often dull than colourful. [S, S, 3]"""
    small = random_backdrop(rng, (side_px + 1) // 2).astype(np.float32)
    grey = small.mean(axis=2, keepdims=True)
    dull = grey + np.float32(rng.random() ** 2) * (small - grey)
    return resize_image(np.rint(dull).astype(np.uint8), side_px)
