"""The coarse mesh of a face in the photo's pixel frame, as fine as the network sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fnormal.arrays import F32, I32, U8
from fnormal.enhancement.align import Alignment
from fnormal.enhancement.topology import known_uv
from fnormal.enhancement.winding import outward
from fnormal.faces.detect import FaceBox
from fnormal.faces.facemesh import facemesh
from fnormal.geometry.mesh import Mesh, make_mesh, vertex_normals
from fnormal.geometry.normals import unit
from fnormal.geometry.subdivision import Subdivision, loop_subdivision, midpoint_subdivision

# Meshes are subdivided until so many mean edges go over the face, each then 1.4 of the pixels that networks
# see: twice as many give no better normals on heads whose shape is known, and take four times as long and
# as much space.
_EDGES = 125
_LEAST_EDGE_PX = 1.6
_MAX_ROUNDS = 4
_MAX_FACES = 400_000


@dataclass(frozen=True)
class Coarse:
    """A coarse mesh over the photo, in its pixel frame.

    Attributes:
        base: The given vertices and faces, wound toward the viewer.
        fine: The same surface with edges of a pixel of the network, and its own smooth normals.
        rounds: The subdivisions from the one to the other.
        alignment: How the given mesh came to lie there; None for FaceMesh, which is born aligned.
    """

    base: Mesh
    fine: Mesh
    rounds: tuple[Subdivision, ...]
    alignment: Alignment | None

    def carried(self, values: F32) -> F32:
        """Values at the given vertices [V, C] at the fine ones [V', C]."""
        for finer in self.rounds:
            values = finer(values)
        return values


def default_coarse(picture: U8, face: FaceBox, *, rounds: int | None = None) -> Coarse:
    """FaceMesh's mesh of a face, smoothed as it is subdivided.

    Args:
        picture: RGB. [H, W, 3]
        face: Where the face is.
        rounds: How often it is subdivided; None for as often as the network sees.
    """
    mesh = facemesh(picture, face)
    base = replace(mesh, faces=outward(mesh.faces, mesh.vertices))
    # Loop's rule moves vertices, so their normals are those of the smooth surface
    face_px = float(np.ptp(face.landmarks, axis=0).max())
    return _subdivided(base, None, loop_subdivision, rounds, face_px, smooth_normals=True)


def aligned_coarse(mesh: Mesh, alignment: Alignment, *, rounds: int | None = None) -> Coarse:
    """A given mesh where it lies over the photo; ``rounds`` as in :func:`default_coarse`."""
    vertices = alignment(mesh.vertices)
    faces = outward(mesh.faces, vertices)
    uv = mesh.uv if mesh.uv is not None else known_uv(len(vertices))
    base = replace(mesh, vertices=vertices, faces=faces, uv=uv, normals=vertex_normals(vertices, faces))
    return _subdivided(
        base, alignment, midpoint_subdivision, rounds, alignment.extent_px, smooth_normals=False
    )


def _subdivided(
    base: Mesh,
    alignment: Alignment | None,
    rule: Callable[[I32, int], Subdivision],
    most: int | None,
    face_px: float,
    *,
    smooth_normals: bool,
) -> Coarse:
    vertices, normals, faces = base.vertices, base.normals, base.faces
    uv, colors = base.uv, base.colors
    rounds: list[Subdivision] = []
    edge_px = max(face_px / _EDGES, _LEAST_EDGE_PX)
    for _ in range(_MAX_ROUNDS if most is None else most):
        small = most is None and _mean_edge(vertices, faces) < edge_px
        if small or 4 * len(faces) > _MAX_FACES:
            break
        finer = rule(faces, len(vertices))
        uv, colors = (None if v is None else finer(v) for v in (uv, colors))
        vertices, normals, faces = finer(vertices), unit(finer(normals)), finer.faces
        rounds.append(finer)
    if smooth_normals:
        normals = vertex_normals(vertices, faces)
    fine = make_mesh(vertices, faces, normals=normals, uv=uv, colors=colors, texture=base.texture)
    return Coarse(base, fine, tuple(rounds), alignment)


def _mean_edge(vertices: F32, faces: I32) -> float:
    corners = vertices[faces]
    return float(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).mean())
