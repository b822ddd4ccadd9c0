"""Move the vertices so that the surface has the predicted normals, not only its shading."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F32, F64
from fnormal.enhancement.solving import conjugate_gradients
from fnormal.geometry.connectivity import edges_of
from fnormal.geometry.mesh import Mesh
from fnormal.geometry.normals import unit

_LEAST_FACING = 0.15  # n_z below which an edge tells nothing of a move along the view ray


def displacements(mesh: Mesh, normals: F32, blend_scale_px: float, max_shift_px: float) -> F32:
    """How far each vertex moves along the view ray, toward the viewer. [V]

    Least squares over the edges ``i j``: the edge shall be orthogonal to the mean ``n`` of the normals at its
    ends, ``n . (X_j + d_j z - X_i - d_i z) = 0``, and no vertex shall move far, ``(h / L)^2 d^2`` with the
    mean edge ``h``. Forms that are wider than ``L`` stay the coarse mesh's, whose overall shape is better
    than what integrated normals give. Only z moves, so the mesh still lies over the photo.

    Args:
        mesh: In the photo's pixel frame.
        normals: Wanted, unit; where nothing is known the mesh's own. [V, 3]
        blend_scale_px: L.
        max_shift_px: No vertex moves farther; larger moves are eased into it.
    """
    from scipy.sparse import coo_matrix, diags

    i, j = edges_of(mesh.faces).ends.T
    vertices = mesh.vertices.astype(np.float64)
    edge = vertices[j] - vertices[i]
    wanted = unit(normals[i] + normals[j]).astype(np.float64)
    # a coarse edge is not quite orthogonal to its own mean normal either: only the difference is detail
    own = unit(mesh.normals[i] + mesh.normals[j]).astype(np.float64)
    slope_z = np.maximum(wanted[:, 2], 0)
    steep = slope_z < _LEAST_FACING
    own_z = np.maximum(own[:, 2], _LEAST_FACING)
    rest = np.einsum("ij,ij->i", own, edge) * slope_z / own_z
    gap = rest - np.einsum("ij,ij->i", wanted, edge)
    gap[steep] = 0  # held together by smoothness alone
    pull = np.where(steep, 1.0, slope_z)
    n, rows = len(vertices), np.arange(len(i))
    across = coo_matrix(
        (np.concatenate([pull, -pull]), (np.concatenate([rows, rows]), np.concatenate([j, i]))),
        shape=(len(i), n),
    ).tocsr()
    length = float(np.linalg.norm(edge, axis=1).mean())
    matrix = (across.T @ across + (length / blend_scale_px) ** 2 * diags(np.ones(n))).tocsr()
    return np.asarray(_eased(conjugate_gradients(matrix, across.T @ gap), max_shift_px), np.float32)


def _eased(shift: F64, most: float) -> F64:
    """The same near 0, and never more than ``most``."""
    return np.asarray(most * np.tanh(shift / most))
