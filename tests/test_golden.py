"""What the default network says of the example photo never drifts; new weights bring new numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fnormal
from fnormal.geometry.normals import angular_error_deg
from fnormal.geometry.picturefile import read_image

# normals of the astronaut at shares of the crop's height (rows) and width (columns)
ROWS, COLUMNS = (0.35, 0.5, 0.65, 0.8), (0.3, 0.42, 0.58, 0.7)
NORMALS = np.array([
    [[-0.1534, 0.3798, 0.9123], [-0.6743, 0.3779, 0.6345],
     [0.5314, 0.2827, 0.7986], [0.1236, 0.2813, 0.9516]],
    [[-0.3337, -0.1352, 0.9329], [-0.5226, -0.0332, 0.8519],
     [0.4216, 0.1708, 0.8906], [0.0279, -0.4401, 0.8975]],
    [[-0.5557, -0.0443, 0.8302], [-0.3313, 0.116, 0.9364],
     [0.5572, 0.2281, 0.7984], [0.3955, -0.1035, 0.9126]],
    [[-0.6982, -0.2417, 0.6738], [-0.3059, 0.1482, 0.9405],
     [0.4258, -0.0228, 0.9045], [0.6984, -0.5204, 0.4913]],
])  # fmt: skip


def test_the_default_network_on_the_example_photo(astronaut: Path) -> None:
    (face,) = fnormal.Predictor().predict(read_image(astronaut))
    crop = face.crop
    assert (crop.x_px, crop.y_px, crop.side_px, crop.size_px) == (170, 76, 112, 128)
    assert face.mask.sum() == pytest.approx(6867, abs=2)
    rows = [round(crop.y_px + share * crop.side_px) for share in ROWS]
    columns = [round(crop.x_px + share * crop.side_px) for share in COLUMNS]
    assert angular_error_deg(face.normals[np.ix_(rows, columns)], NORMALS).max() < 0.05
