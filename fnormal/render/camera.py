"""The orthographic camera: which square of the turned mesh fills the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fnormal.config import CROP_SCALE

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Camera:
    """An orthographic view along -z, after turning the mesh by ``rotation``.

    Attributes:
        rotation: Mesh to camera frame. [3, 3]
        center: Camera-frame x, y at the middle of the picture, in mesh units. [2]
        half_width: Half the picture's width, in mesh units.
        width_px: Columns.
        height_px: Rows.
    """

    rotation: F32
    center: tuple[float, float]
    half_width: float
    width_px: int
    height_px: int

    @property
    def px_per_unit(self) -> float:
        """Pixels for one mesh unit."""
        return self.width_px / (2 * self.half_width)

    def project(self, points: F32) -> F32:
        """Mesh points [..., 3] to pixels x, y and camera-frame z [..., 3]; pixel centres are integers."""
        turned = points @ self.rotation.T
        x = (turned[..., 0] - self.center[0]) * self.px_per_unit + (self.width_px - 1) / 2
        y = (self.center[1] - turned[..., 1]) * self.px_per_unit + (self.height_px - 1) / 2
        return np.stack([x, y, turned[..., 2]], axis=-1).astype(np.float32)


def frame_face(points: F32, rotation: F32, size_px: int, scale: float = CROP_SCALE) -> Camera:
    """The paper's crop as a camera (4.1): a square ``scale`` times the box of the projected points.

    Args:
        points: Landmarks, or all vertices of a mesh without landmarks. [N, 3]
        rotation: Mesh to camera frame. [3, 3]
        size_px: Side of the picture.
        scale: Side of the square / larger side of the box.
    """
    flat = (points @ rotation.T)[:, :2]
    low, high = flat.min(axis=0), flat.max(axis=0)
    middle = (low + high) / 2
    half = float((high - low).max()) * scale / 2
    return Camera(rotation, (float(middle[0]), float(middle[1])), half, size_px, size_px)


def pixel_camera(width_px: int, height_px: int) -> Camera:
    """The camera whose mesh unit is the pixel of a picture: x right, y up from the bottom row."""
    middle = ((width_px - 1) / 2, (height_px - 1) / 2)
    return Camera(np.eye(3, dtype=np.float32), middle, width_px / 2, width_px, height_px)


def rotation_about(axis: npt.NDArray[np.float64], angle_rad: float) -> F32:
    """Rotation matrix [3, 3] by ``angle_rad`` about ``axis`` [3] (Rodrigues)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = np.eye(3) + np.sin(angle_rad) * cross + (1 - np.cos(angle_rad)) * cross @ cross
    return np.asarray(turn, np.float32)


def random_rotation(rng: np.random.Generator, max_angle_deg: float) -> F32:
    """The paper's pose (4.2): a random axis, an angle uniform in +-``max_angle_deg``. [3, 3]"""
    limit = np.radians(max_angle_deg)
    return rotation_about(rng.normal(size=3), rng.uniform(-limit, limit))
