"""New light: Lambert on a ball, the shadow of a step, relief by its slopes; sets with albedo and depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fnormal.datasets.hdf5 import Dataset, DatasetWriter
from fnormal.datasets.resize import resize_sample
from fnormal.datasets.sample import Pair, Sample
from fnormal.datasets.shards import join_shards
from fnormal.errors import FNormalError
from fnormal.geometry.images import srgb_to_linear
from fnormal.geometry.normals import angular_error_deg
from fnormal.options.data import RenderOptions
from fnormal.render.relight import Lamps, displaced, relit
from fnormal.training.batches import ResizedSamples
from fnormal.training.cover import cover, cut_out
from fnormal.training.relight import relight
from tests.helpers import render_recipe

SIDE, RADIUS = 96, 40.0
GREY = np.full((SIDE, SIDE, 3), 188, np.uint8)


def ball() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    row, column = np.mgrid[:SIDE, :SIDE]
    flat = np.stack([column - 47.5, 47.5 - row], axis=-1) / RADIUS
    inside = (flat**2).sum(axis=-1)
    z = np.sqrt(np.clip(1 - inside, 0, 1))
    mask = inside < 0.95
    normals = np.concatenate([flat, z[..., None]], axis=-1) * mask[..., None]
    return normals.astype(np.float32), (RADIUS * z * mask).astype(np.float32), mask


def lamp(toward: tuple[float, float, float], near: float = 0.0, radius: float = 0.01) -> Lamps:
    at = np.array([*toward, 0], np.float32)
    at[:3] /= np.linalg.norm(at[:3])
    if near:
        at = np.array([*(near * at[:3]), 1], np.float32)
    dark = np.zeros((9, 3), np.float32)
    return Lamps(at[None], np.ones((1, 3), np.float32), np.full(1, radius, np.float32), dark)


def pair(**changed: object) -> Pair:
    normals, depth, mask = ball()
    turn = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    points = (47.5 + 36 * np.stack([np.cos(turn), np.sin(turn)], axis=1)).astype(np.float32)
    facts = {"albedo": GREY, "depth": depth.astype(np.float16), "landmarks": points, **changed}
    return Pair(mask, "a", "a", GREY, normals.astype(np.float16), **facts)  # type: ignore[arg-type]


@settings(max_examples=25, deadline=None)
@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.15, 1))
def test_a_ball_under_a_far_lamp_is_lamberts(x: float, y: float, z: float) -> None:
    """Its own shadow is where the cosine is negative, so nothing else is dark."""
    normals, depth, mask = ball()
    light = lamp((x, y, z))
    got = relit(GREY, normals, depth, mask, light)[..., 0]
    albedo = float(srgb_to_linear(np.float32([188 / 255]))[0])
    cosine = np.clip(normals @ light.at[0, :3], 0, None)
    steady = mask & (normals[..., 2] > 0.35) & ((normals @ light.at[0, :3] > 0.25) | (cosine == 0))
    assert np.abs(got - albedo * cosine)[steady].max() < 2e-3
    assert not got[~mask].any()


def test_a_near_lamp_follows_the_inverse_square() -> None:
    normals = np.zeros((SIDE, SIDE, 3), np.float32)
    normals[..., 2] = 1
    mask, depth = np.ones((SIDE, SIDE), bool), np.zeros((SIDE, SIDE), np.float32)
    got = relit(GREY, normals, depth, mask, lamp((0, 0, 1), near=100.0))[..., 0]
    row, column = np.mgrid[:SIDE, :SIDE]
    square = (column - 47.5) ** 2 + (row - 47.5) ** 2 + 100.0**2
    expected = float(srgb_to_linear(np.float32([188 / 255]))[0]) * (100.0**2 / square) * 100 / np.sqrt(square)
    np.testing.assert_allclose(got, expected, rtol=1e-4)


def test_a_step_throws_its_shadow_as_far_as_the_light_is_low() -> None:
    """A wall 20 pixels high on the right, light at 45 degrees from the right: 20 pixels of shadow."""
    normals = np.zeros((SIDE, SIDE, 3), np.float32)
    normals[..., 2] = 1
    mask = np.ones((SIDE, SIDE), bool)
    depth = np.zeros((SIDE, SIDE), np.float32)
    depth[:, 60:70] = 20
    row = relit(GREY, normals, depth, mask, lamp((1, 0, 1)))[48, :, 0]
    lit = row.max()
    assert (row[43:58] < 0.05 * lit).all()
    assert (row[:36] > 0.95 * lit).all()
    assert (row[75:] > 0.95 * lit).all()
    soft = relit(GREY, normals, depth, mask, lamp((1, 0, 1), radius=0.5))[48, :, 0]
    assert 0.1 * lit < soft[40] < 0.9 * lit, "a large lamp has a soft shadow"


def test_relief_changes_normals_by_its_slopes() -> None:
    row, column = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    normals = np.tile(np.float32([0.6, 0, 0.8]), (SIDE, SIDE, 1))  # a plane whose z falls by 3/4 a pixel
    moved = displaced(normals, 0.25 * column - 0.5 * row)  # y goes up: +0.5 a pixel
    expected = np.array([0.75 - 0.25, -0.5, 1.0]) / np.linalg.norm([0.5, -0.5, 1.0])
    assert angular_error_deg(moved, np.broadcast_to(expected, moved.shape)).max() < 1e-3
    assert np.isfinite(displaced(np.tile(np.float32([1, 0, 0]), (8, 8, 1)), column[:8, :8])).all()


@pytest.mark.parametrize("seed", range(8))
def test_a_new_light_keeps_face_and_truth_consistent(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lit = relight(pair(), rng)
    assert lit.albedo is None
    assert lit.depth is None
    length = np.linalg.norm(lit.normals.astype(float), axis=-1)
    assert np.abs(length - lit.mask).max() < 2e-3
    assert lit.image.dtype == np.uint8
    other = relight(pair(), np.random.default_rng(seed))
    np.testing.assert_array_equal(lit.image, other.image)
    assert not np.array_equal(lit.image, relight(pair(), np.random.default_rng(seed + 100)).image)


def test_what_hides_the_face_leaves_the_mask_and_frames_of_glasses_do_not() -> None:
    shrunk = changed = 0
    for seed in range(60):
        before = pair(albedo=None, depth=None)
        after = cover(before, np.random.default_rng(seed))
        assert not (after.mask & ~before.mask).any()
        assert not after.normals[~after.mask].any()
        np.testing.assert_array_equal(after.normals[after.mask], before.normals[after.mask])
        shrunk += int(after.mask.sum() < before.mask.sum())
        changed += int(not np.array_equal(after.image, before.image))
    assert 8 < shrunk < changed < 40


def test_a_face_that_is_cut_out_lies_on_one_colour_outside_of_the_mask() -> None:
    whole, colors, smaller = pair(), set(), 0
    assert whole.landmarks is not None
    for seed in range(40):
        image, mask = cut_out(whole.image, whole.mask, whole.landmarks, np.random.default_rng(seed))
        assert not (mask & ~whole.mask).any()
        smaller += int(0.7 * whole.mask.sum() < mask.sum() < whole.mask.sum())
        np.testing.assert_array_equal(image[mask], whole.image[mask])
        (color,) = {tuple(pixel) for pixel in image[[0, 0, -1, -1], [0, -1, 0, -1]].tolist()}
        colors.add(color)
    assert {(0, 0, 0), (255, 255, 255)} < colors
    assert all(len(set(color)) == 1 for color in colors)
    assert smaller > 10


def test_sets_keep_albedo_and_depth_through_shards(tmp_path: Path) -> None:
    for name in ("a", "b"):
        writer = DatasetWriter(tmp_path / f"{name}.h5", "pairs", SIDE, config={}, licence="CC0", unlit=True)
        writer.append([pair(), pair()])
        writer.finish()
    parts = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for virtual in (False, True):
        out = tmp_path / f"joined-{virtual}.h5"
        join_shards(parts, out, virtual=virtual)
        data = Dataset[Pair](out)
        assert data.unlit
        sample = data.sample(3, unlit=True)
        np.testing.assert_array_equal(sample.albedo, GREY)
        np.testing.assert_array_equal(sample.depth, pair().depth)
        assert data[3].albedo is None, "who does not ask does not wait for it"
    plain = DatasetWriter(tmp_path / "c.h5", "pairs", SIDE, config={}, licence="CC0")
    plain.append([pair()])
    plain.finish()
    with pytest.raises(FNormalError, match="with albedo"):
        join_shards([parts[0], tmp_path / "c.h5"], tmp_path / "d.h5", virtual=False)


def test_a_shrunk_sample_can_still_be_lit(tmp_path: Path) -> None:
    """Half a ball is a ball of half the radius, to its rim; large ones are lit at 1.6 times the side."""
    half = resize_sample(pair(), SIDE // 2)
    assert half.depth is not None
    assert half.albedo is not None
    row, column = np.mgrid[: SIDE // 2, : SIDE // 2]
    r2 = (column - 23.5) ** 2 + (row - 23.5) ** 2
    expected = np.sqrt(np.clip(400 - r2, 0, None))
    assert ((half.depth != 0) >= half.mask).all()
    inner = half.mask & (r2 < 18**2)
    assert np.abs(half.depth - expected)[inner].max() < 0.1
    assert np.abs(half.depth - expected)[half.mask].max() < 1.5
    np.testing.assert_array_equal(half.albedo[half.mask], 188)
    writer = DatasetWriter(tmp_path / "a.h5", "pairs", SIDE, config={}, licence="CC0", unlit=True)
    writer.append([pair()])
    writer.finish()
    data = Dataset[Sample](tmp_path / "a.h5")
    for size, side in ((32, 51), (64, 96)):
        assert ResizedSamples(data, size, whole=True, unlit=True)[0].mask.shape == (side, side)


def test_rendered_albedo_and_depth_are_of_their_view(makehuman: Path, tmp_path: Path) -> None:
    """The kept albedo in the paper's light is the picture again; the depth's slopes are its normals."""
    from fnormal.commands.render_dataset import build_views
    from fnormal.options.shared import BuildOptions

    out = tmp_path / "kept.h5"
    options = RenderOptions(views=1, modality="pairs", size_px=128, keep_albedo=True, mask="surface",
                            backend="soft", seed=3)  # fmt: skip
    list(build_views(render_recipe(makehuman, "anny", 1, options), out, BuildOptions()))
    sample = Dataset[Pair](out).sample(0, unlit=True)
    assert sample.view is not None
    assert sample.depth is not None
    down, right = np.gradient(sample.depth.astype(np.float32))
    slopes = np.stack([-right, down, np.ones_like(right)], axis=-1)
    slopes /= np.linalg.norm(slopes, axis=-1, keepdims=True)
    normals = sample.normals.astype(np.float32)
    inner = sample.mask & (normals[..., 2] > 0.5)
    for axis in (0, 1):
        inner &= np.roll(sample.mask, 1, axis) & np.roll(sample.mask, -1, axis)
    assert np.median(angular_error_deg(slopes, normals)[inner]) < 4
    light = Lamps(
        np.array([[*sample.view["light_direction"][0], 0]], np.float32),
        sample.view["light_intensity"][:1], np.full(1, 0.01, np.float32), np.zeros((9, 3), np.float32),
    )  # fmt: skip
    assert sample.albedo is not None
    linear = relit(sample.albedo, normals, sample.depth.astype(np.float32), sample.mask, light)
    expected = srgb_to_linear(sample.image.astype(np.float32) / np.float32(255))
    unclipped = inner & (expected < 0.98).all(axis=-1)
    assert np.median(np.abs(linear - expected)[unclipped]) < 0.02
