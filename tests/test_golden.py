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
    [[-0.1461, 0.3972, 0.906], [-0.7479, 0.3607, 0.5572],
     [0.7132, 0.3267, 0.6201], [0.2126, 0.3454, 0.914]],
    [[-0.2124, -0.3296, 0.9199], [-0.4772, -0.2922, 0.8288],
     [0.5141, -0.1281, 0.8481], [0.0458, -0.4606, 0.8864]],
    [[-0.5676, -0.0, 0.8233], [-0.3247, 0.3692, 0.8708],
     [0.4917, 0.4356, 0.7539], [0.4137, -0.1164, 0.903]],
    [[-0.7186, -0.1909, 0.6687], [-0.3057, 0.1204, 0.9445],
     [0.4559, 0.0537, 0.8884], [0.7033, -0.4385, 0.5595]],
])  # fmt: skip


def test_the_default_network_on_the_example_photo(astronaut: Path) -> None:
    (face,) = fnormal.Predictor().predict(read_image(astronaut))
    crop = face.crop
    assert (crop.x_px, crop.y_px, crop.side_px, crop.size_px) == (169, 75, 112, 256)
    assert face.mask.sum() == pytest.approx(6663, abs=2)
    rows = [round(crop.y_px + share * crop.side_px) for share in ROWS]
    columns = [round(crop.x_px + share * crop.side_px) for share in COLUMNS]
    assert angular_error_deg(face.normals[np.ix_(rows, columns)], NORMALS).max() < 0.05
