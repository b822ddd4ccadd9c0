"""Cameras: rays and pixels, everybody's files, one camera's depth in another's picture."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from fnormal.enhancement.registration import laid_over
from fnormal.errors import FNormalError
from fnormal.geometry.depthfile import Depth
from fnormal.geometry.intrinsics import PRESETS, Intrinsics, read_intrinsics
from tests.test_depth import CAMERA, ball_depth


def test_rays_and_pixels_are_each_others_inverse_through_the_lens() -> None:
    camera = PRESETS["kinect-v2"]
    rng = np.random.default_rng(0)
    pixels = rng.uniform((60, 60), (440, 360), (50, 2))
    rays = camera.rays(pixels)
    again = camera.project(np.concatenate([rays, np.ones((50, 1))], axis=1) * rng.uniform(0.5, 2, (50, 1)))
    assert again == pytest.approx(pixels, abs=0.02)


@pytest.mark.parametrize(
    "stated",
    [
        {"fx": 300, "fy": 310, "cx": 160, "cy": 121, "width": 320, "height": 240},
        {"K": [[300, 0, 160], [0, 310, 121], [0, 0, 1]], "size_wh": [320, 240]},
        {"intrinsic_matrix": [300, 0, 0, 0, 310, 0, 160, 121, 1], "width": 320, "height": 240},
        {"fx": 300, "fy": 310, "ppx": 160, "ppy": 121, "coeffs": [0, 0, 0, 0, 0]},
    ],
)
def test_everybodys_camera_files(tmp_path: Path, stated: dict[str, object]) -> None:
    path = tmp_path / "k.json"
    path.write_text(json.dumps(stated))
    camera = read_intrinsics(str(path), 320, 240)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (300, 310, 160, 121)
    double = camera.scaled(640, 480)
    assert (double.fx, double.cx) == (600, 320.5), "pixel centres are integers"


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ("{}", "has no camera"),
        ('{"fx": 3000, "fy": 3000, "cx": 1900, "cy": 1000}', "cannot belong to 320x240"),
        ('{"fx": 300, "cx": 160, "cy": 120, "width": 512, "height": 424}', "another shape"),
        ('{"fx": 0, "cx": 160, "cy": 120}', "none"),
        ("[1]", "JSON"),
        ("{", "camera file"),
    ],
)
def test_cameras_that_cannot_be_are_one_line(tmp_path: Path, stated: str, said: str) -> None:
    path = tmp_path / "k.json"
    path.write_text(stated)
    with pytest.raises(FNormalError, match=said):
        read_intrinsics(str(path), 320, 240)
    with pytest.raises(FNormalError, match="kinect-v2"):
        read_intrinsics("kinect-v9", 320, 240)


# registration


def test_depth_is_drawn_into_another_cameras_picture() -> None:
    """A depth camera 25 mm beside the photo's, of another size: the ball agrees to the raster's own steps."""
    depth_camera = Intrinsics(200, 160, 180.0, 180.0, 99.5, 79.5, (0.05, -0.02, 0, 0, 0))
    shift = np.array([0.025, 0.0, 0.0])
    depth, _, _ = ball_depth(depth_camera)
    extrinsics = np.eye(4)
    extrinsics[:3, 3] = shift
    truth, _, _ = ball_depth(CAMERA, (0.025, 0.0, 0.8))
    photo = np.zeros((240, 320, 3), np.uint8)
    on_photo = laid_over(Depth(depth, None), photo, depth_camera, CAMERA, extrinsics)
    height, width = on_photo.metres.shape
    wanted = cv2.resize(truth, (width, height), interpolation=cv2.INTER_NEAREST)
    both = cv2.erode(((on_photo.metres > 0) & (wanted > 0)).astype(np.uint8), np.ones((9, 9))) > 0
    assert both.sum() > 200
    assert np.abs(on_photo.metres - wanted)[both].mean() < 0.0015
    behind = np.eye(4)
    behind[2, 3] = -5.0
    with pytest.raises(FNormalError, match="no point of the depth"):
        laid_over(Depth(depth, None), photo, depth_camera, CAMERA, behind)
