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
    [[-0.2226, 0.34, 0.9137], [-0.7406, 0.3667, 0.5631],
     [0.6894, 0.3198, 0.65], [0.2483, 0.2497, 0.936]],
    [[-0.1943, -0.3173, 0.9282], [-0.3723, -0.3049, 0.8766],
     [0.5513, -0.0905, 0.8294], [0.1314, -0.3719, 0.9189]],
    [[-0.6146, -0.0457, 0.7875], [-0.3817, 0.2772, 0.8817],
     [0.5042, 0.3875, 0.7717], [0.5046, -0.1216, 0.8548]],
    [[-0.7295, -0.2188, 0.6481], [-0.3639, 0.1158, 0.9242],
     [0.4583, 0.062, 0.8866], [0.7247, -0.4254, 0.5421]],
])  # fmt: skip


def test_the_default_network_on_the_example_photo(astronaut: Path) -> None:
    (face,) = fnormal.Predictor().predict(read_image(astronaut))
    crop = face.crop
    assert (crop.x_px, crop.y_px, crop.side_px, crop.size_px) == (169, 75, 112, 256)
    assert face.mask.sum() == pytest.approx(6663, abs=2)
    rows = [round(crop.y_px + share * crop.side_px) for share in ROWS]
    columns = [round(crop.x_px + share * crop.side_px) for share in COLUMNS]
    assert angular_error_deg(face.normals[np.ix_(rows, columns)], NORMALS).max() < 0.05
