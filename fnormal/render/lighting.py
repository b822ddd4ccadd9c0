"""Lights: the paper's protocol, and a richer one for photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fnormal.arrays import F32, U8, Array
from fnormal.config import LIGHT_INTENSITY_MAX, MAX_LIGHTS
from fnormal.render.environment import EnvironmentMap, evaluate, random_environment


def _zeros() -> F32:
    return np.zeros((9, 3), np.float32)


def _ones() -> F32:
    return np.ones(3, np.float32)


@dataclass(frozen=True)
class Lighting:
    """Directional lights, an ambient term and an environment, linear RGB, camera frame.

    Intensity 1 head on shows the albedo.

    Attributes:
        directions: Unit vectors TOWARD the lights, the strongest first. [L, 3]
        intensities: [L, 3]
        ambient: [3]
        environment: Irradiance / pi as nine spherical harmonics, see ``environment.basis``. [9, 3]
        specular: Strength of the highlight (1: skin's), 0 for a Lambertian skin.
        roughness: GGX roughness of the highlight, 0..1.
        shadow: How much of the first light its cast shadow takes away, 0..1.
        gain: Exposure times colour cast: multiplies everything before the sRGB curve. [3]
    """

    directions: F32
    intensities: F32
    ambient: F32
    environment: F32 = field(default_factory=_zeros)
    specular: float = 0.0
    roughness: float = 0.4
    shadow: float = 0.0
    gain: F32 = field(default_factory=_ones)


def headlight() -> Lighting:
    """One light beside the viewer with some ambient: everything is seen."""
    return lamp((0.25, 0.35, 0.9))


def raking_light() -> Lighting:
    """One light from the upper side with some ambient: relief is seen."""
    return lamp((-0.65, 0.5, 0.6))


def lamp(toward: tuple[float, float, float]) -> Lighting:
    """One light from a direction [3] of any length, with some ambient."""
    direction = np.array([toward], np.float32)
    direction /= np.linalg.norm(direction)
    return Lighting(direction, np.full((1, 3), 0.85, np.float32), np.full(3, 0.15, np.float32))


def paper_lighting(rng: np.random.Generator) -> Lighting:
    """Section 4.2: one light from a random direction with z > 0, intensity in [0, 2], no ambient."""
    strength = rng.uniform(0.0, LIGHT_INTENSITY_MAX)
    return Lighting(_front(rng, 1), np.full((1, 3), strength, np.float32), np.zeros(3, np.float32))


def rich_lighting(rng: np.random.Generator, maps: Sequence[EnvironmentMap] = ()) -> Lighting:
    """One to four coloured lights in an environment, with a cast shadow, a highlight, exposure and a cast.

    The whole is normalised so that a face turned to the viewer is exposed by ``gain`` alone: from
    underexposed by a stop and a half to burnt out on light skin.

    Args:
        rng: Everything random follows from it.
        maps: HDR panoramas to choose the environment from; without, it is made up.
    """
    count = int(rng.integers(1, MAX_LIGHTS + 1))
    tint = 1 + rng.uniform(-0.2, 0.2, (count, 3))
    # a square keeps one light ahead of the others: hard light is what real photos have and nets lack
    share = np.sort(rng.dirichlet(np.full(count, 0.7)))[::-1, None]
    hard = rng.uniform(0.2, 1.0)  # share of the directional lights
    intensities = hard * share * tint
    directions = _front(rng, count)
    picked = maps[int(rng.integers(len(maps)))] if maps else None
    environment = random_environment(rng) if picked is None else picked.irradiance(rng.uniform(0, 2 * np.pi))
    environment = (1 - hard) * environment / max(float(environment[0].mean()), 1e-6)
    level = _level(directions, intensities, environment)
    exposure = 2.0 ** rng.uniform(-1.4, 0.3)
    cast = np.exp(rng.normal(0, 0.08, 3))
    return Lighting(
        directions, intensities.astype(np.float32),
        np.full(3, 0.02, np.float32),  # no shadow of a real room is black
        environment.astype(np.float32),
        specular=float(rng.uniform(0.0, 1.6)),
        roughness=float(rng.uniform(0.3, 0.6)),
        shadow=float(rng.uniform(0.6, 1.0)) if rng.uniform() < 0.7 else 0.0,
        gain=(exposure * cast / cast.mean() / level).astype(np.float32),
    )  # fmt: skip


def _level(directions: F32, intensities: Array, environment: Array) -> float:
    """Mean irradiance / pi over the directions that a face shows, here three of them."""
    toward = np.array([[0, 0, 1], [0.6, 0, 0.8], [-0.6, 0, 0.8]], np.float32)
    lit = np.clip(toward @ directions.T, 0, None) @ intensities
    return float(max((lit + evaluate(toward, environment)).mean(), 0.08))


def sample_lighting(name: str, rng: np.random.Generator, maps: Sequence[EnvironmentMap] = ()) -> Lighting:
    """A light of the protocol ``paper`` or ``rich``."""
    return paper_lighting(rng) if name == "paper" else rich_lighting(rng, maps)


def _front(rng: np.random.Generator, count: int) -> F32:
    """``count`` directions uniform on the half sphere z > 0. [count, 3]"""
    toward = rng.normal(size=(count, 3))
    toward[:, 2] = np.abs(toward[:, 2])
    return np.asarray(toward / np.linalg.norm(toward, axis=1, keepdims=True), np.float32)


def random_backdrop(rng: np.random.Generator, size_px: int) -> U8:
    """A blurred random picture [S, S, 3] to stand behind a face, so that black means nothing."""
    import cv2

    cells = int(rng.choice([1, 2, 4, 8, 24]))
    spread = rng.uniform(0, 70)
    base = rng.uniform(0, 255, 3) + rng.normal(0, spread, (cells, cells, 3))
    noise = rng.normal(0, rng.uniform(0, 8), (size_px, size_px, 3))
    coarse = cv2.resize(base, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(coarse.reshape(size_px, size_px, 3) + noise, 0, 255), np.uint8)
