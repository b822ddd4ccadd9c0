"""What hangs together in triangles: their edges, their connected parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fnormal.arrays import I32, Array


@dataclass(frozen=True)
class Edges:
    """The edges of a mesh, each once, sorted.

    Attributes:
        ends: Smaller vertex first. [E, 2]
        of_sides: The edge of the sides 01, 12, 20 of every face in turn. [3F]
        faces: How many faces have it: 2 inside, 1 at a rim. [E]
    """

    ends: Array
    of_sides: Array
    faces: Array


def edges_of(faces: I32) -> Edges:
    """The edges of triangles [F, 3]; sorting numbers takes a tenth of the time of sorting pairs."""
    count = int(faces.max()) + 1 if faces.size else 1
    start, end = faces.reshape(-1), faces[:, [1, 2, 0]].reshape(-1)
    number = np.minimum(start, end).astype(np.int64) * count + np.maximum(start, end)
    found, of_sides, times = np.unique(number, return_inverse=True, return_counts=True)
    return Edges(np.stack(np.divmod(found, count), axis=1), of_sides.reshape(-1), times)


def connected_parts(faces: Array, count: int) -> Array:
    """The number of the connected part of each of ``count`` vertices, from 0 on. [V]"""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    links = coo_matrix((np.ones(len(sides), np.int8), sides.T), shape=(count, count))
    part: Array = connected_components(links, directed=False)[1]
    return part
