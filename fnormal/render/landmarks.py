"""The 68 landmarks of a mesh that does not know its own."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F32
from fnormal.errors import FNormalError
from fnormal.faces.ladder import find_upright_faces
from fnormal.geometry.mesh import Mesh
from fnormal.render.camera import Camera, frame_face
from fnormal.render.drawing import Render, Renderer
from fnormal.render.lighting import headlight

_FRONTAL_SIDE_PX = 640  # of the picture in which the face is sought


def lift_landmarks(renderer: Renderer, mesh: Mesh, name: str) -> F32:
    """Detect the 68 points on a frontal render of a mesh and lift them onto it. [68, 3]

    The mesh stays loaded.

    Raises:
        FNormalError: No face is found: the scan does not face the viewer.
    """
    renderer.load(mesh)
    camera = frame_face(mesh.vertices, np.eye(3, dtype=np.float32), _FRONTAL_SIDE_PX, 1.05)
    front = renderer.render(camera, headlight())
    faces = find_upright_faces(front.image)
    if not faces:
        raise FNormalError(
            f"{name}: no face on its frontal render; set axes in a --layout so that x is right,"
            " y up and z toward the viewer"
        )
    return lifted(camera, front, faces[0].landmarks)


def lifted(camera: Camera, drawn: Render, pixels: F32) -> F32:
    """Pixels [K, 2] of a render as points of the mesh [K, 3], by the nearest pixel with depth."""
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(~drawn.mask, return_distances=False, return_indices=True)
    column = np.clip(np.rint(pixels[:, 0]).astype(int), 0, camera.width_px - 1)
    row = np.clip(np.rint(pixels[:, 1]).astype(int), 0, camera.height_px - 1)
    z = drawn.z[tuple(nearest[:, row, column])]
    return np.asarray(camera.unproject(pixels, z) @ camera.rotation, np.float32)
