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
    [[-0.1722, 0.4257, 0.8883], [-0.7511, 0.3747, 0.5435],
     [0.7251, 0.3381, 0.5999], [0.2149, 0.3524, 0.9108]],
    [[-0.2116, -0.3568, 0.9099], [-0.5039, -0.2045, 0.8392],
     [0.5388, -0.1355, 0.8315], [0.0411, -0.4777, 0.8775]],
    [[-0.5618, -0.0064, 0.8273], [-0.3157, 0.4155, 0.8531],
     [0.4518, 0.4795, 0.7523], [0.4073, -0.095, 0.9084]],
    [[-0.7329, -0.2044, 0.6489], [-0.3417, 0.1407, 0.9292],
     [0.445, 0.0827, 0.8917], [0.7111, -0.4221, 0.5623]],
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
