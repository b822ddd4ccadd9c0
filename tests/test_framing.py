"""Samples cut anew: normals turn with the picture, the ball stays a ball, the border is no face."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fnormal.config import CROP_SCALE
from fnormal.datasets.sample import Pair
from fnormal.geometry.normals import angular_error_deg
from fnormal.training.framing import frame_usual, reframe

SIDE, MIDDLE, RADIUS = 200, 99.5, 60.0


def landmarks() -> np.ndarray:
    """On the rim of the ball, whose centre is then the middle of their box."""
    turn = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    return (MIDDLE + RADIUS * np.stack([np.cos(turn), np.sin(turn)], axis=1)).astype(np.float32)


def ball() -> Pair:
    row, column = np.mgrid[:SIDE, :SIDE]
    flat = np.stack([column - MIDDLE, MIDDLE - row], axis=-1) / RADIUS
    mask = (flat**2).sum(axis=-1) < 0.98
    z = np.sqrt(np.clip(1 - (flat**2).sum(axis=-1), 0, 1))
    normals = np.concatenate([flat, z[..., None]], axis=-1) * mask[..., None]
    image = np.full((SIDE, SIDE, 3), 255, np.uint8)
    return Pair(mask, "a", "a", image, normals.astype(np.float16), landmarks=landmarks())


@pytest.mark.parametrize("cut_anew", [reframe, frame_usual])
@pytest.mark.parametrize("seed", range(12))
def test_a_ball_is_a_ball_in_any_frame(seed: int, cut_anew: Callable[..., Any]) -> None:
    """Its normals follow from where its centre and its rim are now, whatever the turn."""
    cut = cut_anew(ball(), 96, np.random.default_rng(seed))
    assert cut.landmarks is not None
    centre = cut.landmarks.mean(axis=0)
    radius = np.linalg.norm(cut.landmarks - centre, axis=1)
    assert np.ptp(radius) < 1e-3 * radius.mean(), "no stretching"
    row, column = np.mgrid[:96, :96]
    flat = np.stack([column - centre[0], centre[1] - row], axis=-1) / radius.mean()
    inside = (flat**2).sum(axis=-1)
    z = np.sqrt(np.clip(1 - inside, 0, 1))
    expected = np.concatenate([flat, z[..., None]], axis=-1)
    steady = cut.mask & (inside < 0.7)
    assert steady.any()
    assert angular_error_deg(cut.normals[steady], expected[steady]).max() < 2.5
    assert not cut.mask[inside > 1.1].any()
    assert np.abs(np.linalg.norm(cut.normals.astype(float), axis=-1) - cut.mask).max() < 2e-3


@pytest.mark.parametrize("seed", range(12))
def test_normals_turn_with_the_picture(seed: int) -> None:
    """A slope to the right that gets brighter to the right: normal and brightness keep one direction."""
    ramp = np.tile(np.linspace(40, 220, SIDE)[None, :, None], (SIDE, 1, 3)).astype(np.uint8)
    normals = np.tile(np.array([0.6, 0, 0.8], np.float16), (SIDE, SIDE, 1))
    slope = Pair(np.ones((SIDE, SIDE), bool), "a", "a", ramp, normals, landmarks=landmarks())
    cut = reframe(slope, 96, np.random.default_rng(seed))
    smooth = cut.image[..., 0].astype(float)
    down, right = np.gradient(smooth)
    inner = cut.mask.copy()
    inner[:3], inner[-3:], inner[:, :3], inner[:, -3:] = False, False, False, False
    brighter = np.array([np.median(right[inner]), -np.median(down[inner])])
    uphill = cut.normals[inner].astype(float).mean(axis=0)[:2]
    cosine = brighter @ uphill / (np.linalg.norm(brighter) * np.linalg.norm(uphill))
    assert cosine > 0.97
    assert np.linalg.norm(uphill) == pytest.approx(0.6, abs=0.01)


def frames(cut_anew: Callable[..., Any]) -> tuple[list[float], list[float], list[float]]:
    """Of 300 cuts the side / the box of the landmarks, the shift / the side, and the turn in degrees."""
    rng, sides, shifts, turns = np.random.default_rng(0), [], [], []
    for _ in range(300):
        cut = cut_anew(ball(), 64, rng)
        assert cut.landmarks is not None
        edge = cut.landmarks[0] - cut.landmarks.mean(axis=0)
        sides.append(64 / (2 * np.linalg.norm(edge)))
        shifts.append(np.abs(cut.landmarks.mean(axis=0) - 31.5).max() / 64)
        turns.append(abs(np.degrees(np.arctan2(edge[1], edge[0]))))
    return sides, shifts, turns


def test_the_usual_frame_is_the_papers_crop_within_the_noise_of_its_points() -> None:
    sides, shifts, turns = frames(frame_usual)
    assert CROP_SCALE / 1.07 < min(sides) < np.median(sides) < max(sides) < CROP_SCALE * 1.07
    assert np.median(sides) == pytest.approx(CROP_SCALE, rel=0.01)
    assert 0.02 < max(shifts) < 0.045
    assert 4 < max(turns) < 6


def test_frames_are_spread_over_scale_shift_and_turn() -> None:
    sides, shifts, turns = frames(reframe)
    assert 0.79 < min(sides) < 0.9
    assert 2.0 < max(sides) < 2.22
    assert 0.2 < max(shifts) < 0.25 * 2**0.5 + 0.01, "along a diagonal of the turned frame at most"
    assert np.mean(np.array(turns) < 0.1) == pytest.approx(0.4, abs=0.08)
    assert max(turns) > 60
