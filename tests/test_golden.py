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
    [[-0.1431, 0.4883, 0.8608], [-0.6284, 0.4498, 0.6346],
     [0.5437, 0.404, 0.7357], [0.1414, 0.4079, 0.902]],
    [[-0.366, -0.0763, 0.9275], [-0.5195, 0.0854, 0.8502],
     [0.4684, 0.2314, 0.8527], [-0.0331, -0.4306, 0.9019]],
    [[-0.5552, 0.0152, 0.8316], [-0.2396, 0.3754, 0.8954],
     [0.6096, 0.2257, 0.7599], [0.3799, -0.1052, 0.919]],
    [[-0.7143, -0.2322, 0.6602], [-0.2952, 0.2167, 0.9305],
     [0.4721, 0.0314, 0.881], [0.6888, -0.5488, 0.4736]],
])  # fmt: skip


def test_the_default_network_on_the_example_photo(astronaut: Path) -> None:
    (face,) = fnormal.Predictor().predict(read_image(astronaut))
    crop = face.crop
    assert (crop.x_px, crop.y_px, crop.side_px, crop.size_px) == (170, 76, 112, 128)
    assert face.mask.sum() == pytest.approx(6867, abs=2)
    rows = [round(crop.y_px + share * crop.side_px) for share in ROWS]
    columns = [round(crop.x_px + share * crop.side_px) for share in COLUMNS]
    assert angular_error_deg(face.normals[np.ix_(rows, columns)], NORMALS).max() < 0.05
