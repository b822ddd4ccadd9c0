"""The heads of a mesh file: tools write all the faces of a photo into one, and eyes apart from the skin."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fnormal.arrays import F64, I32, Array
from fnormal.enhancement.topology import known_topologies
from fnormal.geometry.connectivity import connected_parts
from fnormal.geometry.mesh import Mesh, places

_PART_OF_SIZE = 0.6  # what is smaller than this share of a head, and lies inside its box, belongs to it
_LEAST_SIZE = 0.4  # of the largest head: what is smaller, and inside of none, is no head
_LEAST_VERTICES = 60
_MOST_HEADS = 64


@dataclass(frozen=True)
class Head:
    """One head of a file.

    Attributes:
        mesh: Its own vertices and faces, in the file's frame.
        vertex_ids: Which of the file's vertices they are. [V]
    """

    mesh: Mesh
    vertex_ids: Array


def split_heads(mesh: Mesh) -> list[Head]:
    """The heads of a mesh, in the file's order; one where they cannot be told apart."""
    n = len(mesh.vertices)
    if n in known_topologies():
        return [Head(mesh, np.arange(n))]
    for count in sorted(known_topologies(), reverse=True):
        # many copies of one topology, one after the other
        if n % count == 0 and 1 < n // count <= _MOST_HEADS and _in_blocks(mesh.faces, count):
            blocks = np.arange(n).reshape(-1, count)
            return [Head(part_of(mesh, ids), ids) for ids in blocks]
    groups = _groups(mesh)
    if len(groups) < 2:
        return [Head(mesh, np.arange(n))]
    return [Head(part_of(mesh, ids), ids) for ids in groups]


def _in_blocks(faces: I32, count: int) -> bool:
    block = faces // count
    return bool((block == block[:, :1]).all())


def _groups(mesh: Mesh) -> list[Array]:
    """Vertices of each head: connected pieces, the small ones with the head whose box holds them."""
    n = len(mesh.vertices)
    place = places(mesh.vertices)  # texture seams tear no head
    piece = connected_parts(place[mesh.faces], n)[place]
    used = np.zeros(n, bool)
    used[mesh.faces.reshape(-1)] = True
    names, start = np.unique(piece[used], return_inverse=True)
    if len(names) < 2:
        return []
    low, high = np.full((len(names), 3), np.inf), np.full((len(names), 3), -np.inf)
    vertices = mesh.vertices[used].astype(np.float64)
    np.minimum.at(low, start, vertices)
    np.maximum.at(high, start, vertices)
    counts = np.bincount(start)
    home = _homes(low, high, counts)
    number = np.full(int(piece.max()) + 1, -1)
    number[names] = home
    of_vertex = np.where(used, number[piece], -1)
    groups = [np.flatnonzero(of_vertex == head) for head in np.unique(home)]
    return sorted(groups, key=lambda ids: int(ids[0]))


def _homes(low: F64, high: F64, counts: Array) -> Array:
    """For each piece the piece that is its head. [P]"""
    size = np.linalg.norm(high - low, axis=1)
    order = np.argsort(-size)
    heads: list[int] = []
    home = np.full(len(size), -1)
    for piece in order:
        middle = (low[piece] + high[piece]) / 2
        around = [
            head for head in heads
            if size[piece] < _PART_OF_SIZE * size[head]
            and (middle >= low[head]).all() and (middle <= high[head]).all()
        ]  # fmt: skip
        if around:
            home[piece] = around[0]
        elif size[piece] >= _LEAST_SIZE * size[order[0]] and counts[piece] >= _LEAST_VERTICES:
            heads.append(int(piece))
            home[piece] = piece
    if not 0 < len(heads) <= _MOST_HEADS:  # loose triangles, not heads
        return np.full(len(size), order[0])
    for piece in np.flatnonzero(home < 0):  # loose scraps: to the nearest head
        gaps = np.maximum(np.maximum(low[heads] - high[piece], low[piece] - high[heads]), 0)
        home[piece] = heads[int(np.linalg.norm(gaps, axis=1).argmin())]
    return home


def part_of(mesh: Mesh, ids: Array) -> Mesh:
    """The part of a mesh that has these vertices [K], in this order, and the faces all of whose are."""
    number = np.full(len(mesh.vertices), -1, np.int32)
    number[ids] = np.arange(len(ids), dtype=np.int32)
    faces = number[mesh.faces]
    return replace(
        mesh, vertices=mesh.vertices[ids], normals=mesh.normals[ids],
        faces=np.ascontiguousarray(faces[(faces >= 0).all(axis=1)]),
        uv=None if mesh.uv is None else mesh.uv[ids],
        colors=None if mesh.colors is None else mesh.colors[ids],
    )  # fmt: skip
