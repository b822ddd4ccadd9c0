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
    [[-0.2053, 0.379, 0.9023], [-0.7671, 0.3691, 0.5247],
     [0.7132, 0.3237, 0.6218], [0.247, 0.2899, 0.9246]],
    [[-0.2603, -0.2959, 0.9191], [-0.48, -0.2724, 0.8339],
     [0.518, -0.1027, 0.8492], [0.1339, -0.3827, 0.9141]],
    [[-0.6152, -0.0213, 0.7881], [-0.3421, 0.3175, 0.8844],
     [0.4834, 0.415, 0.7708], [0.4771, -0.1025, 0.8729]],
    [[-0.7175, -0.2092, 0.6644], [-0.3246, 0.1264, 0.9374],
     [0.4446, 0.0641, 0.8934], [0.7068, -0.4161, 0.5721]],
])  # fmt: skip


def test_the_default_network_on_the_example_photo(astronaut: Path) -> None:
    (face,) = fnormal.Predictor().predict(read_image(astronaut))
    crop = face.crop
    assert (crop.x_px, crop.y_px, crop.side_px, crop.size_px) == (169, 75, 112, 256)
    assert face.mask.sum() == pytest.approx(6663, abs=2)
    rows = [round(crop.y_px + share * crop.side_px) for share in ROWS]
    columns = [round(crop.x_px + share * crop.side_px) for share in COLUMNS]
    assert angular_error_deg(face.normals[np.ix_(rows, columns)], NORMALS).max() < 0.05
