"""The photo's normals as pictures: in the user's own texture coordinates, or left over the vertex normals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fnormal.arrays import F32, I32, Bools
from fnormal.enhancement.blend import blend, photo_pixels, sample
from fnormal.enhancement.transfer import Enhanced
from fnormal.errors import FNormalError
from fnormal.geometry.mesh import Mesh, vertex_tangents
from fnormal.geometry.normals import unit
from fnormal.prediction.face_normals import FaceNormals
from fnormal.render.uvmap import at_texels, bled

_MARGIN_PX = 8  # what filters and smaller copies of a texture reach over the rim of an island


@dataclass(frozen=True)
class NormalMaps:
    """Normal maps of an unchanged mesh in its own texture coordinates.

    Attributes:
        tangent: u right, v up (green up, as OpenGL and Blender have it), outward. [S, S, 3]
        object: In the file's own axes. [S, S, 3]
        mask: Texels that the mesh covers. [S, S]
    """

    tangent: F32
    object: F32
    mask: Bools


def check_unwrapped(mesh: Mesh) -> None:
    """See that normal maps can be baked for a mesh.

    Raises:
        FNormalError: It has no texture coordinates.
    """
    if mesh.uv is None:
        raise FNormalError(
            "--bake needs a mesh with texture coordinates, and this has none: unwrap it first (in Blender:"
            " U, Smart UV Project), or take the GLB"
        )


def bake(enhanced: Enhanced, size_px: int) -> NormalMaps:
    """Normal maps for the mesh as it was given: its vertices, faces and texture coordinates stay.

    Raises:
        FNormalError: The mesh has no texture coordinates.
    """
    coarse, base, fine = enhanced.coarse, enhanced.coarse.base, enhanced.before
    check_unwrapped(base)
    assert base.uv is not None, "just looked"
    assert fine.uv is not None, "subdivision keeps them"
    tangents = vertex_tangents(base)
    # what a 3D program interpolates on the given faces, at the fine vertices: not yet unit
    normals, along = coarse.carried(base.normals), coarse.carried(tangents[:, :3])
    sign = np.sign(coarse.carried(tangents[:, 3:]))
    values = np.concatenate([_seen_at(enhanced), normals, along, sign], axis=1)
    texels, mask = at_texels(fine.faces, fine.uv, values, size_px, size_px)
    own = unit(texels[..., 3:6])
    wanted = _wanted(texels, own, enhanced.result)
    tangent = in_tangent_space(wanted, own, texels[..., 6:9], texels[..., 9])
    rotation = np.eye(3) if coarse.alignment is None else coarse.alignment.rotation
    objects = np.asarray(wanted @ rotation, np.float32)
    covered = bled(mask[..., None].astype(np.float32), mask, _MARGIN_PX)[..., 0] > 0
    return NormalMaps(_bled_normals(tangent, mask), _bled_normals(objects, mask), covered)


def _bled_normals(normals: F32, mask: Bools) -> F32:
    return np.asarray(bled(np.where(mask[..., None], normals, 0), mask, _MARGIN_PX), np.float32)


def residual_map(enhanced: Enhanced, mesh: Mesh, faces: I32, width_px: int, height_px: int) -> F32:
    """What the photo's normals add to a mesh's vertex normals, in its texture, tangent space. [H, W, 3]

    Args:
        enhanced: Gives the prediction and its weights.
        mesh: With texture coordinates and the enhanced vertex normals.
        faces: Those of its faces that the photo shows. [F, 3]
        width_px: Columns of the texture.
        height_px: Rows.
    """
    assert mesh.uv is not None, "a texture has coordinates"
    tangents = vertex_tangents(mesh)
    values = np.concatenate([_seen_at(enhanced), mesh.normals, tangents], axis=1)
    texels, mask = at_texels(faces, mesh.uv, values, width_px, height_px)
    inside = texels[mask]  # [T, 10]: of a photo's texture the face is a third
    own = unit(inside[:, 3:6])
    wanted = _wanted(inside, own, enhanced.result)
    # the vertices have the prediction's share already; where they hardly have it, nothing is added
    share = np.clip(2 * inside[:, 2:3], 0, 1)
    wanted = unit(own + share * (wanted - own))
    left = np.zeros((*mask.shape, 3), np.float32)
    left[..., 2] = 1
    left[mask] = in_tangent_space(wanted, own, inside[:, 6:9], inside[:, 9])
    return left


def in_tangent_space(wanted: F32, normals: F32, tangents: F32, sign: F32) -> F32:
    """Vectors [..., 3] in the frame of interpolated normals and tangents [..., 3], as renderers undo it."""
    along = unit(tangents - normals * np.sum(normals * tangents, axis=-1, keepdims=True))
    across = np.cross(normals, along) * np.where(sign < 0, -1, 1)[..., None]
    parts = [np.sum(wanted * axis, axis=-1) for axis in (along, across, normals)]
    return unit(np.stack(parts, axis=-1))


def _seen_at(enhanced: Enhanced) -> F32:
    """Where the photo shows the vertices, in the pixels of the prediction's part, and their weight. [V, 3]"""
    result = enhanced.result
    at = photo_pixels(enhanced.before.vertices, result.shape[0]) - np.array(result.corner_px, np.float32)
    return np.column_stack([at, enhanced.weights]).astype(np.float32)


def _wanted(texels: F32, own: F32, result: FaceNormals) -> F32:
    """Unit normals of texels whose first three values are photo column, row and weight. [..., 3]"""
    shape = texels.shape[:-1]
    pred = unit(sample(result.part_normals, texels[..., :2].reshape(-1, 2)))
    known = np.linalg.norm(pred, axis=1) > 0.5
    weight = texels[..., 2].reshape(-1) * known
    return blend(own.reshape(-1, 3), pred, weight).reshape(*shape, 3)
