"""Wind the faces of a mesh outward, whatever its writer did."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F32, F64, I32


def wound_outward(faces: I32, vertices: F32) -> I32:
    """Wind faces [F, 3] so that they look away from the middle of the mesh, whatever its writer did.

    By the sign of the volume between the faces and their middle, which shells that are open at the back
    have too. In a mirrored frame this is the outside of the mirror image.
    """
    corners, cross = _corners_and_normals(faces, vertices)
    from_middle = corners.mean(axis=1) - corners.mean(axis=(0, 1))
    return faces if np.einsum("ij,ij->", from_middle, cross) >= 0 else _rewound(faces)


def outward(faces: I32, vertices: F32) -> I32:
    """Wind faces [F, 3] so that an aligned face looks at the viewer, whatever its writer did.

    A mesh open at the back shows its orientation by the sign of its projected area; a closed one, whose
    projected area cancels, by the sign of its volume.
    """
    _, cross = _corners_and_normals(faces, vertices)
    facing = cross[:, 2].sum() / max(np.abs(cross[:, 2]).sum(), 1e-12)
    if abs(facing) <= 0.2:
        return wound_outward(faces, vertices)
    return faces if facing > 0 else _rewound(faces)


def _corners_and_normals(faces: I32, vertices: F32) -> tuple[F64, F64]:
    """Corners of faces [F, 3, 3], and their normals of twice the area's length. [F, 3]"""
    corners = vertices[faces].astype(np.float64)
    return corners, np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def _rewound(faces: I32) -> I32:
    return np.ascontiguousarray(faces[:, ::-1])
