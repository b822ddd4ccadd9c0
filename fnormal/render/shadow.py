"""The shadow map of the first light: where it sits, before a back end draws it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fnormal.arrays import F32
from fnormal.geometry.mesh import Mesh, box_middle
from fnormal.render.camera import Camera

SHADOW_SIDE_PX = 768
BIAS_TEXELS = 2.0  # how far off the surface, and toward the light, the look at the map is taken


@dataclass(frozen=True)
class ShadowView:
    """The view from a light.

    Attributes:
        camera: Orthographic, of the mesh.
        turn: Camera frame of the picture to the light's. [3, 3]
        bias: In mesh units.
    """

    camera: Camera
    turn: F32
    bias: float

    def frame(self) -> F32:
        """Centre x, y, texels a mesh unit, and bias, for a shader. [4]"""
        return np.array([*self.camera.center, self.camera.px_per_unit, self.bias], np.float32)


def bounding_sphere(mesh: Mesh) -> tuple[F32, float]:
    """Middle of the box of a mesh [3], and the distance of its farthest vertex."""
    middle = box_middle(mesh.vertices)
    return middle, float(np.linalg.norm(mesh.vertices - middle, axis=1).max()) + 1e-6


def shadow_view(toward: F32, rotation: F32, middle: F32, reach: float) -> ShadowView:
    """Look at a mesh from a light.

    Args:
        toward: Unit vector to the light, camera frame. [3]
        rotation: Mesh to camera frame. [3, 3]
        middle: Middle of the mesh's bounding sphere, mesh frame. [3]
        reach: Its radius.
    """
    up = np.array([0, 1, 0]) if abs(float(toward[1])) < 0.9 else np.array([1, 0, 0])
    right = np.cross(up, toward)
    right /= np.linalg.norm(right)
    turn = np.stack([right, np.cross(toward, right), toward]).astype(np.float32)
    whole = (turn @ rotation).astype(np.float32)
    x, y, _ = whole @ middle
    camera = Camera(whole, (float(x), float(y)), reach, SHADOW_SIDE_PX, SHADOW_SIDE_PX)
    return ShadowView(camera, turn, BIAS_TEXELS / camera.px_per_unit)
