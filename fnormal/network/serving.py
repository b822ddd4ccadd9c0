"""Crops -> mean predictions, by torch or by ONNX Runtime; neither is imported before it is needed.

Torch takes most of a second to import, which a photo from the shell feels. The weights that come with fnormal
lie beside their ONNX twin, which ONNX Runtime serves where it is installed and no GPU is asked for, and
beside a fast twin, which calculates with 8-bit integers.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fnormal.arrays import F32
from fnormal.files.opening import WEIGHTS, decoding
from fnormal.network.onnx_session import open_session

DEFAULT_ONNX = "fine.onnx"  # package data, written by benchmarks/ship_weights.py
FAST_ONNX = "fine_int8.onnx"  # package data, written by benchmarks/quantize.py
_VNNI = 261  # CPU_AVX512_CLX in OpenCV's C++ header; its Python module has no name for it
_KEY = "fnormal"


class Runner(Protocol):
    """What a predictor runs."""

    @property
    def size_px(self) -> int:
        """Side of its input."""

    @property
    def sure(self) -> bool:
        """Whether lengths tell how sure it is."""

    @property
    def levels(self) -> bool:
        """Whether its pictures are levelled."""

    def mean(self, images: F32, *, mirror: bool) -> F32:
        """Mean of the predictions for crops in [0, 1] and for their mirror images. [B, S, S, 3] both

        Args:
            images: The crops.
            mirror: False leaves the mirror images out.
        """


class Served:
    """An ONNX file that gives raw normals, in ONNX Runtime, without torch.

    Args:
        path: The file.
        threads: CPU threads; None leaves ONNX Runtime's own number.
    """

    levels = True  # these weights' pictures are

    def __init__(self, path: Path, threads: int | None) -> None:
        self._path, self._session = path, open_session(path, threads=threads)
        self.is_fast = path.name == FAST_ONNX
        with decoding(path, WEIGHTS):
            about = json.loads(self._session.get_modelmeta().custom_metadata_map[_KEY])
            self.size_px, self.sure = int(about["size_px"]), bool(about["sure"])

    def mean(self, images: F32, *, mirror: bool) -> F32:
        """See :class:`Runner`."""
        asked = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        if mirror:
            asked = np.concatenate([asked, asked[..., ::-1]])
        with decoding(self._path, WEIGHTS):
            (raw,) = self._session.run(None, {"image": asked})
        if not self.sure:
            raw = raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-12)
        if not mirror:
            return np.asarray(raw.transpose(0, 2, 3, 1), np.float32)
        direct, other = np.split(raw, 2)
        turned = other[..., ::-1] * np.array([-1, 1, 1], np.float32)[:, None, None]
        return np.asarray(((direct + turned) / 2).transpose(0, 2, 3, 1), np.float32)


def open_runner(
    weights: Any, device: str, threads: int | None, size_px: int | None, *, fast: bool = False
) -> Runner:
    """The runner of a weights file, an ``.onnx``, a network, or None for the weights that come with fnormal.

    The twins of the latter have one size; another ``size_px`` goes to torch.

    Args:
        weights: Which.
        device: Where it runs.
        threads: CPU threads; None leaves the runtime's own number.
        size_px: Side of the input; None for what the weights were trained on.
        fast: Take the fast twin where there is a use for it.

    Raises:
        FNormalError: The file cannot be used.
    """
    if weights is None and device == "cpu":
        twin = default_twin(fast=fast and multiplies_bytes())
        if twin is not None:
            served = Served(twin, threads)
            if size_px in (None, served.size_px):
                return served
    from fnormal.network.torch_runner import TorchRunner

    return TorchRunner(weights, device, threads)


def multiplies_bytes() -> bool:
    """Whether this processor sums products of bytes exactly and at once (AVX-512 VNNI).

    Without it ONNX Runtime's sums overflow 16 bits, and answers are wrong where a picture is bright.
    """
    import cv2

    return bool(cv2.checkHardwareSupport(_VNNI))


def default_twin(*, fast: bool = False) -> Path | None:
    """The ONNX twin of the default weights, where it and ONNX Runtime are installed."""
    import importlib.util

    twin = Path(str(resources.files("fnormal") / "data" / (FAST_ONNX if fast else DEFAULT_ONNX)))
    there = twin.is_file() and importlib.util.find_spec("onnxruntime") is not None
    return twin if there else None
