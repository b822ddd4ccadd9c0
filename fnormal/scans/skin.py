"""Made-up skin for scans without a texture: tone, blotches, lips, brows and fine relief."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fnormal.arrays import F32, Array

# sRGB from light to dark, our own picks; a sampled tone lies between two neighbours
_TONES = np.array(
    [
        [0.96, 0.82, 0.74],
        [0.90, 0.72, 0.60],
        [0.82, 0.62, 0.48],
        [0.68, 0.48, 0.35],
        [0.50, 0.34, 0.24],
        [0.34, 0.23, 0.17],
    ]
)

_LID_SHAPE = np.array([0.9, 1.35, 0.6])  # lids are wider than high
_EYE_POINTS = (slice(36, 42), slice(42, 48))
_SCLERA_RGB = (0.85, 0.82, 0.80)
_IRIS_DEG, _PUPIL_DEG = 27.0, 11.0  # half angles, seen from the eyeball's centre


@dataclass(frozen=True)
class Features:
    """How much of each feature a vertex has, 0..1. [V] each."""

    lips: F32
    brows: F32
    beard: F32


def face_features(vertices: F32, landmarks: F32, unit_per_cm: float) -> Features:
    """Place lips, brows and beard on a neutral face by its 68 landmarks.

    Args:
        vertices: [V, 3]
        landmarks: [68, 3]
        unit_per_cm: Mesh units in a centimetre.
    """
    from scipy.special import expit

    cm = unit_per_cm
    inner = landmarks[[60, 61, 62, 63, 64, 65, 66, 67, 60]]
    outer = landmarks[[48, 50, 51, 52, 54, 56, 57, 58, 48]]
    lips = np.exp(-((_distance(vertices, np.asarray((inner + outer) / 2, np.float32)) / (0.42 * cm)) ** 4))
    brows = np.exp(
        -(np.minimum(_distance(vertices, landmarks[17:22]), _distance(vertices, landmarks[22:27]))
          / (0.38 * cm)) ** 2
    )  # fmt: skip
    nose_y = landmarks[33, 1]
    below = expit((nose_y - 0.3 * cm - vertices[:, 1]) / (0.25 * cm))
    above_neck = expit((vertices[:, 1] - landmarks[8, 1] + 1.5 * cm) / (0.5 * cm))
    beard = below * above_neck * (1 - lips) * (vertices[:, 2] > landmarks[[0, 16], 2].mean())
    return Features(*(np.asarray(x, np.float32) for x in (lips, brows, beard)))


def _distance(points: F32, line: F32) -> Array:
    """Distance of points [V, 3] to a polyline [K, 3], sampled finely enough for paint. [V]"""
    from scipy.spatial import cKDTree

    steps = np.linspace(0, 1, 12)[:, None, None]
    dense = (line[:-1] * (1 - steps) + line[1:] * steps).reshape(-1, 3)
    distance: Array = cKDTree(dense).query(points)[0]
    return distance


def _waves(points: F32, rng: np.random.Generator, count: int, lengths: tuple[float, float]) -> Array:
    """A smooth random field of unit variance: plane waves with log-uniform wavelengths. [V]"""
    wavelength = np.exp(rng.uniform(math.log(lengths[0]), math.log(lengths[1]), count))
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    wave = (2 * np.pi / wavelength[:, None]) * direction
    phase = rng.uniform(0, 2 * np.pi, count).astype(np.float32)
    field: Array = np.sin(points @ wave.T.astype(np.float32) + phase)
    total: Array = field.sum(axis=1) * np.sqrt(2 / count)
    return total


def paint(vertices: F32, features: Features, rng: np.random.Generator, unit_per_cm: float) -> F32:
    """Skin colours, sRGB in 0..1. [V, 3]"""
    at = rng.uniform(0, len(_TONES) - 1)
    low = min(int(at), len(_TONES) - 2)
    tone = _TONES[low] + (at - low) * (_TONES[low + 1] - _TONES[low])
    tone = tone * (1 + rng.normal(0, 0.03, 3))
    shade = 1 + 0.05 * _waves(vertices, rng, 12, (1.0 * unit_per_cm, 8 * unit_per_cm))
    shade = shade + rng.uniform(0, 0.03) * rng.normal(size=len(vertices))
    flush = 0.03 * _waves(vertices, rng, 8, (1.5 * unit_per_cm, 6 * unit_per_cm))
    skin = tone * shade[:, None] + flush[:, None] * np.array([1.0, -0.4, -0.3])
    lips = tone * np.array([1.0, 0.62, 0.62]) * rng.uniform(0.75, 1.05)
    hair = tone * rng.uniform(0.08, 0.6) * np.array([1.0, 0.9, 0.8])
    for amount, color in (
        (features.beard * rng.choice([0.0, 0.0, rng.uniform(0.1, 0.7)]), hair),
        (features.lips * rng.uniform(0.3, 1.0), lips),
        (features.brows * rng.uniform(0.1, 0.95), hair),
    ):
        skin = skin + amount[:, None] * (color - skin)
    return np.asarray(np.clip(skin, 0.01, 1), np.float32)


def plain_lids(skin: F32, vertices: F32, landmarks: F32) -> F32:
    """Colours of skin [V, 3] with lids as plain as what is around them.

    A portrait's skin has open eyes: what it has in the folds of the lids would show as eyes on closed ones.

    Args:
        skin: sRGB in 0..1. [V, 3]
        vertices: Of the head. [V, 3]
        landmarks: Its 68 points. [68, 3]
    """
    plain = skin.copy()
    for corners in _EYE_POINTS:
        eye = landmarks[corners]
        reach = np.linalg.norm(eye.max(axis=0) - eye.min(axis=0)) / 2
        far = np.linalg.norm((vertices - eye.mean(axis=0)) / reach * _LID_SHAPE, axis=1)
        around, lid = np.flatnonzero((far > 1.1) & (far < 1.4))[::4], np.flatnonzero(far < 1.2)
        if len(around):
            apart = np.linalg.norm(vertices[lid][:, None] - vertices[around], axis=-1)
            weight = 1 / np.maximum(apart, 1e-3 * reach) ** 3
            filled = weight @ skin[around] / weight.sum(axis=1, keepdims=True)
            plain[lid] += np.clip((1.2 - far[lid]) / 0.25, 0, 1)[:, None] * (filled - plain[lid])
    return np.asarray(plain, np.float32)


def paint_eye(ball: F32, iris_center: F32, iris_rgb: Array) -> F32:
    """Colours of an eyeball [V, 3]: the iris lies behind a clear cornea, so it is painted on top."""
    center = ball.mean(axis=0)
    away, gaze = ball - center, iris_center - center
    cosine = away @ gaze / (np.linalg.norm(away, axis=1) * np.linalg.norm(gaze))
    angle_deg = np.degrees(np.arccos(np.clip(cosine, -1, 1)))[:, None]
    color = np.where(angle_deg < _IRIS_DEG, iris_rgb, _SCLERA_RGB)
    return np.where(angle_deg < _PUPIL_DEG, 0.03, color).astype(np.float32)


def iris_color(rng: np.random.Generator) -> Array:
    """From dark brown to light blue, sRGB. [3]"""
    return rng.uniform([0.15, 0.1, 0.08], [0.45, 0.45, 0.5])


def relief(vertices: F32, normals: F32, rng: np.random.Generator, unit_per_cm: float, slope: float) -> F32:
    """Push vertices [V, 3] along their normals by a fine random field of rms slope ``slope``.

    Parametric heads are smooth; without relief a network never learns that shading shows detail.
    """
    moved = vertices.astype(np.float32)
    for shortest, longest, share in ((0.5, 1.0, 0.6), (1.0, 2.5, 0.8)):
        middle = np.sqrt(shortest * longest) * unit_per_cm
        field = _waves(vertices, rng, 16, (shortest * unit_per_cm, longest * unit_per_cm))
        where = 0.5 + 0.5 * np.tanh(_waves(vertices, rng, 6, (3 * unit_per_cm, 10 * unit_per_cm)))
        height = share * slope * middle / (2 * np.pi) * np.sqrt(3) * field * where
        moved = moved + height[:, None].astype(np.float32) * normals
    return moved
