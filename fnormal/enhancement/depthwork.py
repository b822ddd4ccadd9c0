"""A photo, its normals and a depth map -> fused depth, a mesh and the pictures of Fig. 10."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fnormal.arrays import F32, F64, U8, Bools
from fnormal.config import DEPTH_RANGE_M
from fnormal.enhancement.fusion import Fused, camera_normals, fuse, grid_points, own_normals
from fnormal.enhancement.gltf import Extras, encode_glb, perspective
from fnormal.enhancement.registration import OnPhoto
from fnormal.errors import FNormalError
from fnormal.faces.crop import Crop
from fnormal.geometry.images import resize_image
from fnormal.geometry.intrinsics import Intrinsics
from fnormal.geometry.mesh import Mesh, make_mesh
from fnormal.geometry.normals import encode_rgb, unit
from fnormal.prediction.face_normals import FaceNormals

_MOST_GRID_PX = 400  # side of the grid in which is solved: networks see 256 pixels there
_LEAST_KNOWN = 0.2  # share of the face that must have depth
_TEAR_M = 0.01  # neighbours that differ by more, at 0.7 m, are not joined by a face of the mesh
_LIGHT = np.array([-0.45, 0.35, 0.82])
_PANEL_PX = 360


@dataclass(frozen=True)
class DepthResult:
    """Fused depth of one face, on a grid inside the photo.

    Attributes:
        fused: On the grid.
        measured: What was measured there, 0 for holes. [G, G]
        mask: The face. [G, G]
        rays: Of its pixels, y down. [G, G, 2]
        crop: The square of the photo that the grid is.
        camera: Of the whole photo.
    """

    fused: Fused
    measured: F32
    mask: Bools
    rays: F64
    crop: Crop
    camera: Intrinsics


def fuse_face(depth: OnPhoto, camera: Intrinsics, normals: FaceNormals) -> DepthResult:
    """Fuse the depth of a face with its normals, on a grid of the crop.

    Args:
        depth: Over the photo.
        camera: Of the photo.
        normals: Of the face.

    Raises:
        FNormalError: The face has hardly any depth, or lies nearer or farther than faces do.
    """
    import cv2

    crop = normals.crop
    size = min(crop.side_px, _MOST_GRID_PX)
    step = crop.side_px / size
    at = (np.arange(size) + 0.5) * step - 0.5
    x, y = np.meshgrid(at + crop.x_px, at + crop.y_px)
    scale = depth.per_photo_px
    column, row = (((axis + 0.5) * scale - 0.5).astype(np.float32) for axis in (x, y))
    metres: F32 = cv2.remap(depth.metres, column, row, cv2.INTER_NEAREST, borderValue=0)
    corner = np.array(normals.corner_px)
    column, row = (x - corner[0]).astype(np.float32), (y - corner[1]).astype(np.float32)
    pred = unit(cv2.remap(normals.part_normals, column, row, cv2.INTER_LINEAR, borderValue=0))
    shown = cv2.remap(normals.part_mask.astype(np.float32), column, row, cv2.INTER_LINEAR, borderValue=0)
    mask = np.asarray(shown > 0.5)
    known = mask & (metres > 0)
    _check_range(metres, mask, known)
    # what lies before or behind the face by a hand's breadth is not it
    middle = float(np.median(metres[known]))
    mask &= ~((metres > 0) & (np.abs(metres - middle) > 0.2))
    rays = camera.rays(np.stack([x, y], axis=-1))
    ray = camera.rays(np.array([crop.x_px, crop.y_px]) + (crop.side_px - 1) / 2)
    samples = np.full(mask.shape, min((step * scale) ** 2, 1.0), np.float32)
    fused = fuse(metres, camera_normals(pred, ray), mask, rays, samples=samples)
    return DepthResult(fused, metres, mask, rays, crop, camera)


def _check_range(metres: F32, mask: Bools, known: Bools) -> None:
    """See that the face has depth, and that it is a face's.

    Raises:
        FNormalError: It has not.
    """
    share = float(known.sum() / max(mask.sum(), 1))
    if share < _LEAST_KNOWN:
        raise FNormalError(
            f"only {100 * share:.0f} % of the face has depth; is the depth map registered to the photo?"
            " If not, give --intrinsics, --color-intrinsics and --extrinsics"
        )
    middle = float(np.median(metres[known]))
    if not DEPTH_RANGE_M[0] <= middle <= DEPTH_RANGE_M[1]:
        raise FNormalError(
            f"the face is {middle:.3g} m away, which no depth camera sees well"
            f" ({DEPTH_RANGE_M[0]:g} to {DEPTH_RANGE_M[1]:g} m); check --depth-scale, numbers for one metre"
        )


def on_whole_photo(result: DepthResult, depth: OnPhoto, shape: tuple[int, int]) -> tuple[F32, F32]:
    """Fused depth in the photo's frame, measured depth around it; and the confidence. [H, W], [H, W]"""
    import cv2

    height, width = shape
    whole = cv2.resize(depth.metres, (width, height), interpolation=cv2.INTER_NEAREST)
    confidence = np.zeros((height, width), np.float32)
    side = result.crop.side_px
    known = (result.fused.metres > 0).astype(np.float32)
    grow = (side, side)
    share = cv2.resize(known, grow, interpolation=cv2.INTER_LINEAR)
    inside = cv2.resize((result.fused.confidence > 0).astype(np.float32), grow) > 0.5
    values = cv2.resize(result.fused.metres * known, grow, interpolation=cv2.INTER_LINEAR)
    row, column = np.nonzero(inside & (share > 0.99))
    x, y = column + result.crop.x_px, row + result.crop.y_px
    there = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    row, column, x, y = row[there], column[there], x[there], y[there]
    whole[y, x] = values[row, column] / share[row, column]
    sure = cv2.resize(result.fused.confidence, grow, interpolation=cv2.INTER_LINEAR)
    confidence[y, x] = sure[row, column]
    return whole, confidence


