"""The camera: which square of the turned mesh fills the picture, seen from far away or from near."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fnormal.arrays import F32, F64
from fnormal.config import CROP_SCALE


@dataclass(frozen=True)
class Camera:
    """A view along -z, after turning the mesh by ``rotation``: orthographic unless ``distance`` is finite.

    Attributes:
        rotation: Mesh to camera frame. [3, 3]
        center: Camera-frame x, y at the middle of the picture, in mesh units. [2]
        half_width: Half the picture's width, in mesh units, at z = ``pivot_z``.
        width_px: Columns.
        height_px: Rows.
        distance: Distance from the eye to the plane z = ``pivot_z``, in mesh units; infinite is orthographic.
        pivot_z: Camera-frame z of the plane that keeps its scale.
    """

    rotation: F32
    center: tuple[float, float]
    half_width: float
    width_px: int
    height_px: int
    distance: float = math.inf
    pivot_z: float = 0.0

    @property
    def px_per_unit(self) -> float:
        """Pixels for one mesh unit, at z = ``pivot_z``."""
        return self.width_px / (2 * self.half_width)

    @property
    def half_height(self) -> float:
        """Half the picture's height, in mesh units, at z = ``pivot_z``."""
        return self.half_width * self.height_px / self.width_px

    def magnify(self, z: F32) -> F32:
        """How much larger than at ``pivot_z`` things at camera-frame ``z`` [...] look. [...]"""
        return np.asarray(1 / (1 - (z - self.pivot_z) / self.distance), np.float32)

    def project(self, points: F32) -> F32:
        """Mesh points [..., 3] to pixels x, y and camera-frame z [..., 3]; pixel centres are integers."""
        turned = points @ self.rotation.T
        scale = self.px_per_unit * self.magnify(turned[..., 2])
        x = (turned[..., 0] - self.center[0]) * scale + (self.width_px - 1) / 2
        y = (self.center[1] - turned[..., 1]) * scale + (self.height_px - 1) / 2
        return np.stack([x, y, turned[..., 2]], axis=-1).astype(np.float32)

    def unproject(self, pixels: F32, z: F32) -> F32:
        """Pixels x, y [..., 2] and their camera-frame z [...] to the camera frame [..., 3]."""
        scale = self.px_per_unit * self.magnify(z)
        x = (pixels[..., 0] - (self.width_px - 1) / 2) / scale + self.center[0]
        y = self.center[1] - (pixels[..., 1] - (self.height_px - 1) / 2) / scale
        return np.stack([x, y, z], axis=-1).astype(np.float32)


def frame_face(
    points: F32, rotation: F32, size_px: int, scale: float = CROP_SCALE, *, distance: float = math.inf
) -> Camera:
    """The paper's crop as a camera (4.1): a square ``scale`` times the box of the projected points.

    Args:
        points: Landmarks, or all vertices of a mesh without landmarks. [N, 3]
        rotation: Mesh to camera frame. [3, 3]
        size_px: Side of the picture.
        scale: Side of the square / larger side of the box.
        distance: Distance of the eye, in sides of the square; infinite is the paper's orthographic view.
    """
    turned = points @ rotation.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    middle = (low + high) / 2
    half = float((high - low)[:2].max()) * scale / 2
    camera = Camera(
        rotation, (float(middle[0]), float(middle[1])), half, size_px, size_px,
        distance * 2 * half, float(middle[2]),
    )  # fmt: skip
    return camera if math.isinf(distance) else _refit(camera, turned, scale)


def _refit(camera: Camera, turned: F32, scale: float) -> Camera:
    """Centre a perspective camera on its projected points: its axis moves them, so in a few rounds."""
    x, y = camera.center
    half = camera.half_width
    magnified = camera.magnify(turned[:, 2])[:, None]
    for _ in range(8):
        seen = (turned[:, :2] - (x, y)) * magnified
        low, high = seen.min(axis=0), seen.max(axis=0)
        x, y = (x, y) + (low + high) / 2
        half = float((high - low).max()) * scale / 2
    return Camera(
        camera.rotation, (float(x), float(y)), half, camera.width_px, camera.height_px,
        camera.distance, camera.pivot_z,
    )  # fmt: skip


def rotation_about(axis: F64, angle_rad: float) -> F32:
    """Rotation matrix [3, 3] by ``angle_rad`` about ``axis`` [3] (Rodrigues)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = np.eye(3) + np.sin(angle_rad) * cross + (1 - np.cos(angle_rad)) * cross @ cross
    return np.asarray(turn, np.float32)


def random_rotation(rng: np.random.Generator, max_angle_deg: float) -> F32:
    """The paper's pose (4.2): a random axis, an angle uniform in +-``max_angle_deg``. [3, 3]"""
    limit = np.radians(max_angle_deg)
    return rotation_about(rng.normal(size=3), rng.uniform(-limit, limit))
