"""Depth cameras: files, lenses, registration and fusion."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

from fnormal.enhancement.depthwork import fuse_face
from fnormal.enhancement.fusion import camera_normals, fuse, grid_points, local_planes, noise_of, own_normals
from fnormal.enhancement.registration import OnPhoto, edges_apart
from fnormal.errors import FNormalError
from fnormal.faces.crop import Crop
from fnormal.faces.detect import FaceBox
from fnormal.geometry.depthfile import read_depth
from fnormal.geometry.intrinsics import Intrinsics, guessed_intrinsics
from fnormal.geometry.meshfile import read_mesh
from fnormal.geometry.normals import angular_error_deg, unit
from fnormal.prediction.face_normals import FaceNormals
from tests.helpers import run

CAMERA = Intrinsics(320, 240, 300.0, 300.0, 159.5, 119.5)


def ball_depth(
    camera: Intrinsics, middle: tuple[float, float, float] = (0.0, 0.0, 0.8), radius: float = 0.1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth of a ball before a camera (y down), its normals (y up, to the viewer), and the rays."""
    rows, columns = np.mgrid[: camera.height_px, : camera.width_px]
    rays = camera.rays(np.stack([columns, rows], axis=-1))
    directions = np.concatenate([rays, np.ones((*rays.shape[:2], 1))], axis=-1)
    a = (directions**2).sum(axis=-1)
    b = directions @ np.array(middle)
    c = float(np.dot(middle, middle)) - radius**2
    inside = b**2 - a * c
    depth = np.where(inside > 0, (b - np.sqrt(np.maximum(inside, 0))) / a, 0)
    normals = (directions * depth[..., None] - middle) / radius * (1, -1, -1)
    return depth.astype(np.float32), unit(normals * (depth > 0)[..., None]), rays


# files


@pytest.mark.parametrize("kind", ["png", "tiff", "npy", "npy_mm", "npz", "mat"])
def test_depth_files_are_metres(tmp_path: Path, kind: str) -> None:
    from scipy.io import savemat

    depth, _, _ = ball_depth(CAMERA)
    mm = np.rint(depth * 1000).astype(np.uint16)
    path = tmp_path / f"d.{kind.split('_')[0]}"
    if kind in ("png", "tiff"):
        assert cv2.imwrite(str(path), mm)
    elif kind == "npz":
        np.savez(path, depth=depth)
    elif kind == "mat":
        savemat(path, {"depth": depth})
    else:
        np.save(path, mm if kind == "npy_mm" else depth)
    read = read_depth(path)
    assert read.metres is not None
    assert read.metres == pytest.approx(depth, abs=0.0006)
    assert read_depth(path, 5000.0).metres.max() < depth.max() or kind in ("npy", "npz", "mat")  # type: ignore[union-attr]


def test_clouds_of_ply_and_pcd_are_points(tmp_path: Path) -> None:
    depth, _, rays = ball_depth(CAMERA)
    points = (grid_points(depth, rays) * (1, -1, -1))[depth > 0]
    trimesh.PointCloud(points).export(tmp_path / "c.ply")
    header = (
        "VERSION .7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F U\nCOUNT 1 1 1 1\n"
        f"WIDTH {len(points)}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(points)}\nDATA "
    )
    rows = np.zeros(len(points), [("xyz", "<f4", (3,)), ("rgb", "<u4")])
    rows["xyz"] = points
    (tmp_path / "b.pcd").write_bytes(f"# .PCD\n{header}binary\n".encode() + rows.tobytes())
    text = "\n".join(f"{x:.6f} {y:.6f} {z:.6f} 0" for x, y, z in points)
    (tmp_path / "a.pcd").write_text(f"{header}ascii\n{text}\n")
    for name in ("c.ply", "b.pcd", "a.pcd"):
        cloud = read_depth(tmp_path / name).cloud
        assert cloud is not None
        assert cloud == pytest.approx(points.astype(np.float64), abs=1e-5)
    (tmp_path / "z.pcd").write_bytes(f"{header}binary_compressed\n".encode() + b"0" * 99)
    with pytest.raises(FNormalError, match="binary or ascii"):
        read_depth(tmp_path / "z.pcd")


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("a.npy", np.zeros((4, 4), np.float32), "no depth"),
        ("a.npy", np.ones((4, 4, 3), np.float32) * np.float32([1, 2, 3]), "not one channel"),
        ("a.png", np.full((4, 4), 9, np.uint8), "8 bits"),
    ],
)
def test_what_is_no_depth_is_one_line(tmp_path: Path, name: str, array: np.ndarray, said: str) -> None:
    path = tmp_path / name
    if name.endswith("npy"):
        np.save(path, array)
    else:
        assert cv2.imwrite(str(path), array)
    with pytest.raises(FNormalError, match=said):
        read_depth(path)


