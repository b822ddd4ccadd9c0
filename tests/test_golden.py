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
    [[-0.2031, 0.3499, 0.9145], [-0.7582, 0.3611, 0.5429],
     [0.6332, 0.2877, 0.7185], [0.215, 0.2684, 0.939]],
    [[-0.3342, -0.1511, 0.9303], [-0.6046, 0.0209, 0.7963],
     [0.5154, 0.1637, 0.8412], [0.075, -0.4284, 0.9005]],
    [[-0.6437, -0.0026, 0.7653], [-0.3636, 0.2775, 0.8893],
     [0.6284, 0.1208, 0.7685], [0.4723, -0.1487, 0.8688]],
    [[-0.7306, -0.196, 0.6541], [-0.2961, 0.0897, 0.9509],
     [0.5042, -0.0453, 0.8624], [0.7257, -0.5362, 0.4311]],
])  # fmt: skip


def test_the_default_network_on_the_example_photo(astronaut: Path) -> None:
    (face,) = fnormal.Predictor().predict(read_image(astronaut))
    crop = face.crop
    assert (crop.x_px, crop.y_px, crop.side_px, crop.size_px) == (170, 76, 112, 256)
    assert face.mask.sum() == pytest.approx(6866, abs=2)
    rows = [round(crop.y_px + share * crop.side_px) for share in ROWS]
    columns = [round(crop.x_px + share * crop.side_px) for share in COLUMNS]
    assert angular_error_deg(face.normals[np.ix_(rows, columns)], NORMALS).max() < 0.05
