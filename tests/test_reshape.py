"""New shapes: normals stay those of the depth's own slopes, and all maps move together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.sample import Pair, Sample
from fnormal.errors import FNormalError
from fnormal.geometry.normals import angular_error_deg, unit
from fnormal.options.training import TrainOptions
from fnormal.training.batches import EpochBatches, ResizedSamples
from fnormal.training.reshape import reshape
from fnormal.training.trainer import Trainer
from tests.conftest import write_set

SIDE = 160


def slopes(depth: np.ndarray) -> np.ndarray:
    """Normals of a depth map's own slopes."""
    down, right = np.gradient(depth.astype(np.float32))
    return unit(np.stack([-right, down, np.ones_like(down)], axis=-1))


def hilly(rng: np.random.Generator) -> Pair:
    """A bowl with hills, round; its albedo tells where in the view it is."""
    row, column = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    hills = cv2.GaussianBlur(rng.standard_normal((SIDE, SIDE), np.float32), (0, 0), 12)
    away = np.hypot(column - 79.5, row - 79.5)
    depth = (60 - away**2 / 200 + 6 * hills / hills.std()).astype(np.float32)
    mask = away < 60
    normals = slopes(depth) * mask[..., None]
    albedo = np.stack([column, row, 0 * row], axis=-1).astype(np.uint8)
    turn = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    points = (79.5 + 45 * np.stack([np.cos(turn), np.sin(turn)], axis=1)).astype(np.float32)
    return Pair(mask, "a", "a", albedo, normals, landmarks=points, albedo=albedo, depth=depth * mask)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_new_normals_are_the_slopes_of_the_new_depth(seed: int) -> None:
    rng = np.random.default_rng(seed)
    old = hilly(rng)
    new = reshape(old, rng)
    assert new.depth is not None
    inner = cv2.erode(new.mask.astype(np.uint8), np.ones((7, 7))) > 0
    error = angular_error_deg(slopes(new.depth), new.normals.astype(np.float32))[inner]
    assert np.median(error) < 1.0  # the depth is half a float: 0.03 pixels
    assert np.percentile(error, 95) < 3.0
    lengths = np.linalg.norm(new.normals.astype(np.float32), axis=-1)
    assert np.abs(lengths[new.mask] - 1).max() < 2e-3
    assert not lengths[~new.mask].any()
    changed = angular_error_deg(old.normals, new.normals.astype(np.float32))[inner & old.mask]
    assert 0.5 < changed.mean() < 25


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_landmarks_move_with_what_they_lie_on(seed: int) -> None:
    rng = np.random.default_rng(seed)
    old = hilly(rng)
    new = reshape(old, rng)
    assert new.albedo is not None
    assert new.landmarks is not None
    assert old.landmarks is not None
    x, y = new.landmarks[:, :1], new.landmarks[:, 1:]
    there = cv2.remap(new.albedo.astype(np.float32), x, y, cv2.INTER_LINEAR)[:, 0, :2]
    assert np.abs(there - old.landmarks).max() < 1.0  # the albedo is whole numbers
    assert np.abs(new.landmarks - old.landmarks).max() > 0.5


class _OneSet:
    """A set of one sample, as a training loop's readers see it."""

    modality, unlit, size_px, path = "pairs", True, SIDE, Path("hilly.h5")

    def __init__(self, only: Pair) -> None:
        self._only = only

    def __len__(self) -> int:
        return 1

    def sample(self, index: int, *, view: bool, unlit: bool) -> Pair:
        del index, view, unlit
        return self._only


def test_a_share_of_what_is_lit_anew_gets_a_new_shape() -> None:
    """Without the share nothing is drawn by chance for it: earlier runs go on as they were."""
    only = hilly(np.random.default_rng(0))
    batches = {}
    for share in (0.0, 1.0):
        sets = [ResizedSamples(_OneSet(only), 64, 0, whole=True, unlit=True)]  # type: ignore[arg-type]
        again = [
            EpochBatches(sets, batch_size=1, seed=3, epoch=0, relight_share=1.0, reshape_share=share)[0]
            for _ in range(2)
        ]
        assert again[0].normals.equal(again[1].normals)  # type: ignore[attr-defined]
        batches[share] = again[0]
    assert not batches[0.0].normals.equal(batches[1.0].normals)  # type: ignore[attr-defined]
    dark = replace(only, albedo=None, depth=None)
    sets = [ResizedSamples(_OneSet(dark), 64, 0, whole=True, unlit=True)]  # type: ignore[arg-type]
    EpochBatches(sets, batch_size=1, seed=3, epoch=0, relight_share=1.0, reshape_share=1.0)[0]


def test_a_new_shape_comes_with_a_new_light(tmp_path: Path) -> None:
    data = Dataset[Sample](write_set(tmp_path / "p.h5", 2, 64))
    with pytest.raises(FNormalError, match="set --relight too"):
        Trainer(TrainOptions(arch="tiny", size_px=64, batch_size=2, reshape_share=0.5), [data], None)