# cameras


def test_edges_that_lie_apart_are_told() -> None:
    depth, normals, _ = ball_depth(CAMERA)
    light = 40 + 160 * np.clip(normals @ unit(np.array([-0.5, 0.4, 0.7])), 0, 1) * (depth > 0)
    photo = np.repeat(light[..., None], 3, axis=-1).astype(np.uint8)
    box = (122.0, 82.0, 198.0, 158.0)
    on_photo = OnPhoto(np.where(depth > 0, depth, 1.5).astype(np.float32), CAMERA, 1.0)
    assert np.hypot(*edges_apart(on_photo, photo, box)) <= 1.5
    moved = OnPhoto(np.roll(on_photo.metres, -7, axis=1), CAMERA, 1.0)
    assert edges_apart(moved, photo, box)[0] == pytest.approx(7, abs=1.5)


# fusion


def test_planes_are_exact_and_their_normals_too() -> None:
    """A slanted plane before the camera, with a hole: no blur at its rim, the hole closed."""
    rows, columns = np.mgrid[:120, :160]
    camera = Intrinsics(160, 120, 150.0, 150.0, 79.5, 59.5)
    rays = camera.rays(np.stack([columns, rows], axis=-1))
    normal = unit(np.array([0.4, 0.2, 0.9]))
    point = np.array([0.0, 0.0, -0.7])
    directions = np.stack([rays[..., 0], -rays[..., 1], -np.ones(rays.shape[:2])], axis=-1)
    depth = ((point @ normal) / (directions @ normal)).astype(np.float32)
    known = np.ones(depth.shape, bool)
    known[50:60, 70:80] = False
    found, normals = local_planes(np.where(known, depth, 0), known, rays, 6.0)
    inner = np.s_[12:-12, 12:-12]
    assert np.abs(found - depth)[inner].max() < 0.0008
    assert angular_error_deg(normals, normal)[inner].max() < 1.0
    assert angular_error_deg(own_normals(grid_points(depth, rays), known)[30:40, 30:40], normal).max() < 0.1


def test_normals_of_a_crop_are_turned_to_its_ray() -> None:
    """What looks at the viewer in a crop 15 degrees beside the axis looks along that ray."""
    ray = np.array([np.tan(np.radians(15.0)), 0.0])
    turned = camera_normals(np.array([[0.0, 0, 1]], np.float32), ray)
    assert turned[0] == pytest.approx([-np.sin(np.radians(15)), 0, np.cos(np.radians(15))], abs=1e-6)


@pytest.mark.parametrize("beside", [0.0, 0.2])
def test_noise_is_halved_and_detail_comes_from_the_normals(beside: float) -> None:
    """A ball with waves that the noise hides: depth and normals both gain, on and off the camera's axis."""
    depth, normals, rays = ball_depth(CAMERA, (beside, 0.0, 0.8), 0.12)
    mask = cv2.erode((depth > 0).astype(np.uint8), np.ones((13, 13))) > 0
    rng = np.random.default_rng(0)
    raw = np.where(depth > 0, depth + rng.normal(0, 0.002, depth.shape), 0).astype(np.float32)
    fused = fuse(raw, normals, mask, rays)
    inner = cv2.erode(mask.astype(np.uint8), np.ones((25, 25))) > 0

    def rms(metres: np.ndarray) -> float:
        return float(np.sqrt(((metres - depth)[inner] ** 2).mean()))

    assert rms(fused.metres) < 0.5 * rms(raw)
    own = own_normals(grid_points(fused.metres, rays), fused.metres > 0)
    assert angular_error_deg(own[inner], normals[inner]).mean() < 6
    off, known = (fused.metres - depth) * 1000, depth > 0
    within = mask & ~(cv2.erode(mask.astype(np.uint8), np.ones((5, 5))) > 0)
    beyond = (cv2.dilate(mask.astype(np.uint8), np.ones((5, 5))) > 0) & ~mask & known
    assert abs(off[within].mean() - off[beyond].mean()) < 0.1, "no step where the mask ends"
    assert max(off[within].std(), off[beyond].std()) < 0.75 * 2, (
        "nor does all of the noise of 2 mm begin there"
    )
    far = cv2.dilate(mask.astype(np.uint8), np.ones((61, 61))) == 0
    assert np.array_equal(fused.metres[far], raw[far])


