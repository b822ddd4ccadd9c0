"""Fused depth as files: the depth map, its confidence, a mesh, the pictures of Fig. 10, and a JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from fnormal import __version__
from fnormal.arrays import U8
from fnormal.enhancement.depthwork import DepthResult, glb_of_depth, mesh_of, on_whole_photo, shaded_pictures
from fnormal.enhancement.registration import OnPhoto
from fnormal.files.writing import write_bytes, write_json
from fnormal.geometry.mesh import encode_ply
from fnormal.geometry.normal_maps import encode_npy
from fnormal.geometry.picturefile import write_image
from fnormal.geometry.pngfile import encode_png

_MM = 1000.0
ENDINGS = {
    "depth": "_depth.png", "depth_m": "_depth_m.npy", "depth_confidence": "_depth_confidence.png",
    "glb": "_enhanced.glb", "ply": "_enhanced.ply", "shaded": "_shaded.png", "enhanced": "_enhanced.json",
}  # fmt: skip


def depth_paths(stem: Path) -> dict[str, Path]:
    """Where each file goes, by what it is."""
    return {kind: stem.with_name(stem.name + ending) for kind, ending in ENDINGS.items()}


def write_depth(
    stem: Path, result: DepthResult, depth: OnPhoto, picture: U8, about: Mapping[str, Any]
) -> Iterator[tuple[str, Path]]:
    """Write the files, one after the other; what each is, and where.

    Args:
        stem: Path without suffix.
        result: Of one face.
        depth: What was measured, over the photo.
        picture: The photo. [H, W, 3]
        about: What the JSON says: :func:`describe`, and more.
    """
    paths = depth_paths(stem)
    mesh = mesh_of(result, picture)
    whole, confidence = on_whole_photo(result, depth, (picture.shape[0], picture.shape[1]))
    code = np.rint(np.minimum(whole * _MM, 65535)).astype(np.uint16)
    write_bytes(paths["depth"], encode_png(code, {"fnormal:unit": "mm, 0 is none"}))
    yield "depth", paths["depth"]
    write_bytes(paths["depth_m"], encode_npy(whole))
    yield "depth_m", paths["depth_m"]
    write_bytes(paths["depth_confidence"], encode_png(np.rint(confidence * 65535).astype(np.uint16)))
    yield "depth_confidence", paths["depth_confidence"]
    write_bytes(paths["glb"], glb_of_depth(mesh, result, about))
    yield "glb", paths["glb"]
    write_bytes(paths["ply"], encode_ply(mesh))
    yield "ply", paths["ply"]
    write_image(paths["shaded"], shaded_pictures(result, picture))
    yield "shaded", paths["shaded"]
    names = {kind: path.name for kind, path in paths.items()}
    write_json(paths["enhanced"], {**about, "files": names, "fnormal_version": __version__})
    yield "enhanced", paths["enhanced"]


def describe(result: DepthResult) -> dict[str, Any]:
    """What a reader of the files must know."""
    both = (result.measured > 0) & result.mask
    moved = np.abs(result.fused.metres - result.measured)[both] * _MM
    return {
        "frame": "the photo's camera: metres, x right, y up, z toward the viewer, the camera at the origin",
        "depth": "distance along the camera's axis, in the photo's pixels",
        "camera": asdict(result.camera),
        "face_distance_m": round(float(np.median(result.measured[both])), 5),
        "measured_share": round(float(both.sum() / max(result.mask.sum(), 1)), 4),
        "median_change_mm": round(float(np.median(moved)), 4),
    }
