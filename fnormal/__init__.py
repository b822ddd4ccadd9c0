"""fnormal: surface normals of faces. See README.md, and docs/conventions.md for frames and units."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from fnormal.enhancement.pipeline import enhance
    from fnormal.enhancement.transfer import Enhanced
    from fnormal.errors import FNormalError
    from fnormal.geometry.meshfile import read_mesh
    from fnormal.network.checkpoint import load_model
    from fnormal.prediction.face_normals import FaceNormals
    from fnormal.prediction.predictor import Predictor

_HOMES = {
    "load_model": "fnormal.network.checkpoint",
    "FNormalError": "fnormal.errors",
    "Predictor": "fnormal.prediction.predictor",
    "FaceNormals": "fnormal.prediction.face_normals",
    "Enhanced": "fnormal.enhancement.transfer",
    "enhance": "fnormal.enhancement.pipeline",
    "read_mesh": "fnormal.geometry.meshfile",
}
__all__ = [
    "Enhanced", "FNormalError", "FaceNormals", "Predictor", "__version__", "enhance", "load_model",
    "read_mesh",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import on first use: ``import fnormal`` alone must not cost torch's seconds."""
    if name not in _HOMES:
        raise AttributeError(f"module 'fnormal' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
