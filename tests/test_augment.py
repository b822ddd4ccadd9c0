from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fnormal.datasets.resize import resize_mask, resize_normals, resize_sample
from fnormal.datasets.sample import Pair
from fnormal.geometry.images import resize_image
from fnormal.geometry.mirror import mirror_normals
from fnormal.geometry.normals import angular_error_deg
from fnormal.training.augment import augment_sample, photometric, rotate_in_plane
from tests.conftest import bump_normals


@pytest.mark.parametrize("angle_deg", [90.0, -33.0])
def test_turning_a_sphere_turns_its_normals_into_its_own(angle_deg: float) -> None:
    """A sphere looks the same from every turn: its turned normal map is the map itself."""
    size = 129
    y, x = (np.mgrid[:size, :size] - 64) / 60
    mask = x**2 + y**2 < 0.9
    normals = np.stack([x, -y, np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))], axis=-1) * mask[..., None]
    tilted = normals.astype(np.float32) @ np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    image = np.zeros((size, size, 3), np.uint8)
    image[10:20, 60:69] = 255  # a mark above the middle
    turned_image, turned, kept = rotate_in_plane(image, tilted, mask, angle_deg)
    inner = kept & (x**2 + y**2 < 0.8)
    assert angular_error_deg(turned, normals)[inner].max() < 1.5
    assert np.abs(np.linalg.norm(turned, axis=-1) - kept).max() < 1e-5
    row, column = (float(v.mean()) for v in np.nonzero(turned_image[..., 0] > 128))
    radius, angle = 64 - 14.5, np.radians(90 + angle_deg)  # counter-clockwise, y up
    assert (column - 64, 64 - row) == (
        pytest.approx(radius * np.cos(angle), abs=1.5), pytest.approx(radius * np.sin(angle), abs=1.5)
    )  # fmt: skip


def face_sample(side: int = 64) -> Pair:
    """A face whose surface fills the picture; its hull is the middle."""
    turn = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    points = (side - 1) / 2 + side / 4 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    normals, _ = bump_normals(side, np.random.default_rng(0))
    image = np.full((side, side, 3), 99, np.uint8)
    return Pair(np.ones((side, side), bool), "a", "a", image, normals, landmarks=points.astype(np.float32))


def test_a_share_of_the_samples_counts_in_the_hull_only() -> None:
    sample, rng = face_sample(), np.random.default_rng(0)
    areas = np.array([augment_sample(sample, rng, hull_share=0.75).mask.mean() for _ in range(400)])
    whole = areas == 1
    assert whole.mean() == pytest.approx(0.25, abs=0.06)
    assert areas[~whole] == pytest.approx(np.pi / 16, rel=0.06)


def test_the_hull_follows_the_landmarks_to_another_size() -> None:
    sample, rng = face_sample(), np.random.default_rng(0)
    large = augment_sample(sample, rng, hull_share=1).mask
    small = augment_sample(resize_sample(sample, 32), rng, hull_share=1).mask
    edge = np.pi * 32 / 2 / 32**2  # as a share of the picture: what rounding may move
    assert np.mean(resize_mask(large, 32) != small) < edge / 2
    assert small.mean() == pytest.approx(large.mean(), abs=edge / 2)
    lost = replace(sample, landmarks=np.full((68, 2), np.nan, np.float32))
    assert augment_sample(lost, rng, hull_share=1).mask.all()


def test_mirroring_a_relief_mirrors_its_normals() -> None:
    """The mirror image's normals are those of the mirrored surface: x changes sign, and place."""
    normals, _ = bump_normals(32, np.random.default_rng(0))
    mirrored = mirror_normals(normals)
    assert mirrored[5, 3] == pytest.approx(normals[5, 28] * (-1, 1, 1))
    assert np.array_equal(mirror_normals(mirrored), normals)


def test_shrinking_never_blends_with_the_background() -> None:
    normals, mask = bump_normals(128, np.random.default_rng(1))
    small, kept = resize_normals(normals, mask, 32)
    reference, _ = bump_normals(32, np.random.default_rng(1))
    assert np.abs(np.linalg.norm(small, axis=-1) - kept).max() < 1e-5
    both = kept & reference.any(axis=-1)
    error = angular_error_deg(small, reference)[both]
    assert error.mean() < 0.5
    assert error.max() < 8


def test_photometric_changes_stay_pictures() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    seen = []
    for seed in range(30):
        changed = photometric(image, np.random.default_rng(seed)) / 255
        assert 0 <= changed.min() <= changed.max() <= 1
        seen.append(changed.mean())
    assert np.std(seen) > 0.02


@pytest.mark.parametrize("seed", range(12))
def test_photometric_is_the_plain_formula(seed: int) -> None:
    image = np.random.default_rng(99).integers(0, 256, (64, 64, 3), np.uint8)
    changed = photometric(image, np.random.default_rng(seed))
    rng, plain = np.random.default_rng(seed), image / 255
    plain = plain ** np.exp(rng.uniform(-0.35, 0.35))
    plain = plain * rng.uniform(0.75, 1.25) * (1 + rng.uniform(-0.08, 0.08, 3))
    plain = plain.mean() + (plain - plain.mean()) * rng.uniform(0.75, 1.2)
    if rng.random() < 0.15:
        plain = plain.mean(axis=2, keepdims=True).repeat(3, axis=2)
    if rng.random() < 0.3:
        plain = resize_image(resize_image(plain, max(16, int(64 * rng.uniform(0.35, 0.9)))), 64)
    if rng.random() < 0.5:
        grain = rng.standard_normal(image.shape, np.float32)
        plain = plain + rng.uniform(0, 0.04) * grain
    assert changed.dtype == np.uint8
    assert np.abs(changed - 255 * np.clip(plain, 0, 1)).max() < 0.51
