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
    [[-0.1461, 0.3941, 0.9074], [-0.7479, 0.3591, 0.5583],
     [0.7038, 0.3304, 0.6289], [0.2113, 0.3462, 0.9141]],
    [[-0.2533, -0.2943, 0.9215], [-0.4492, -0.259, 0.8551],
     [0.5085, -0.0651, 0.8586], [0.0659, -0.4239, 0.9033]],
    [[-0.5941, -0.0165, 0.8042], [-0.3105, 0.3715, 0.875],
     [0.4854, 0.4464, 0.7517], [0.444, -0.1261, 0.8871]],
    [[-0.721, -0.2036, 0.6624], [-0.3099, 0.1124, 0.9441],
     [0.453, 0.0478, 0.8902], [0.7038, -0.4476, 0.5516]],
])  # fmt: skip


def test_the_default_network_on_the_example_photo(astronaut: Path) -> None:
    (face,) = fnormal.Predictor().predict(read_image(astronaut))
    crop = face.crop
    assert (crop.x_px, crop.y_px, crop.side_px, crop.size_px) == (169, 75, 112, 256)
    assert face.mask.sum() == pytest.approx(6663, abs=2)
    rows = [round(crop.y_px + share * crop.side_px) for share in ROWS]
    columns = [round(crop.x_px + share * crop.side_px) for share in COLUMNS]
    assert angular_error_deg(face.normals[np.ix_(rows, columns)], NORMALS).max() < 0.05
