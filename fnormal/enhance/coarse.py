"""The coarse mesh of a face in the photo's pixel frame, subdivided to the pixel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fnormal.arrays import F32, I32, U8
from fnormal.enhance.align import Alignment, align, outward
from fnormal.enhance.topology import landmark_vertices
from fnormal.errors import FNormalError
from fnormal.faces.detect import FaceBox
from fnormal.faces.facemesh import facemesh
from fnormal.geometry.mesh import Mesh, make_mesh, vertex_normals
from fnormal.geometry.meshfile import read_mesh
from fnormal.geometry.normals import unit
from fnormal.geometry.subdivision import loop_subdivision, midpoint_subdivision
from fnormal.render.drawing import Renderer
from fnormal.render.landmarks import lift_landmarks

_EDGE_PX = 1.6  # meshes are subdivided until their mean edge is shorter: normals sit on vertices
_MAX_ROUNDS = 4
_MAX_FACES = 600_000


def coarse_mesh(
    renderer: Renderer, picture: U8, face: FaceBox, path: Path | None
) -> tuple[Mesh, Alignment | None]:
    """The coarse mesh in the photo's pixel frame, subdivided to the pixel, with its own normals."""
    if path is None:
        mesh, alignment, rule = facemesh(picture, face), None, loop_subdivision
    else:
        given = read_mesh(path)
        alignment = align(_mesh_landmarks(renderer, given, path), face.landmarks, picture.shape[0])
        mesh, rule = replace(given, vertices=alignment(given.vertices)), midpoint_subdivision
    faces = outward(mesh.faces, mesh.vertices)
    parts: dict[str, Any] = {"uv": mesh.uv, "colors": mesh.colors}
    vertices = mesh.vertices
    vertex_normal = vertex_normals(vertices, faces)
    for _ in range(_MAX_ROUNDS):
        if _mean_edge(vertices, faces) < _EDGE_PX or 4 * len(faces) > _MAX_FACES:
            break
        finer = rule(faces, len(vertices))
        parts = {k: None if v is None else finer(v) for k, v in parts.items()}
        vertices, vertex_normal, faces = finer(vertices), unit(finer(vertex_normal)), finer.faces
    if path is None:  # Loop's rule moves vertices, so their normals are those of the smooth surface
        vertex_normal = vertex_normals(vertices, faces)
    if parts["colors"] is None and (mesh.texture is None or parts["uv"] is None):
        parts["uv"], parts["texture"] = photo_texture(vertices, picture)
    else:
        parts["texture"] = mesh.texture
    return make_mesh(vertices, faces, normals=vertex_normal, **parts), alignment


def _mean_edge(vertices: F32, faces: I32) -> float:
    corners = vertices[faces]
    return float(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).mean())


def photo_texture(vertices: F32, picture: U8) -> tuple[F32, U8]:
    """Project the photo onto an aligned mesh: texture coordinates (v up), and the part of it that is used."""
    height, width = picture.shape[:2]
    xy = np.stack([vertices[:, 0], height - 1 - vertices[:, 1]], axis=1)
    low = np.clip(np.floor(xy.min(axis=0)), 0, (width - 2, height - 2)).astype(int)
    high = np.clip(np.ceil(xy.max(axis=0)) + 1, low + 2, (width, height)).astype(int)
    part = picture[low[1] : high[1], low[0] : high[0]]
    uv = (xy - low + 0.5) / (high - low)
    return np.asarray(uv * (1, -1) + (0, 1), np.float32), np.ascontiguousarray(part)


def _mesh_landmarks(renderer: Renderer, mesh: Mesh, path: Path) -> F32:
    """The mesh's 68 points: by its known topology, else detected on a frontal render. [68, 3]"""
    known = landmark_vertices(len(mesh.vertices))
    if known is not None:
        return mesh.vertices[known]
    try:
        return lift_landmarks(renderer, mesh, path.name)
    except FNormalError as error:
        raise FNormalError(
            f"no face on a frontal view of {path}: it must face +z with y up, or have PRNet's vertices"
        ) from error
