"""An enhanced mesh as files: GLB and PLY in metres, and the way back to the photo's pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fnormal import __version__
from fnormal.arrays import F64, U8
from fnormal.config import EYE_DISTANCE_MM
from fnormal.enhancement.gltf import encode_glb
from fnormal.enhancement.transfer import Enhanced
from fnormal.faces.detect import FaceBox, eyes_of
from fnormal.files.writing import write_bytes, write_json
from fnormal.geometry.mesh import Mesh, encode_ply
from fnormal.geometry.normals import angular_error_deg
from fnormal.geometry.picturefile import write_image

_SUFFIXES = ("_enhanced.glb", "_enhanced.ply", "_enhanced.json", "_before_after.png")


def enhanced_paths(stem: Path) -> tuple[Path, ...]:
    """Where an enhanced mesh goes: GLB, PLY, JSON, before/after picture."""
    return tuple(stem.with_name(stem.name + suffix) for suffix in _SUFFIXES)


def write_enhanced(
    stem: Path, enhanced: Enhanced, face: FaceBox, height_px: int, sheet: U8
) -> tuple[Path, ...]:
    """Write ``<stem>_enhanced.glb``, ``.ply``, ``.json`` and ``<stem>_before_after.png``.

    Args:
        stem: Path without suffix.
        enhanced: In the photo's pixel frame.
        face: Its eyes give the scale.
        height_px: Rows of the photo.
        sheet: The before/after picture.
    """
    mesh, to_photo = in_metres(enhanced.after, face, height_px)
    about = describe(enhanced, to_photo)
    glb, ply, note, picture = enhanced_paths(stem)
    write_bytes(glb, encode_glb(mesh, about))
    write_bytes(ply, encode_ply(mesh))
    write_json(note, {**about, "fnormal_version": __version__})
    write_image(picture, sheet)
    return glb, ply, note, picture


def in_metres(mesh: Mesh, face: FaceBox, height_px: int) -> tuple[Mesh, F64]:
    """The mesh in metres, and the matrix back to x, row (y down), z toward the viewer. [4, 4]"""
    eyes = eyes_of(face.landmarks)
    metres = EYE_DISTANCE_MM / 1000 / float(np.linalg.norm(eyes[0] - eyes[1]))
    center = mesh.vertices.mean(axis=0)
    to_photo = np.diag([1 / metres, -1 / metres, 1 / metres, 1.0])
    to_photo[:3, 3] = center * (1, -1, 1) + (0, height_px - 1, 0)
    vertices = np.asarray((mesh.vertices - center) * metres, np.float32)
    return replace(mesh, vertices=vertices), to_photo


def describe(enhanced: Enhanced, to_photo: F64) -> dict[str, Any]:
    """What a reader of the files must know."""
    touched = enhanced.weights > 0.5
    changed = angular_error_deg(enhanced.before.normals, enhanced.after.normals)
    alignment = enhanced.alignment
    return {
        "frame": "x right, y up, z toward the viewer; metres, eyes 63 mm apart",
        "to_photo_px": to_photo.tolist(),
        "alignment": "FaceMesh" if alignment is None else alignment.kind,
        "residual_px": None if alignment is None else alignment.residual_px,
        "vertices": len(enhanced.after.vertices),
        "enhanced_share": float(touched.mean()),
        "mean_change_deg": float(changed[touched].mean()) if touched.any() else 0.0,
    }
