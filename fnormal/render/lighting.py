"""Lights: the paper's protocol, and a richer one for photographs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fnormal.config import LIGHT_INTENSITY_MAX, MAX_LIGHTS

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Lighting:
    """Directional lights and an ambient term, linear RGB. Intensity 1 head on shows the albedo.

    Attributes:
        directions: Unit vectors TOWARD the lights, camera frame. [L, 3]
        intensities: [L, 3]
        ambient: [3]
        specular: Strength of a Blinn-Phong highlight, 0 for a Lambertian skin.
        shininess: Its exponent.
    """

    directions: F32
    intensities: F32
    ambient: F32
    specular: float = 0.0
    shininess: float = 16.0


def headlight() -> Lighting:
    """One light beside the viewer with some ambient: everything is seen."""
    return _lamp((0.25, 0.35, 0.9))


def raking_light() -> Lighting:
    """One light from the upper side with some ambient: relief is seen."""
    return _lamp((-0.65, 0.5, 0.6))


def _lamp(toward: tuple[float, float, float]) -> Lighting:
    direction = np.array([toward], np.float32)
    direction /= np.linalg.norm(direction)
    return Lighting(direction, np.full((1, 3), 0.85, np.float32), np.full(3, 0.15, np.float32))


def paper_lighting(rng: np.random.Generator) -> Lighting:
    """Section 4.2: one light from a random direction with z > 0, intensity in [0, 2], no ambient."""
    strength = rng.uniform(0.0, LIGHT_INTENSITY_MAX)
    return Lighting(_front(rng, 1), np.full((1, 3), strength, np.float32), np.zeros(3, np.float32))


def rich_lighting(rng: np.random.Generator) -> Lighting:
    """One to four coloured lights and ambient, exposed so that skin is neither black nor burnt out."""
    count = int(rng.integers(1, MAX_LIGHTS + 1))
    tint = 1 + rng.uniform(-0.2, 0.2, (count, 3))
    share = rng.dirichlet(np.ones(count))[:, None]
    ambient_share = rng.uniform(0.05, 0.7)
    exposure = rng.uniform(0.5, 1.6)
    intensities = exposure * (1 - ambient_share) * 1.6 * share * tint
    ambient = exposure * ambient_share * (1 + rng.uniform(-0.1, 0.1, 3))
    return Lighting(
        _front(rng, count),
        intensities.astype(np.float32),
        ambient.astype(np.float32),
        specular=float(rng.uniform(0.0, 0.25)),
        shininess=float(rng.uniform(5.0, 40.0)),
    )


LIGHTINGS = {"paper": paper_lighting, "rich": rich_lighting}


def _front(rng: np.random.Generator, count: int) -> F32:
    """``count`` directions uniform on the half sphere z > 0. [count, 3]"""
    toward = rng.normal(size=(count, 3))
    toward[:, 2] = np.abs(toward[:, 2])
    return np.asarray(toward / np.linalg.norm(toward, axis=1, keepdims=True), np.float32)


def random_backdrop(rng: np.random.Generator, size_px: int) -> npt.NDArray[np.uint8]:
    """A blurred random picture [S, S, 3] to stand behind a face, so that black means nothing."""
    import cv2

    cells = int(rng.choice([1, 2, 4, 8, 24]))
    spread = rng.uniform(0, 70)
    base = rng.uniform(0, 255, 3) + rng.normal(0, spread, (cells, cells, 3))
    noise = rng.normal(0, rng.uniform(0, 8), (size_px, size_px, 3))
    coarse = cv2.resize(base, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(coarse.reshape(size_px, size_px, 3) + noise, 0, 255), np.uint8)
