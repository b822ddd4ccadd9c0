"""A prediction on disk: normal map, mask, and the JSON that says how to read them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fnormal import __version__
from fnormal.arrays import U8, Array
from fnormal.config import DOUBTFUL_SCORE
from fnormal.faces.detect import FaceBox
from fnormal.files.writing import write_bytes, write_json
from fnormal.geometry.normal_maps import NORMAL_FORMATS, encode_normals
from fnormal.geometry.picturefile import write_image
from fnormal.options.faces import PredictOptions
from fnormal.prediction.face_normals import FaceNormals
from fnormal.prediction.figures import figures_of
from fnormal.progress import Result

_ENDINGS = ("_normals", "_mask", "_confidence", "_overlay", "_side_by_side", "_before_after")  # of pictures


def result_paths(stem: Path, format: str) -> tuple[Path, Path, Path]:
    """Where a prediction goes: normal map, mask, JSON."""
    normals = stem.with_name(f"{stem.name}_normals{NORMAL_FORMATS[format]}")
    return normals, stem.with_name(f"{stem.name}_mask.png"), stem.with_name(f"{stem.name}.json")


def map_paths(stem: Path, options: PredictOptions) -> dict[str, Path]:
    """Where the pictures of a prediction go, by what they are."""
    normals, mask, _ = result_paths(stem, options.format)
    extras = {ending: stem.with_name(f"{stem.name}_{ending}.png") for ending in options.extras}
    return {"normals": normals, "mask": mask, **extras}


@dataclass(frozen=True)
class Written:
    """What is known of a prediction beside its arrays.

    Attributes:
        source: The picture.
        number: Which face of the picture it is, from 1.
        n_faces: How many faces the picture has; 0 where none was looked for.
        flags: What may have spoiled it, see :mod:`fnormal.faces.quality`.
        seconds: What each stage took.
    """

    source: str
    number: int = 1
    n_faces: int = 0
    flags: Sequence[str] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)


def encode_map(result: FaceNormals, options: PredictOptions) -> bytes:
    """The normal map of a prediction as the bytes of its file."""
    crop = result.crop.as_dict()
    note = {"fnormal:crop": f"{crop['x_px']},{crop['y_px']},{crop['side_px']}"}
    return encode_normals(
        result.part_normals, result.part_mask, frame=options.frame, format=options.format, note=note,
        placed=_placed(result, options),
    )  # fmt: skip


def _placed(result: FaceNormals, options: PredictOptions) -> Callable[[Array], Array]:
    return (lambda part: part) if options.crop_only else result.whole


def write_maps(
    stem: Path, result: FaceNormals, options: PredictOptions, *, picture: U8 | None = None,
    encoded: bytes | None = None,
) -> dict[str, str]:  # fmt: skip
    """Write normal map, further pictures and mask, the last one last; where they are, by what they are.

    Args:
        stem: Path without suffix.
        result: The prediction.
        options: Axes and format of the normal map, and which further pictures there are.
        picture: What figures show, where some are asked for.
        encoded: What :func:`encode_map` gives, where it was made ahead.
    """
    paths, placed = map_paths(stem, options), _placed(result, options)
    write_bytes(paths["normals"], encoded or encode_map(result, options))
    del encoded
    pictures: dict[str, Array] = {}
    if options.confidence:  # 16 bits, 65535 is sure
        pictures["confidence"] = placed(np.rint(result.part_confidence * 65535).astype(np.uint16))
    if picture is not None:
        pictures |= figures_of(picture, result, options)
    pictures["mask"] = placed(result.part_mask.astype(np.uint8) * 255)
    for name, pixels in pictures.items():
        write_image(paths[name], pixels)
    return {name: str(path) for name, path in paths.items()}


def write_result(
    stem: Path, result: FaceNormals, about: Written, options: PredictOptions, *, picture: U8 | None = None,
    encoded: bytes | None = None,
) -> list[Result]:  # fmt: skip
    """Write what :func:`write_maps` does, and the JSON ``about`` it last; what was written."""
    started = time.monotonic()
    description = result_paths(stem, options.format)[2]
    score = None if result.face is None else result.face.score
    facts = {"picture": about.source, "face": about.number, "faces": about.n_faces, "score": score}
    paths = write_maps(stem, result, options, picture=picture, encoded=encoded)
    del encoded
    told = {**facts, **describe(result, options.frame), "flags": list(about.flags)}
    told["crop_only"] = options.crop_only
    write_json(description, {**told, **{name: Path(path).name for name, path in paths.items()}})
    seconds = {**about.seconds, "write": round(time.monotonic() - started, 4)}
    line = {"ok": True, "input": about.source, **told, **paths, "json": str(description), "seconds": seconds}
    return [*(Result(path) for path in paths.values()), Result(str(description), line)]


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
        "turn_deg": round(result.turn_deg, 3),
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