def mesh_of(result: DepthResult, picture: U8) -> Mesh:
    """The fused face as a mesh in metres, the camera at the origin looking along -z, the photo as texture.

    Raises:
        FNormalError: Nothing of it hangs together.
    """
    fused = result.fused
    metres = fused.metres * result.mask
    size = metres.shape[0]
    known = metres > 0
    corner = np.arange(size * size).reshape(size, size)
    a, b, c, d = corner[:-1, :-1], corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:]
    halves = [np.stack(three, axis=-1).reshape(-1, 3) for three in ((a, b, c), (a, c, d))]
    triangles = np.concatenate(halves)
    flat = metres.reshape(-1)
    z = flat[triangles]
    tear = _TEAR_M * np.maximum((z.mean(axis=1) / 0.7) ** 2, 0.3)
    triangles = triangles[known.reshape(-1)[triangles].all(axis=1) & (np.ptp(z, axis=1) < tear)]
    if not len(triangles):
        raise FNormalError("the fused depth has no surface; is it this photo's depth map?")
    used, faces = np.unique(triangles, return_inverse=True)
    points = grid_points(metres, result.rays).reshape(-1, 3)[used]
    row, column = np.divmod(used, size)
    uv = np.stack([(column + 0.5) / size, 1 - (row + 0.5) / size], axis=1).astype(np.float32)
    texture = np.ascontiguousarray(result.crop.part(picture))
    normals = fused.normals.reshape(-1, 3)[used]
    mesh = make_mesh(points, faces.reshape(-1, 3), uv=uv, texture=texture)
    missing = np.linalg.norm(normals, axis=1, keepdims=True) < 0.5
    return replace(mesh, normals=np.where(missing, mesh.normals, normals))


def glb_of_depth(mesh: Mesh, result: DepthResult, notes: Mapping[str, Any]) -> bytes:
    """The mesh with the camera that took the photo; glTF knows no principal point, which the notes hold."""
    camera = result.camera
    lens = perspective(
        camera.height_px / camera.fy, camera.width_px * camera.fy / camera.fx / camera.height_px
    )
    return encode_glb(mesh, Extras(dict(notes), lens=lens))


def shaded_pictures(result: DepthResult, picture: U8) -> U8:
    """Fig. 10: the photo, its measured depth and the fused depth in one light, and the normals."""
    measured = own_normals(grid_points(result.measured, result.rays), result.measured > 0)
    moved = own_normals(grid_points(result.fused.metres, result.rays), result.fused.metres > 0)
    own = np.where(result.mask[..., None], moved, 0)
    normals = result.fused.normals
    mask = result.mask & (normals != 0).any(axis=-1)
    shown = (measured * result.mask[..., None], own, normals * mask[..., None])
    panels = [result.crop.part(picture), *(_shade(part) for part in shown), encode_rgb(normals, mask)]
    return np.concatenate([resize_image(panel, _PANEL_PX) for panel in panels], axis=1)


def _shade(normals: F32) -> U8:
    light = _LIGHT / np.linalg.norm(_LIGHT)
    value = 0.1 + 0.9 * np.clip(normals @ light, 0, 1)
    grey = np.where((normals != 0).any(axis=-1), value, 1.0)
    shade: U8 = np.rint(255 * np.repeat(grey[..., None], 3, axis=-1)).astype(np.uint8)
    return shade
