"""A prediction on disk: normal map, mask, and the JSON that says how to read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fnormal import __version__
from fnormal.files import write_json
from fnormal.geometry.images import write_image
from fnormal.geometry.normal_maps import NORMAL_FORMATS, write_normals
from fnormal.prediction.predictor import FaceNormals


def write_result(stem: Path, source: str, result: FaceNormals, frame: str, format: str) -> Iterator[Path]:
    """Write ``<stem>_normals``, ``<stem>_mask.png`` and ``<stem>.json``; the JSON comes last."""
    normals = stem.with_name(f"{stem.name}_normals{NORMAL_FORMATS[format]}")
    mask = stem.with_name(f"{stem.name}_mask.png")
    crop = result.crop.as_dict()
    note = {"fnormal:crop": f"{crop['x_px']},{crop['y_px']},{crop['side_px']}"}
    write_normals(normals, result.normals, result.mask, frame=frame, format=format, note=note)
    yield normals
    write_image(mask, result.mask.astype(np.uint8) * 255)
    yield mask
    about = stem.with_name(f"{stem.name}.json")
    write_json(about, describe(source, result, frame) | {"normals": normals.name, "mask": mask.name})
    yield about


def describe(source: str, result: FaceNormals, frame: str) -> dict[str, Any]:
    """What a reader of the files must know."""
    face = result.face
    return {
        "picture": source,
        "frame": frame,
        "axes": "of the camera; see docs/conventions.md",
        "background": 0,
        "height_px": result.mask.shape[0],
        "width_px": result.mask.shape[1],
        "crop": result.crop.as_dict(),
        "box": None if face is None else list(face.box),
        "landmarks": None if face is None else face.landmarks.tolist(),
        "mean_confidence": float(result.confidence[result.mask].mean()) if result.mask.any() else 0.0,
        "fnormal_version": __version__,
    }
