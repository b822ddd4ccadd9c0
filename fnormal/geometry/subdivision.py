"""Finer triangles: Loop's smooth rule and plain midpoints, as matrices over vertices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fnormal.arrays import F32, I32, Array, Bools, Floats
from fnormal.geometry.connectivity import edges_of


@dataclass(frozen=True)
class Subdivision:
    """One round of subdivision of a fixed topology, as a matrix to apply to many shapes."""

    matrix: Any  # scipy.sparse.csr_matrix [V', V]
    faces: I32

    def __call__(self, values: Floats) -> F32:
        """Values at the vertices [V, C] -> values at the finer vertices [V', C]."""
        return np.asarray(self.matrix @ values, np.float32)


def loop_subdivision(faces: I32, n_vertices: int) -> Subdivision:
    """Loop's rule with his own weights; boundaries follow the cubic curve rule.

    Args:
        faces: Triangles over ``n_vertices`` welded vertices. [F, 3]
        n_vertices: V
    """
    from scipy.sparse import coo_matrix

    found = edges_of(faces)
    edges, index, count = found.ends, found.of_sides, found.faces
    opposite = faces[:, [2, 0, 1]].reshape(-1)
    inner = count == 2
    new = n_vertices + np.arange(len(edges))
    end = np.where(inner, 3 / 8, 1 / 2)
    wing_rows, wing_columns = new[index][inner[index]], opposite[inner[index]]
    rows = [new, new, wing_rows]
    columns = [edges[:, 0], edges[:, 1], wing_columns]
    weights = [end, end, np.full(len(wing_rows), 1 / 8)]
    for chosen, keep, share in _vertex_rules(edges, inner, count, n_vertices):
        pair = edges[chosen]
        rows += [pair[:, 0], pair[:, 1]]
        columns += [pair[:, 1], pair[:, 0]]
        weights += [share[pair[:, 0]], share[pair[:, 1]]]
        rows.append(np.flatnonzero(keep > 0))
        columns.append(np.flatnonzero(keep > 0))
        weights.append(keep[keep > 0])
    shape = (n_vertices + len(edges), n_vertices)
    entries = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
    return Subdivision(coo_matrix(entries, shape=shape).tocsr(), _split(faces, new[index]))


def midpoint_subdivision(faces: I32, n_vertices: int) -> Subdivision:
    """Every triangle into four with the edges' midpoints: the surface stays where it was."""
    from scipy.sparse import coo_matrix

    found = edges_of(faces)
    edges, index = found.ends, found.of_sides
    new = n_vertices + np.arange(len(edges))
    old = np.arange(n_vertices)
    rows = np.concatenate([old, new, new])
    columns = np.concatenate([old, edges[:, 0], edges[:, 1]])
    weights = np.concatenate([np.ones(n_vertices), np.full(2 * len(edges), 0.5)])
    matrix = coo_matrix((weights, (rows, columns)), shape=(n_vertices + len(edges), n_vertices))
    return Subdivision(matrix.tocsr(), _split(faces, new[index]))


def _split(faces: I32, midpoints: Array) -> I32:
    """Four triangles for each: ``midpoints`` of edges 01, 12, 20 of every face in turn. [3F]"""
    a, b, c = faces.T
    ab, bc, ca = midpoints.reshape(-1, 3).T
    finer = np.stack([(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)])
    return np.ascontiguousarray(finer.transpose(2, 0, 1).reshape(-1, 3), np.int32)


def _vertex_rules(edges: Array, inner: Bools, count: Array, n: int) -> list[tuple[Bools, Array, Array]]:
    """(edges used, weight kept by a vertex, weight of each neighbour): inner, then boundary rule."""
    boundary = np.zeros(n, bool)
    boundary[edges[count != 2]] = True
    degree = np.bincount(edges.reshape(-1), minlength=n)
    valence = np.maximum(degree, 1)
    share = (5 / 8 - (3 / 8 + np.cos(2 * np.pi / valence) / 4) ** 2) / valence
    share = np.where(boundary, 0.0, share)
    rules = [(np.ones(len(edges), bool), np.where(boundary, 0.0, 1 - share * degree), share)]
    rim = ~inner
    if rim.any():
        rim_degree = np.bincount(edges[rim].reshape(-1), minlength=n)
        rim_share = np.where(rim_degree == 2, 1 / 8, 0.0)
        rules.append((rim, np.where(boundary, 1 - rim_share * rim_degree, 0.0), rim_share))
    return rules
