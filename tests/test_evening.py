"""Albedo of photos: light that was left in it goes, what a face has in its skin stays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fnormal.datasets.sample import Pair
from fnormal.geometry.images import linear_to_srgb, srgb_to_linear
from fnormal.training.evening import evened
from fnormal.training.relight import relight

SIDE = 192
ROW, COLUMN = np.mgrid[:SIDE, :SIDE].astype(np.float32)
FACE = ((COLUMN - 96) / 62) ** 2 + ((ROW - 96) / 76) ** 2 < 1
BROW = (abs(ROW - 66) < 4) & (abs(COLUMN - 96) > 10) & (abs(COLUMN - 96) < 42)
EYES = (slice(36, 42), slice(42, 48))
TONE = np.float32([0.45, 0.25, 0.17])  # linear


def landmarks() -> np.ndarray:
    """68 points on the face's outline, its eyes and its mouth."""
    points = np.tile(np.float32([96, 100]), (68, 1))
    turn = np.linspace(0, np.pi, 17)
    points[:17] = np.stack([96 - 60 * np.cos(turn), 70 + 98 * np.sin(turn)], axis=1)
    points[17:27, 1] = 66
    around = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    for part, x in zip(EYES, (66, 126), strict=True):
        points[part] = np.stack([x + 11 * np.cos(around), 82 + 5 * np.sin(around)], axis=1)
    around = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    points[48:] = np.stack([96 + 20 * np.cos(around), 135 + 8 * np.sin(around)], axis=1)
    return points


def painted(light: np.ndarray, paint: np.ndarray | float = 1.0) -> np.ndarray:
    """sRGB bytes of skin under some light, and what is painted on it. [S, S, 3]"""
    linear = TONE * light[..., None] * np.broadcast_to(paint, light.shape)[..., None]
    return np.rint(255 * linear_to_srgb(np.clip(linear, 0, 1).astype(np.float32))).astype(np.uint8)


def logs(albedo: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(srgb_to_linear(albedo.astype(np.float32) / np.float32(255)), 1e-3))


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 6.28), st.floats(0.3, 1.5))
def test_of_any_wide_light_as_much_stays_as_skin_has(turn: float, strength: float) -> None:
    across = ((COLUMN - 96) * np.cos(turn) + (ROW - 96) * np.sin(turn)) / 76
    albedo = painted(np.exp(strength * across - 0.3))
    albedo[~FACE] = np.random.default_rng(0).integers(0, 256, (int((~FACE).sum()), 3))
    even = evened(albedo, FACE, landmarks(), 1.0)
    np.testing.assert_array_equal(even[~FACE], albedo[~FACE])
    inner = ((COLUMN - 96) / 56) ** 2 + ((ROW - 96) / 70) ** 2 < 1
    assert logs(albedo)[inner].std(axis=0).min() > 0.3 * strength
    assert 0.05 < logs(even)[inner].std(axis=0).max() < 0.15
    np.testing.assert_allclose(
        np.median(logs(even)[inner], axis=0), np.median(logs(albedo)[inner], axis=0), atol=0.1
    )


def test_brows_pores_and_the_whites_of_eyes_stay() -> None:
    rng = np.random.default_rng(0)
    eye = ((abs(COLUMN - 96) - 30) / 9) ** 2 + ((ROW - 82) / 4) ** 2 < 1
    paint = np.where(BROW, 0.2, np.where(eye, 1.8, np.exp(rng.normal(0, 0.1, FACE.shape))))
    albedo = painted(np.ones(FACE.shape, np.float32), paint)
    even = evened(albedo, FACE, landmarks(), 1.0)
    plain = FACE & ~BROW & ~eye
    before, after = logs(albedo)[..., 1], logs(even)[..., 1]
    kept = (np.median(after[plain]) - np.median(after[BROW])) / (
        np.median(before[plain]) - np.median(before[BROW])
    )
    assert 0.75 < kept < 1.1
    assert abs(np.median(after[eye]) - np.median(before[eye])) < 0.1
    assert after[plain].std() > 0.7 * before[plain].std()


@pytest.mark.parametrize("contrast", [0.1, 0.5])
def test_highlights_and_shadows_are_weaker_where_they_are_stronger_than_skin(contrast: float) -> None:
    noise = cv2.GaussianBlur(np.random.default_rng(0).normal(size=FACE.shape), (0, 0), 5)
    blotches = contrast * noise / noise.std()
    albedo = painted(np.exp(blotches))
    even = evened(albedo, FACE, landmarks(), 1.0)
    before, after = logs(albedo)[FACE][:, 1], logs(even)[FACE][:, 1]
    if contrast == 0.1:
        np.testing.assert_array_equal(even, albedo)
        return
    light, dark = before > np.quantile(before, 0.95), before < np.quantile(before, 0.05)
    middle = np.median(before)
    assert after[light].mean() - middle < 0.45 * (before[light].mean() - middle)
    assert 0.2 < (middle - after[dark].mean()) / (middle - before[dark].mean()) < 0.8
    np.testing.assert_array_equal(evened(albedo, FACE, landmarks(), 0.0), albedo)


@pytest.mark.parametrize("points", [landmarks() * 0.02, landmarks()])
def test_a_face_that_is_too_small_or_not_seen_stays(points: np.ndarray) -> None:
    albedo = painted(np.exp(COLUMN / 96 - 1))
    mask = FACE if np.ptp(points) < 10 else np.zeros_like(FACE)
    np.testing.assert_array_equal(evened(albedo, mask, points, 1.0), albedo)


def test_a_new_light_falls_on_evener_skin_where_all_landmarks_are_known() -> None:
    """Half of the face is painted twice as dark: under a new light most pictures of it have lost the half."""
    half = np.where(COLUMN < 96, 0.5, 1.0)
    albedo, normals = painted(np.ones_like(half), half), np.zeros((SIDE, SIDE, 3), np.float16)
    normals[FACE] = [0, 0, 1]
    sample = Pair(
        FACE, "a", "a", albedo, normals, albedo=albedo, depth=FACE.astype(np.float16), landmarks=landmarks()
    )
    unknown = landmarks()
    unknown[3] = np.nan
    steps = []
    for points in (landmarks(), unknown):
        lit = [
            relight(Pair(**{**vars(sample), "landmarks": points}), np.random.default_rng(seed)).image
            for seed in range(12)
        ]
        sides = [
            [float(logs(image)[FACE & (abs(COLUMN - x) < 20)][:, 1].mean()) for x in (70, 122)]
            for image in lit
        ]
        steps.append(float(np.median([b - a for a, b in sides])))
    assert steps[1] > 0.5
    assert steps[0] < 0.7 * steps[1]