def test_noise_that_neighbours_share_is_measured_and_taken_away() -> None:
    """As a TrueDepth camera's: no difference of neighbours shows it, and no narrow filter takes it away."""
    camera = Intrinsics(320, 240, 600.0, 600.0, 159.5, 119.5)
    depth, normals, rays = ball_depth(camera, (0.0, 0.0, 0.6), 0.1)
    mask = cv2.erode((depth > 0).astype(np.uint8), np.ones((21, 21))) > 0
    white = np.random.default_rng(3).normal(0, 1, depth.shape)
    inner = cv2.erode(mask.astype(np.uint8), np.ones((25, 25))) > 0
    errors = {}
    for name, noise in (("own", white), ("shared", cv2.GaussianBlur(white, (0, 0), 1.2))):
        noise = noise / noise.std() * 0.0005
        raw = np.where(depth > 0, depth + noise, 0).astype(np.float32)
        found = noise_of(raw, mask, rays)
        assert found.m == pytest.approx(0.0005, rel=0.2), name
        assert (found.shared > 0.3) == (name == "shared")
        off = (fuse(raw, normals, mask, rays).metres - depth)[inner]
        errors[name] = float(np.sqrt((off**2).mean()))
    assert errors["own"] < 0.4 * 0.0005
    assert errors["shared"] < 0.35 * 0.0005


def test_a_wrong_scale_is_refused() -> None:
    depth, normals, _ = ball_depth(CAMERA)
    mask = depth > 0
    face = FaceBox.around(np.array([[120, 80], [200, 160]], np.float32), 1.0)
    result = FaceNormals(normals, mask, mask.astype(np.float32), Crop(100, 60, 120), face)
    good = fuse_face(OnPhoto(depth, CAMERA, 1.0), CAMERA, result)
    assert good.fused.metres.max() < 0.9
    for factor in (0.1, 10):
        with pytest.raises(FNormalError, match="--depth-scale"):
            fuse_face(OnPhoto(depth * np.float32(factor), CAMERA, 1.0), CAMERA, result)
    with pytest.raises(FNormalError, match="of the face has depth"):
        fuse_face(OnPhoto(np.where(normals[..., 0] > 0.5, depth, 0), CAMERA, 1.0), CAMERA, result)


def test_a_guessed_camera_says_so(shared_data: Path, tmp_path: Path) -> None:
    """The mannequin: real depth; the fused mesh is a head 0.2 m high before the camera."""
    folder = shared_data / "truedepth_mannequin"
    photo, depth = folder / "frame_045.png", folder / "frame_045_depth_m.npy"
    known = ("--depth", depth, "--intrinsics", folder / "intrinsics.json")
    code, stdout, stderr = run("enhance", photo, *known, "--out", tmp_path, "--json")
    assert code == 0, stderr
    record = json.loads(stdout.splitlines()[-1])
    assert 0.2 < record["face_distance_m"] < 0.5
    mesh = read_mesh(Path(record["glb"]))
    assert mesh.vertices[:, 2].max() < -0.2, "the camera is at the origin and looks along -z"
    assert 0.1 < np.ptp(mesh.vertices[:, 1]) < 0.3
    code16 = cv2.imread(record["depth"], cv2.IMREAD_UNCHANGED)
    assert code16.dtype == np.uint16
    fused = np.load(record["depth_m"])
    assert code16 == pytest.approx(fused * 1000, abs=0.51)
    assert fused.shape == (320, 240)
    out = tmp_path / "o"
    code, _, stderr = run("enhance", photo, "--depth", depth, "--out", out)
    assert "no --intrinsics" in stderr
    code, _, stderr = run("enhance", photo, "--depth", depth, "--depth-scale", 1000, "--out", tmp_path / "p")
    assert (code, "--depth-scale" in stderr) == (1, True)
    assert not (tmp_path / "p").exists() or not list((tmp_path / "p").glob("*.glb"))
    assert guessed_intrinsics(240, 320).is_nominal
