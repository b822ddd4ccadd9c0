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
    [[-0.1276, 0.4035, 0.906], [-0.6556, 0.4097, 0.6343],
     [0.5103, 0.3107, 0.8019], [0.1046, 0.3049, 0.9466]],
    [[-0.3192, -0.1333, 0.9383], [-0.5083, -0.0169, 0.861],
     [0.4232, 0.1638, 0.8911], [-0.0148, -0.4472, 0.8943]],
    [[-0.5525, -0.0445, 0.8323], [-0.3236, 0.0395, 0.9454],
     [0.542, 0.2509, 0.8021], [0.3841, -0.079, 0.9199]],
    [[-0.685, -0.2361, 0.6892], [-0.2933, 0.1486, 0.9444],
     [0.422, -0.0122, 0.9065], [0.6887, -0.5183, 0.5069]],
])  # fmt: skip


def test_the_default_network_on_the_example_photo(astronaut: Path) -> None:
    (face,) = fnormal.Predictor().predict(read_image(astronaut))
    crop = face.crop
    assert (crop.x_px, crop.y_px, crop.side_px, crop.size_px) == (170, 76, 112, 128)
    assert face.mask.sum() == pytest.approx(6867, abs=2)
    rows = [round(crop.y_px + share * crop.side_px) for share in ROWS]
    columns = [round(crop.x_px + share * crop.side_px) for share in COLUMNS]
    assert angular_error_deg(face.normals[np.ix_(rows, columns)], NORMALS).max() < 0.05
