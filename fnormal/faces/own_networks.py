"""fnormal's own small networks, which look at 64 pixels of a face: opened once, run by OpenCV."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from fnormal.arrays import Array


@lru_cache(maxsize=4)
def _opened(name: str) -> Any:
    import cv2

    model = (resources.files("fnormal") / "data" / name).read_bytes()
    return cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))


def ask(name: str, view: Array) -> Array:
    """What a network of the package's data says of a square picture [S, S, 3], uint8 or in [0, 1]."""
    import cv2

    network = _opened(name)
    scale = 1 / 255 if view.dtype == np.uint8 else 1.0
    network.setInput(cv2.dnn.blobFromImage(np.asarray(view, np.float32), scale))
    return np.asarray(network.forward())
