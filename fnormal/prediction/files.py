"""A prediction on disk: normal map, mask, and the JSON that says how to read them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fnormal import __version__
from fnormal.config import DOUBTFUL_SCORE
from fnormal.faces.detect import FaceBox
from fnormal.files.writing import write_bytes, write_json
from fnormal.geometry.normal_maps import NORMAL_FORMATS, encode_normals
from fnormal.geometry.picturefile import write_image
from fnormal.prediction.face_normals import FaceNormals
from fnormal.progress import Result

_ENDINGS = ("_normals", "_mask", "_before_after")  # of the pictures that predict and enhance write


def result_paths(stem: Path, format: str) -> tuple[Path, Path, Path]:
    """Where a prediction goes: normal map, mask, JSON."""
    normals = stem.with_name(f"{stem.name}_normals{NORMAL_FORMATS[format]}")
    return normals, stem.with_name(f"{stem.name}_mask.png"), stem.with_name(f"{stem.name}.json")


def write_result(
    stem: Path, source: str, result: FaceNormals, frame: str, format: str, *, number: int = 1, n_faces: int
) -> Iterator[Result]:
    """Write normal map, mask and JSON, the last one last.

    Args:
        stem: Path without suffix.
        source: The picture.
        result: The prediction.
        frame: Axes of the normal map.
        format: A name in ``NORMAL_FORMATS``.
        number: Which face of the picture it is, from 1.
        n_faces: How many faces the picture has; 0 where none was looked for.
    """
    normals, mask, about = result_paths(stem, format)
    crop = result.crop.as_dict()
    note = {"fnormal:crop": f"{crop['x_px']},{crop['y_px']},{crop['side_px']}"}
    score = None if result.face is None else result.face.score
    facts = {"picture": source, "face": number, "faces": n_faces, "score": score}
    encoded = encode_normals(
        result.part_normals, result.part_mask, frame=frame, format=format, note=note, placed=result.whole
    )
    write_bytes(normals, encoded)
    del encoded
    yield Result(str(normals), {"path": str(normals), **facts})
    write_image(mask, result.whole(result.part_mask.astype(np.uint8) * 255))
    yield Result(str(mask), {"path": str(mask), **facts})
    write_json(about, {**facts, **describe(result, frame), "normals": normals.name, "mask": mask.name})
    yield Result(str(about), {"path": str(about), **facts})


def describe(result: FaceNormals, frame: str) -> dict[str, Any]:
    """What a reader of the files must know."""
    face, sure = result.face, result.part_confidence[result.part_mask]
    return {
        "frame": frame,
        "axes": "of the camera; see docs/conventions.md",
        "background": 0,
        "height_px": result.shape[0],
        "width_px": result.shape[1],
        "crop": result.crop.as_dict(),
        "box": None if face is None else list(face.box),
        "landmarks": None if face is None else face.landmarks.tolist(),
        "mean_confidence": float(sure.mean()) if sure.size else 0.0,
        "fnormal_version": __version__,
    }


def doubt(source: str, face: FaceBox) -> str:
    """A warning where the detector is hardly sure of a face, else nothing."""
    if face.score >= DOUBTFUL_SCORE:
        return ""
    return (
        f"{source}: the detector is hardly sure of this face (score {face.score:.2f}, doubtful below"
        f" {DOUBTFUL_SCORE:g}); look at the result, or give --landmarks"
    )


def is_own_output(path: Path) -> bool:
    """Whether a picture is what predict or enhance wrote beside its JSON, and no photo."""
    for ending in _ENDINGS:
        if path.stem.endswith(ending):
            about = path.with_name(path.stem.removesuffix(ending) + ".json")
            try:
                return "fnormal_version" in json.loads(about.read_text())
            except (OSError, ValueError, TypeError):
                return False
    return False
