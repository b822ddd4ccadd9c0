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
    [[-0.1460999995470047, 0.39719998836517334, 0.906000018119812], [-0.7479000091552734, 0.36070001125335693, 0.557200014591217],
     [0.7131999731063843, 0.32670000195503235, 0.6201000213623047], [0.2125999927520752, 0.34540000557899475, 0.9139999747276306]],
    [[-0.21240000426769257, -0.3296000063419342, 0.9199000000953674], [-0.4772000014781952, -0.2921999990940094, 0.8288000226020813],
     [0.5141000151634216, -0.12809999287128448, 0.8481000065803528], [0.04580000042915344, -0.46059998869895935, 0.8863999843597412]],
    [[-0.5676000118255615, -0.0, 0.8233000040054321], [-0.3246999979019165, 0.3691999912261963, 0.8708000183105469],
     [0.4916999936103821, 0.43560001254081726, 0.7538999915122986], [0.41370001435279846, -0.11640000343322754, 0.902999997138977]],
    [[-0.7185999751091003, -0.19089999794960022, 0.6686999797821045], [-0.30570000410079956, 0.12039999663829803, 0.9445000290870667],
     [0.45590001344680786, 0.053700000047683716, 0.8884000182151794], [0.7032999992370605, -0.43849998712539673, 0.559499979019165]],
])  # fmt: skip


def test_the_default_network_on_the_example_photo(astronaut: Path) -> None:
    (face,) = fnormal.Predictor().predict(read_image(astronaut))
    crop = face.crop
    assert (crop.x_px, crop.y_px, crop.side_px, crop.size_px) == (169, 75, 112, 256)
    assert face.mask.sum() == pytest.approx(6663, abs=2)
    rows = [round(crop.y_px + share * crop.side_px) for share in ROWS]
    columns = [round(crop.x_px + share * crop.side_px) for share in COLUMNS]
    assert angular_error_deg(face.normals[np.ix_(rows, columns)], NORMALS).max() < 0.05
