"""A spherical cap with bumps, its normals, and what enhancing makes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from fnormal.enhancement.align import Alignment
from fnormal.enhancement.bake import residual_map
from fnormal.enhancement.coarse import aligned_coarse
from fnormal.enhancement.gltf import Extras, encode_glb, orthographic
from fnormal.enhancement.outfits import Scene, photo_texture
from fnormal.enhancement.transfer import Enhanced, append_normals, displace, sight_of
from fnormal.faces.crop import Crop
from fnormal.geometry.mesh import Mesh, make_mesh, vertex_tangents
from fnormal.geometry.normals import unit
from fnormal.prediction.face_normals import FaceNormals
from fnormal.render.backends import open_renderer
from fnormal.render.uvmap import at_texels

SIZE = 256


def cap(step: float = 2.0, bumps: float = 0.0) -> Mesh:
    """A ball's front in a photo of 256 pixels, with waves of so many pixels' height on it."""
    y, x = np.mgrid[28 : 228 + step : step, 28 : 228 + step : step].astype(np.float32)
    away = (x - 128) ** 2 + (y - 128) ** 2
    z = np.sqrt(np.maximum(150.0**2 - away, 0)) + bumps * np.sin(x / 5) * np.cos(y / 6)
    n = x.shape[0]
    corner = np.arange(n * n).reshape(n, n)[:-1, :-1].reshape(-1)
    faces = np.concatenate([
        np.stack([corner, corner + 1, corner + n], axis=1),
        np.stack([corner + 1, corner + n + 1, corner + n], axis=1),
    ])  # fmt: skip
    vertices = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    return make_mesh(vertices, faces, uv=((vertices[:, :2] - 28) / 200).astype(np.float32))


def bumpy_normals(bumps: float) -> FaceNormals:
    """The true normals of :func:`cap` as a prediction in the photo's pixels."""
    row, column = np.mgrid[:SIZE, :SIZE]
    x, y = column, SIZE - 1 - row
    z = np.sqrt(np.maximum(150.0**2 - (x - 128) ** 2 - (y - 128) ** 2, 1))
    dx = -(x - 128) / z + bumps / 5 * np.cos(x / 5) * np.cos(y / 6)
    dy = -(y - 128) / z - bumps / 6 * np.sin(x / 5) * np.sin(y / 6)
    normals = unit(np.stack([-dx, -dy, np.ones_like(z)], axis=-1))
    mask = (x - 128) ** 2 + (y - 128) ** 2 < 90**2
    return FaceNormals(normals * mask[..., None], mask, mask.astype(np.float32), Crop(16, 16, 224), None)


def exact() -> Alignment:
    return Alignment("exact", np.eye(3), np.zeros(3), 0.0, 200.0, is_written=True)


def enhanced_cap(mode: str, bumps: float = 0.8, mesh: Mesh | None = None) -> tuple[Enhanced, FaceNormals]:
    coarse, result = aligned_coarse(mesh or cap(), exact(), rounds=0), bumpy_normals(bumps)
    with open_renderer("soft", supersample=1) as renderer:
        done = append_normals(sight_of(renderer, coarse, result), coarse, result, 1.0)
    return (displace(done, 20.0, 8.0) if mode == "displace" else done), result


def inner(mesh: Mesh) -> np.ndarray:
    return np.linalg.norm(mesh.vertices[:, :2] - 128, axis=1) < 70


def undone(
    mesh: Mesh, tangent_map: np.ndarray, result: FaceNormals
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What a renderer makes of a tangent-space map: normals with and without it, the photo's, and where."""
    assert mesh.uv is not None
    values = np.concatenate([mesh.vertices, mesh.normals, vertex_tangents(mesh)], axis=1)
    texels, mask = at_texels(mesh.faces, mesh.uv, values, *tangent_map.shape[1::-1])
    some = mask & (np.linalg.norm(texels[..., :2] - 128, axis=-1) < 60)
    normal, along = unit(texels[..., 3:6]), texels[..., 6:9]
    along = unit(along - normal * np.sum(normal * along, axis=-1, keepdims=True))
    across = np.cross(normal, along) * np.sign(texels[..., 9:])
    with_map = tangent_map[..., :1] * along + tangent_map[..., 1:2] * across + tangent_map[..., 2:] * normal
    column, row = texels[..., 0], SIZE - 1 - texels[..., 1]
    return with_map, normal, cv2.remap(result.part_normals, column, row, cv2.INTER_LINEAR), some


def dressed(done: Enhanced) -> tuple[Mesh, np.ndarray]:
    """The cap with a photo, and what is left of the normals over its coarse vertices."""
    picture = np.full((SIZE, SIZE, 3), 128, np.uint8)
    uv, part = photo_texture(done.after.vertices, picture)
    mesh = replace(done.after, uv=uv, texture=part)
    left = residual_map(done, mesh, mesh.faces, 512, 512)
    return mesh, left


def glb_of_cap(path: Path) -> tuple[Enhanced, FaceNormals]:
    done, result = enhanced_cap("displace")
    mesh, left = dressed(done)
    hidden = np.zeros(len(mesh.faces), bool)
    hidden[:40] = True
    scene = Scene(0.001, mesh.vertices.mean(axis=0).astype(np.float64), SIZE, SIZE)
    extras = Extras({"a": 1}, left, hidden, orthographic(0.128, 0.128), (0.0, 0.0, 0.5))
    path.write_bytes(encode_glb(scene(mesh), extras))
    return done, result
