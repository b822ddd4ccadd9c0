from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fnormal.datasets.hairy import lit_with_hair, under_hair
from fnormal.datasets.hdf5 import open_pairs
from fnormal.errors import FNormalError
from fnormal.geometry.mesh import Mesh, make_mesh
from fnormal.render.camera import Camera
from fnormal.render.drawing import Render
from fnormal.render.lighting import Lighting
from fnormal.render.relight import whole_scene
from fnormal.render.strands import draw_strands
from fnormal.scans.hair import Hairdresser, _guides
from fnormal.scans.scan import Scan, Strands
from fnormal.training.relight import relight
from tests.helpers import open_scans
from tests.test_scans import SMALL, render

SIDE = 60
CAMERA = Camera(np.eye(3, dtype=np.float32), (0.0, 0.0), SIDE / 2, SIDE, SIDE)  # a mesh unit is a pixel


def upright_strands(columns: np.ndarray, z: float, *, flat: bool = False) -> Strands:
    """Straight strands from top to bottom at these columns of the picture."""
    x = columns - (SIDE - 1) / 2
    y = np.linspace(SIDE, -SIDE, 8)
    curves = np.stack(np.broadcast_arrays(x[:, None], y[None], np.float64(z)), axis=-1)
    rgb = np.full((len(x), 3), 0.5, np.float32)
    return Strands(curves.astype(np.float32), rgb, np.full(len(x), flat))


def wall() -> Render:
    """A white plane that faces the viewer, at z = 0."""
    image = np.full((SIDE, SIDE, 3), 255, np.uint8)
    normals = np.tile(np.array([0, 0, 1], np.float32), (SIDE, SIDE, 1))
    zeros = np.zeros((SIDE, SIDE), np.float32)
    return Render(image, image[..., 0], normals, np.ones((SIDE, SIDE), np.bool_), zeros)


def test_a_strand_is_a_third_of_a_pixel_wide_and_lies_where_it_is() -> None:
    plane = wall()
    for column in (20, 20.3, 41):
        hair = draw_strands(upright_strands(np.array([column]), 1.0), CAMERA, plane.mask, plane.z)
        expected = np.zeros(SIDE)
        expected[round(column)] = 1 / 3
        np.testing.assert_allclose(hair.share, np.tile(expected, (SIDE, 1)), atol=1e-6)
        np.testing.assert_allclose(hair.z[:, round(column)], 1.0)
        assert not hair.hides.any(), "one strand hides nothing"


def test_what_is_behind_the_head_is_hidden_and_beside_it_is_not() -> None:
    plane = wall()
    mask = plane.mask.copy()
    mask[:, :30] = False
    hair = draw_strands(upright_strands(np.array([10.0, 50.0]), -1.0), CAMERA, mask, plane.z)
    assert hair.share[:, 10].all()
    assert not hair.share[:, 50].any()


@pytest.mark.parametrize("flat", [False, True])
def test_a_lock_hides_the_skin_and_stubble_does_not(flat: bool) -> None:
    lock = upright_strands(np.arange(20, 30, 1 / 3), 4.0, flat=flat)
    plane = wall()
    albedo, depth, skin = under_hair(lock, CAMERA, plane, plane.image, plane.z)
    covered = ~skin[30]
    expected = np.zeros(SIDE, np.bool_)
    expected[20:30] = not flat
    np.testing.assert_array_equal(covered, expected)
    np.testing.assert_allclose(depth, np.where(skin, 0, 4.0), atol=1e-5)
    tip_to_root = albedo[:, 25, 0] / 255
    assert 0.5 * 0.55 - 0.01 < tip_to_root.min() <= tip_to_root.max() < 0.51, "hair is painted either way"


def test_a_lock_throws_its_shadow_as_far_as_the_light_is_low() -> None:
    plane = wall()
    lock = upright_strands(np.arange(20, 24, 1 / 3), 8.0)
    albedo, depth, skin = under_hair(lock, CAMERA, plane, plane.image, plane.z)
    toward = np.array([[-1, 0, 1]], np.float32) / np.sqrt(np.float32(2))  # from the left, 45 degrees up
    light = Lighting(toward, np.full((1, 3), 0.8, np.float32), np.full(3, 0.05, np.float32))
    backdrop = np.zeros((SIDE, SIDE, 3), np.uint8)
    image = lit_with_hair(light, albedo, depth, skin, plane.normals, backdrop)
    dark = np.flatnonzero((image[30, :, 0] < 160) & skin[30])
    assert dark.min() == 24, "a depth map is solid behind what is seen"
    assert dark.max() == pytest.approx(23 + 8, abs=2), "8 pixels before the wall: 8 pixels aside"


def test_what_covers_is_shaded_by_its_own_slope() -> None:
    normals, mask = np.zeros((SIDE, SIDE, 3), np.float32), np.zeros((SIDE, SIDE), np.bool_)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    depth = 100 + 0.5 * columns - 0.25 * rows  # rises to the right and, as rows go down, upward
    made, scene = whole_scene(normals, depth, mask)
    assert scene.all()
    expected = np.array([-0.5, -0.25, 1]) / np.linalg.norm([-0.5, -0.25, 1])
    np.testing.assert_allclose(made[20:40, 20:40], np.broadcast_to(expected, (20, 20, 3)), atol=1e-3)
    mask[:] = True
    assert whole_scene(normals, depth, mask)[0] is normals, "bare skin keeps its normals"


