"""The software back end: no display, no driver, no system package; the same bits on every run."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from fnormal.arrays import F32
from fnormal.config import SUPERSAMPLE
from fnormal.geometry.images import linear_to_srgb, srgb_to_linear
from fnormal.geometry.mesh import Mesh, vertex_tangents
from fnormal.render import kernels, shading
from fnormal.render.camera import Camera
from fnormal.render.drawing import Render, eye_of, linear_colors
from fnormal.render.lighting import Lighting
from fnormal.render.shadow import bounding_sphere, shadow_view
from fnormal.render.textures import Level, Textures

_TABLE = 1 << 14  # entries from linear light to sRGB: a fifth of a code at the dark end


class SoftRenderer:
    """A visibility-buffer rasteriser with deferred shading; see ``render.drawing.Renderer``."""

    def __init__(self, supersample: int = SUPERSAMPLE) -> None:
        self._supersample = supersample
        self._mesh: Mesh | None = None
        self._kept: list[Any] = []

    def __enter__(self) -> SoftRenderer:
        """Return self."""
        return self

    def __exit__(self, *_: object) -> None:
        """Forget the mesh."""
        self.close()

    def close(self) -> None:
        """Forget the mesh."""
        self._mesh = None

    def driver(self) -> str:
        """What draws, in words."""
        return "fnormal's software rasteriser"

    def load(self, mesh: Mesh) -> None:
        """Prepare ``mesh`` once; it replaces the one before."""
        self._mesh = mesh
        self._faces = mesh.faces.view(np.uint32)  # unsigned: no test for indices from the end
        self._textures = Textures(mesh)
        self._sphere = bounding_sphere(mesh)
        bent = self._textures.has_normals and mesh.normal_space == "tangent"
        shape = [mesh.normals]  # what a normal takes, then what a colour takes besides
        if bent:
            shape.append(vertex_tangents(mesh))
        if self._textures.has_any:
            assert mesh.uv is not None, "textures come with coordinates"
            shape.append(mesh.uv)
        self._bent, self._uv_at = bent, 7 if bent else 3
        self._shape = np.ascontiguousarray(np.concatenate(shape, axis=1), np.float32)
        self._all = self._shape
        if not self._textures.has_albedo:
            self._all = np.concatenate([self._shape, linear_colors(mesh)], axis=1)

    def render(self, camera: Camera, lighting: Lighting) -> Render:
        """Draw the loaded mesh; lights are in the camera frame."""
        if self._mesh is None:
            raise RuntimeError("load a mesh before rendering")
        k, height, width = self._supersample, camera.height_px, camera.width_px
        screen, view = _project(self._mesh, camera, k)
        seen, keys, *room = self._room(height * k, width * k)
        kernels.rasterise(screen, self._faces, seen, keys)
        level = self._textures.level(camera.px_per_unit)
        eye = eye_of(camera)

        n = kernels.fragments(seen, k, *room)
        face, pixel, count, at = (array[:n] for array in room)
        position, values = shading.interpolate(screen, self._faces, view, face, at, self._all)
        normals = self._normals(level, camera.rotation, values)
        linear = self._light(level, camera, eye, lighting, values, normals, position)
        gain = lighting.gain.astype(np.float32)
        rgba = shading.resolve(linear, gain, _to_srgb(), pixel, count, height * width, k * k)
        rgba = rgba.reshape(height, width, 4)

        face, pixel, at = kernels.centres(seen, k)
        position, values = shading.interpolate(screen, self._faces, view, face, at, self._shape)
        normals = self._normals(level, camera.rotation, values)
        views = shading.sights(position, eye)
        normal_z, mask = shading.lay_out(normals, position, views, pixel, height * width)
        normal_z = normal_z.reshape(height, width, 4)
        parts = rgba[..., :3], rgba[..., 3], normal_z[..., :3], mask.reshape(height, width), normal_z[..., 3]
        return Render(*(np.ascontiguousarray(part) for part in parts))

    def _room(self, height: int, width: int) -> list[Any]:
        """Arrays that every view of a size fills anew: their memory is asked for once.

        Face and key of each sample [height, width]; fragments' face, pixel, count [M] and place [M, 2].
        """
        if not self._kept or self._kept[0].shape != (height, width):
            most = height * width
            lists = [np.empty(most, np.int32) for _ in range(3)]
            grids = [np.empty((height, width), np.int32), np.empty((height, width), np.float32)]
            self._kept = [*grids, *lists, np.empty((most, 2), np.float32)]
        return self._kept

    def _normals(self, level: Level, turn: F32, values: F32) -> F32:
        """Unit shading normals of fragments, camera frame. [N, 3]"""
        normals = values
        if level.normals is not None:
            uv = values[:, self._uv_at : self._uv_at + 2]
            bumps = shading.lookup(level.normals, uv, np.float32(2 / 65535)) - np.float32(1)
            normals = shading.bend(values, values[:, 3:7], bumps) if self._bent else bumps
        return np.asarray(shading.rotate(normals, turn))

    def _light(
        self, level: Level, camera: Camera, eye: F32, lighting: Lighting,
        values: F32, normals: F32, position: F32,
    ) -> F32:  # fmt: skip
        """Linear light of fragments toward the eye, before the gain. [N, 3]"""
        uv = values[:, self._uv_at : self._uv_at + 2]
        albedo = values[:, -3:]
        if level.albedo is not None:
            albedo = srgb_to_linear(shading.lookup(level.albedo, uv, np.float32(1 / 255)))
        glow: Any = np.float32(lighting.specular)
        if level.specular is not None:
            glow = glow * shading.lookup(level.specular[..., None], uv, np.float32(1 / 128))[:, 0]
        total = np.zeros((len(values), 3), np.float32)
        if lighting.ambient.any() or lighting.environment.any():
            total = albedo * shading.around(normals, lighting.ambient, lighting.environment)
        views = shading.sights(position, eye) if lighting.specular > 0 else None
        for i, (toward, rgb) in enumerate(zip(lighting.directions, lighting.intensities, strict=True)):
            share, shine = np.ones(1, np.float32), np.zeros(1, np.float32)
            if views is not None:
                shine = glow * shading.highlights(normals, views, toward, np.float32(lighting.roughness))
            if i == 0 and lighting.shadow > 0:
                share = self._reach(camera, lighting, position, normals)
            shading.add_light(total, normals, albedo, toward, rgb, share, shine)
        return total

    def _reach(self, camera: Camera, lighting: Lighting, position: Any, normals: Any) -> Any:
        """Share of the first light that its cast shadow leaves to fragments. [N]"""
        assert self._mesh is not None, "render() looked"
        at = shadow_view(lighting.directions[0], camera.rotation, *self._sphere)
        screen, _ = _project(self._mesh, at.camera, 1)
        seen, keys = np.empty((2, at.camera.height_px, at.camera.width_px), np.float32)
        kernels.rasterise(screen, self._faces, seen.view(np.int32), keys)
        return shading.reach(position, normals, keys, at.turn, at.frame(), np.float32(lighting.shadow))


def _project(mesh: Mesh, camera: Camera, k: int) -> tuple[Any, Any]:
    """The kernels' ``screen``, and centre x, y, samples a unit, middle column and row."""
    middle = ((camera.width_px * k - 1) / 2, (camera.height_px * k - 1) / 2)
    view = np.array([*camera.center, camera.px_per_unit * k, *middle], np.float32)
    nearness = np.float32(0 if math.isinf(camera.distance) else 1 / camera.distance)
    screen = kernels.project(
        mesh.vertices, camera.rotation, view[:2], view[2], view[3:], nearness, np.float32(camera.pivot_z)
    )
    return screen, view


@lru_cache(maxsize=1)
def _to_srgb() -> F32:
    """SRGB code 0..255 of linear light 0..1. [_TABLE]"""
    return 255 * linear_to_srgb(np.linspace(0, 1, _TABLE, dtype=np.float32))
