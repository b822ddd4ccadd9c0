"""Textures at the picture's resolution: one level of detail for a view, the same in every back end."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fnormal.arrays import Array
from fnormal.geometry.mesh import Mesh

Picture = Array


@dataclass(frozen=True)
class Level:
    """A mesh's textures, all halved until a texel is about a pixel. None where the mesh has none.

    Attributes:
        albedo: sRGB. uint8 [H, W, 3]
        normals: See ``Mesh.normal_map``. uint16 [H, W, 3]
        specular: uint8 [H, W]
    """

    albedo: Picture | None
    normals: Picture | None
    specular: Picture | None


class Textures:
    """Halved copies of a mesh's textures, made when a view asks for them."""

    def __init__(self, mesh: Mesh) -> None:
        parts = (mesh.texture, mesh.normal_map, mesh.specular)
        self._parts = parts if mesh.uv is not None else (None, None, None)
        self.has_any = any(p is not None for p in self._parts)
        self.has_albedo, self.has_normals = (p is not None for p in self._parts[:2])
        self._uv_per_unit = _uv_per_unit(mesh) if self.has_any else 0.0
        self._times_now: tuple[int, ...] = (-1,)
        self._level = Level(None, None, None)

    def level(self, px_per_unit: float) -> Level:
        """The textures for a view of this scale; the same object while the detail stays the same."""
        times = tuple(0 if p is None else self._times(p, px_per_unit) for p in self._parts)
        if times != self._times_now:
            halved = (None if p is None else _halved(p, n) for p, n in zip(self._parts, times, strict=True))
            self._times_now, self._level = times, Level(*halved)
        return self._level

    def _times(self, picture: Picture, px_per_unit: float) -> int:
        texels = self._uv_per_unit / px_per_unit * math.sqrt(picture.shape[0] * picture.shape[1])
        return max(0, round(math.log2(texels))) if texels > 1 else 0


def _uv_per_unit(mesh: Mesh) -> float:
    """Texture coordinates for a mesh unit, the mean over the surface."""
    assert mesh.uv is not None, "the caller looked"
    corners, uv = mesh.vertices[mesh.faces], mesh.uv[mesh.faces]
    (u1, v1), (u2, v2) = (uv[:, 1] - uv[:, 0]).T, (uv[:, 2] - uv[:, 0]).T
    flat = np.abs(u1 * v2 - u2 * v1).sum(dtype=np.float64)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1).sum(dtype=np.float64)
    return math.sqrt(flat / max(area, 1e-30))


def _halved(picture: Picture, times: int) -> Picture:
    """Average blocks of 2 x 2 ``times`` times: the mean of a pixel's footprint."""
    import cv2

    for _ in range(times):
        height, width = picture.shape[:2]
        smaller = (max(1, width // 2), max(1, height // 2))
        picture = cv2.resize(picture, smaller, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(picture)
