"""What the default network says of the example photo never drifts; new weights or views bring new numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import fnormal
from fnormal.geometry.images import resize_image
from fnormal.geometry.normals import angular_error_deg, unit
from fnormal.geometry.picturefile import read_image
from fnormal.network.checkpoint import load_model

# normals of the astronaut at shares of the crop's height (rows) and width (columns)
ROWS, COLUMNS = (0.35, 0.5, 0.65, 0.8), (0.3, 0.42, 0.58, 0.7)
NORMALS = np.array([
    [[-0.1475, 0.4252, 0.893], [-0.7399, 0.3768, 0.5573],
     [0.705, 0.3422, 0.6212], [0.2161, 0.3667, 0.9049]],
    [[-0.1904, -0.3331, 0.9235], [-0.4353, -0.1854, 0.881],
     [0.5216, -0.1367, 0.8422], [0.0421, -0.4529, 0.8906]],
    [[-0.5599, -0.0126, 0.8285], [-0.3065, 0.3865, 0.8699],
     [0.4507, 0.4841, 0.75], [0.416, -0.0914, 0.9048]],
    [[-0.7281, -0.2133, 0.6515], [-0.3349, 0.1348, 0.9326],
     [0.4376, 0.0777, 0.8958], [0.7038, -0.4282, 0.5668]],
])  # fmt: skip


def test_the_default_network_on_the_example_photo(astronaut: Path) -> None:
    (face,) = fnormal.Predictor().predict(read_image(astronaut))
    crop = face.crop
    assert (crop.x_px, crop.y_px, crop.side_px, crop.size_px) == (169, 75, 112, 256)
    assert face.mask.sum() == pytest.approx(6663, abs=2)
    rows = [round(crop.y_px + share * crop.side_px) for share in ROWS]
    columns = [round(crop.x_px + share * crop.side_px) for share in COLUMNS]
    assert angular_error_deg(face.normals[np.ix_(rows, columns)], NORMALS).max() < 0.05


def test_normals_pass_through_the_default_network(astronaut: Path) -> None:
    """Its normal encoder belongs to its decoder (3.1): runs of images alone leave it behind unnoticed."""
    (face,) = fnormal.Predictor().predict(read_image(astronaut))
    crop = face.crop
    part = np.s_[crop.y_px : crop.y_px + crop.side_px, crop.x_px : crop.x_px + crop.side_px]
    normals = unit(resize_image(np.ascontiguousarray(face.normals[part], np.float32), crop.size_px))
    mask = resize_image(face.mask[part].astype(np.uint8), crop.size_px) > 0
    with torch.inference_mode():
        given = torch.from_numpy(normals * mask[..., None]).permute(2, 0, 1)[None]
        passed = unit(load_model().normals_to_normals(given)[0].permute(1, 2, 0).numpy())
    assert angular_error_deg(passed, normals)[mask].mean() < 9  # 7.6; left behind it was 10.8