@pytest.fixture(scope="module")
def dresser(shared_data: Path) -> Hairdresser:
    return Hairdresser(shared_data / "charmorph_vitruvian")


def moved(mesh: Mesh, scale: float, shift: np.ndarray) -> Mesh:
    return make_mesh((mesh.vertices * scale + shift).astype(np.float32), mesh.faces)


@pytest.mark.parametrize("family", ["anny", "vitruvian"])
def test_hair_follows_its_head(shared_data: Path, dresser: Hairdresser, family: str) -> None:
    source = {"anny": "makehuman/makehuman_head.npz", "vitruvian": "charmorph_vitruvian"}[family]
    scan = open_scans(shared_data / source, family, scans=1, seed=3).load(0)
    assert scan.landmarks is not None
    shift = np.array([30.0, -20.0, 10.0], np.float32)
    other = replace(scan, mesh=moved(scan.mesh, 7.0, shift), landmarks=scan.landmarks * 7 + shift)
    haired = 0
    for i in range(6):
        here, there = (dresser.dress(s, (1, i)).strands for s in (scan, other))
        assert (here is None) == (there is None)
        if here is None or there is None:
            continue
        haired += 1
        np.testing.assert_array_equal(here.flat, there.flat)
        wrong = np.abs(there.curves - (here.curves * 7 + shift)).max(axis=(1, 2))
        size = 7 * np.ptp(scan.mesh.vertices[:, 0])
        assert np.quantile(wrong, 0.99) < 0.005 * size, "a larger head, elsewhere, has larger hair there"
    assert haired >= 4


def test_hair_lies_around_the_skull_and_grows_out_of_it(shared_data: Path, dresser: Hairdresser) -> None:
    from scipy.spatial import cKDTree

    source = shared_data / "ict_facekit" / "ict_facekit.npz"
    reader = open_scans(source, "ict-facekit", scans=8, seed=4)
    for i in range(8):
        scan = dresser.dress(reader.load(i), (2, i))
        if scan.strands is None:
            continue
        roots = scan.strands.curves[:, 0]
        away_cm = cKDTree(scan.mesh.vertices).query(roots)[0]
        assert np.median(away_cm) < 1.0, "the model's unit is the centimetre"
        assert np.quantile(away_cm, 0.95) < 4.0
        assert np.isfinite(scan.strands.curves).all()
        assert 0 < scan.strands.rgb.min() <= scan.strands.rgb.max() < 1


def test_sets_with_hair_have_the_truth_of_the_bald_ones(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "charmorph_vitruvian"
    bald = replace(SMALL, size_px=96, keep_albedo=True, lighting="rich")
    haired = replace(bald, hair=source)
    render(source, "vitruvian", tmp_path / "bald.h5", bald, scans=4)
    render(source, "vitruvian", tmp_path / "haired.h5", haired, scans=4)
    covered = 0
    a, b = open_pairs(tmp_path / "bald.h5"), open_pairs(tmp_path / "haired.h5")
    assert "CharMorph" in b.licence
    for i in range(len(a)):
        one, other = a.sample(i, unlit=True), b.sample(i, unlit=True)
        assert not (other.mask & ~one.mask).any()
        np.testing.assert_array_equal(other.normals[other.mask], one.normals[other.mask])
        assert not other.normals[~other.mask].any()
        assert other.depth is not None
        hidden = one.mask & ~other.mask
        assert (other.depth[hidden] != 0).all(), "what hides the skin can be lit, and shades it"
        covered += int(hidden.sum())
        lit = relight(other, np.random.default_rng(i))
        assert np.array_equal(lit.mask, other.mask)
        assert not lit.normals[~lit.mask].any()
    assert covered > 2_000


@pytest.mark.parametrize("arrays", [
    {"cnt": np.array([2], np.uint8)},
    {"cnt": np.array([3], np.uint8), "data": np.zeros((2, 3), np.float32)},
    {"cnt": np.array([1, 1], np.uint8), "data": np.zeros((2, 3), np.float32)},
    {"cnt": np.array([2], np.uint8), "data": np.full((2, 3), np.nan, np.float32)},
    {"cnt": np.array([[2]], np.uint8), "data": np.zeros((2, 3), np.float32)},
])  # fmt: skip
def test_files_that_hold_no_strands_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    np.savez(tmp_path / "Bob.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(FNormalError, match=r"Bob\.npz holds no strands"):
        _guides(tmp_path / "Bob.npz")


def test_no_hair_without_styles_or_points(tmp_path: Path, dresser: Hairdresser) -> None:
    with pytest.raises(FNormalError, match="holds no hairstyles"):
        Hairdresser(tmp_path)
    mesh = make_mesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.int32))
    with pytest.raises(FNormalError, match="68 points"):
        dresser.dress(Scan("a", "a", mesh), (0, 0))
