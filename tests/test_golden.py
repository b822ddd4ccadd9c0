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
    [[-0.1957, 0.3574, 0.9132], [-0.7431, 0.3691, 0.5582],
     [0.6856, 0.2951, 0.6655], [0.2075, 0.2675, 0.9409]],
    [[-0.1613, -0.3176, 0.9344], [-0.317, -0.2554, 0.9134],
     [0.5826, 0.0255, 0.8123], [0.0491, -0.3894, 0.9197]],
    [[-0.6155, -0.0137, 0.788], [-0.4118, 0.2576, 0.8741],
     [0.5298, 0.357, 0.7694], [0.4894, -0.1106, 0.865]],
    [[-0.7295, -0.2149, 0.6494], [-0.3442, 0.1069, 0.9328],
     [0.4424, 0.0341, 0.8962], [0.715, -0.4509, 0.5343]],
])  # fmt: skip


def test_the_default_network_on_the_example_photo(astronaut: Path) -> None:
    (face,) = fnormal.Predictor().predict(read_image(astronaut))
    crop = face.crop
    assert (crop.x_px, crop.y_px, crop.side_px, crop.size_px) == (169, 75, 112, 256)
    assert face.mask.sum() == pytest.approx(6663, abs=2)
    rows = [round(crop.y_px + share * crop.side_px) for share in ROWS]
    columns = [round(crop.x_px + share * crop.side_px) for share in COLUMNS]
    assert angular_error_deg(face.normals[np.ix_(rows, columns)], NORMALS).max() < 0.05
