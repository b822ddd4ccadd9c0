"""The light of a view: haze, cast and exposure are taken out, whatever they were."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fnormal.datasets.batch import PairBatch
from fnormal.datasets.hdf5 import Dataset
from fnormal.geometry.levels import levelled
from fnormal.training.batches import EpochBatches, ResizedSamples

FACE = np.zeros((64, 64), bool)
FACE[16:48, 20:44] = True
RNG = np.random.default_rng(0)
VIEW = (RNG.uniform(0.1, 0.8, (64, 64, 1)) * [1.0, 0.8, 0.7]).astype(np.float32)
COLOUR = st.tuples(*[st.floats(0, 1)] * 3)


@given(
    light=st.floats(0.1, 1), cast=st.tuples(*[st.floats(0.4, 1)] * 3), haze=COLOUR, share=st.floats(0, 0.9),
    behind=COLOUR,
)  # fmt: skip
def test_neither_light_nor_haze_nor_cast_nor_backdrop_is_seen(
    light: float, cast: tuple[float, ...], haze: tuple[float, ...], share: float, behind: tuple[float, ...]
) -> None:
    """Every such change of a picture gives the same view of the face again."""
    changed = (1 - share) * VIEW * np.float32(cast) * light + np.float32(share) * np.float32(haze)
    changed[~FACE] = behind
    seen = levelled(changed.astype(np.float32), FACE)
    assert seen.dtype == np.float32
    assert 0 <= seen.min() <= seen.max() <= 1
    contrast = (1 - share) * light * min(cast)
    if contrast * 0.5 * 30 > 1:  # else it would take more gain than there is
        assert np.abs(seen - levelled(VIEW, FACE))[FACE].max() < 1e-3


def test_a_level_view_stays() -> None:
    view = levelled(VIEW, FACE)
    np.testing.assert_allclose(levelled(view, FACE), view, atol=1e-3)
    dark, light = np.percentile(view[FACE], (2, 97), axis=0)
    np.testing.assert_allclose(dark, 0.04, atol=1e-3)
    np.testing.assert_allclose(light, [0.9, 0.8, 0.75], atol=1e-3)


def test_a_burnt_face_stays_and_nothing_jumps_on_the_way_there() -> None:
    burnt = np.minimum(VIEW * 2, 1)
    assert (burnt[FACE] == 1).any(axis=1).mean() > 0.1
    np.testing.assert_array_equal(levelled(burnt, FACE), burnt)
    views = [levelled(np.minimum(VIEW * np.float32(gain), 1), FACE) for gain in np.arange(1.2, 1.5, 0.002)]
    steps = [np.abs(b - a).mean() for a, b in pairwise(views)]
    assert max(steps) < 0.1 * np.abs(views[-1] - views[0]).mean()


def test_without_a_face_the_middle_counts() -> None:
    window = np.ones((64, 64, 3), np.float32)
    middle = np.s_[13:51, 13:51]
    window[middle] = VIEW[middle] * 0.1
    np.testing.assert_allclose(levelled(window)[middle], levelled(VIEW)[middle], atol=1e-3)
    np.testing.assert_array_equal(levelled(VIEW, np.zeros((64, 64), bool)), levelled(VIEW))


@pytest.mark.parametrize("colour", [(0, 0, 0), (1, 1, 1), (1, 0, 0), (0.2, 0.2, 0.2)])
def test_a_view_of_one_colour_is_a_view(colour: tuple[float, float, float]) -> None:
    seen = levelled(np.full((64, 64, 3), colour, np.float32), FACE)
    assert np.isfinite(seen).all()
    assert 0 <= seen.min() <= seen.max() <= 1


@pytest.mark.parametrize("augment", [False, True])
def test_training_shows_a_network_what_prediction_does(pairs: Path, augment: bool) -> None:
    """Whatever chance made of a sample: its batch is level already, within the rounding to bytes."""
    sets = [ResizedSamples(Dataset(pairs), 64)]
    batches = EpochBatches(sets, batch_size=4, seed=1, epoch=0, augment=augment)
    for position in range(len(batches)):
        batch = batches[position]
        assert isinstance(batch, PairBatch)
        for image in batch.image:
            view = image.permute(1, 2, 0).numpy().astype(np.float32) / np.float32(255)
            assert np.abs(levelled(view) - view).max() < 0.02
