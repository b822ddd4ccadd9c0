"""Triangle meshes as arrays: normals, tangents, checks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fnormal.arrays import F32, I32, U8, U16, Array, Floats
from fnormal.errors import FNormalError
from fnormal.geometry.normals import unit

_HASH = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)  # odd, of evenly mixed bits


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh. Frame and unit are those of whoever made it; x right, y up inside fnormal.

    Attributes:
        vertices: [V, 3]
        faces: Counter-clockwise seen from outside. [F, 3]
        normals: Unit vertex normals. [V, 3]
        uv: Texture coordinates, v up: the picture's row is (1 - v) H. [V, 2] or None
        texture: sRGB picture. uint8 [H, W, 3] or None
        colors: sRGB vertex colours in 0..1. [V, 3] or None
        normal_map: Picture of normals, ``(n + 1) / 2 * 65535``. uint16 [H, W, 3] or None
        normal_space: ``tangent`` (u right, v up, outward) or ``object`` (the mesh's own frame).
        specular: Strength of the highlight, 128 is skin's usual. uint8 [H, W] or None
    """

    vertices: F32
    faces: I32
    normals: F32
    uv: F32 | None = None
    texture: U8 | None = None
    colors: F32 | None = None
    normal_map: U16 | None = None
    normal_space: Literal["tangent", "object"] = "tangent"
    specular: U8 | None = None


def vertex_normals(vertices: F32, faces: I32) -> F32:
    """Area-weighted unit normals [V, 3]; vertices at one place share one normal (UV seams)."""
    corners = vertices[faces].astype(np.float64)
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    place = places(vertices)
    where = place[faces].reshape(-1)
    total = np.stack([np.bincount(where, np.repeat(part, 3), place.max() + 1) for part in face.T], axis=1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    # a vertex of no face, or of degenerate ones, has no normal: give it the viewer's direction
    safe = np.where(length > 1e-20, total / np.maximum(length, 1e-20), (0.0, 0.0, 1.0))
    return np.asarray(safe[place], np.float32)


def places(vertices: F32) -> npt.NDArray[np.intp]:
    """A number of the place of each vertex [V, 3], from 0 on: the same where all coordinates are. [V]

    Sorting hashes takes an eighth of the time of sorting rows; rows decide where two hashes meet.
    """
    bits = np.ascontiguousarray(vertices + 0, np.float32).view(np.uint32).astype(np.uint64)  # -0 is 0
    x, y, z = bits.T * np.array(_HASH, np.uint64)[:, None]
    _, first, place = np.unique(x ^ y ^ z, return_index=True, return_inverse=True)
    if not np.array_equal(vertices[first][place], vertices):
        place = np.unique(vertices, axis=0, return_inverse=True)[1]
    return np.asarray(place.reshape(-1))


def vertex_tangents(mesh: Mesh) -> F32:
    """Unit tangents along +u, orthogonal to the normals, and the sign of the bitangent. [V, 4]

    ``bitangent = sign * cross(normal, tangent)`` points along +v. The mesh must have ``uv``.
    """
    assert mesh.uv is not None, "tangents follow texture coordinates"
    points, uv = mesh.vertices[mesh.faces].astype(np.float64), mesh.uv[mesh.faces].astype(np.float64)
    edge_1, edge_2 = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
    (u1, v1), (u2, v2) = (uv[:, 1] - uv[:, 0]).T, (uv[:, 2] - uv[:, 0]).T
    along_u = edge_1 * v2[:, None] - edge_2 * v1[:, None]
    along_v = edge_2 * u1[:, None] - edge_1 * u2[:, None]
    flip = np.sign(u1 * v2 - u2 * v1)[:, None]
    total_u, total_v = np.zeros((2, len(mesh.vertices), 3))
    for corner in range(3):
        np.add.at(total_u, mesh.faces[:, corner], along_u * flip)
        np.add.at(total_v, mesh.faces[:, corner], along_v * flip)
    normals = mesh.normals.astype(np.float64)
    total_u -= normals * np.sum(normals * total_u, axis=1, keepdims=True)
    # without a direction along u any tangent does; take one that is not the normal
    spare = np.cross(normals, np.where(np.abs(normals[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]]))
    lost = np.linalg.norm(total_u, axis=1, keepdims=True) < 1e-12
    tangents = unit(np.where(lost, spare, total_u))
    sign = np.where(np.sum(np.cross(normals, tangents) * total_v, axis=1) < 0, -1, 1)
    return np.concatenate([tangents, sign[:, None]], axis=1).astype(np.float32)


def triangulate(polygons: npt.NDArray[np.integer[Any]]) -> I32:
    """Quads [Q, 4], where -1 in the last place marks a triangle, as triangles [F, 3]."""
    first = polygons[:, [0, 1, 2]]
    second = polygons[polygons[:, 3] >= 0][:, [0, 2, 3]]
    return np.concatenate([first, second]).astype(np.int32)


def make_mesh(vertices: Array, faces: Array, *, source: str = "mesh", **parts: Any) -> Mesh:
    """A :class:`Mesh` with computed vertex normals; ``parts`` are its optional fields.

    Raises:
        FNormalError: Coordinates that are not finite, or faces that name vertices that are not there.
    """
    vertices = np.ascontiguousarray(vertices, np.float32)
    faces = np.ascontiguousarray(faces, np.int32)
    if not np.isfinite(vertices).all():
        raise FNormalError(f"{source} has vertices that are not finite numbers; re-export it")
    if len(faces) == 0 or faces.min() < 0 or faces.max() >= len(vertices):
        raise FNormalError(f"{source} has no faces, or faces of missing vertices; re-export it")
    if parts.get("normals") is None:
        parts["normals"] = vertex_normals(vertices, faces)
    return Mesh(vertices, faces, **parts)


def box_middle(vertices: F32) -> F32:
    """Middle of the box of vertices [V, 3]. [3]"""
    return np.asarray((vertices.min(axis=0) + vertices.max(axis=0)) / 2, np.float32)


def turn_mesh(mesh: Mesh, matrix: Floats) -> Mesh:
    """A mesh after ``x' = matrix @ x``, ``matrix`` orthogonal; a mirrored one is wound anew."""
    turn = np.asarray(matrix, np.float32).T
    faces = mesh.faces
    if np.linalg.det(turn) < 0:  # a mirrored mesh is seen from inside until rewound
        faces = np.ascontiguousarray(faces[:, ::-1])
    normal_map = mesh.normal_map
    if normal_map is not None and mesh.normal_space == "object":
        # from -1..1 in codes: a signed permutation moves channels and flips them about the middle
        source, sign = np.abs(matrix).argmax(axis=1), np.sign(matrix.sum(axis=1))
        normal_map = normal_map[..., source]
        normal_map[..., sign < 0] = 65535 - normal_map[..., sign < 0]
    vertices, normals = mesh.vertices @ turn, mesh.normals @ turn
    return replace(mesh, vertices=vertices, normals=normals, faces=faces, normal_map=normal_map)


def encode_ply(mesh: Mesh) -> bytes:
    """Binary PLY with vertex normals, and vertex colours where the mesh has them."""
    import trimesh

    colors = None if mesh.colors is None else np.rint(255 * mesh.colors).astype(np.uint8)
    out = trimesh.Trimesh(
        mesh.vertices, mesh.faces, vertex_normals=mesh.normals, vertex_colors=colors, process=False
    )
    return bytes(trimesh.exchange.ply.export_ply(out, vertex_normal=True))
