"""An enhanced mesh dressed for files: in metres, with texture, what is hidden set apart, and a camera."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fnormal import __version__
from fnormal.arrays import F32, F64, U8
from fnormal.enhancement.bake import residual_map
from fnormal.enhancement.blend import photo_pixels, sample
from fnormal.enhancement.gltf import Extras, encode_glb, orthographic
from fnormal.enhancement.placing import Placed
from fnormal.enhancement.transfer import Enhanced
from fnormal.geometry.mesh import Mesh
from fnormal.geometry.normals import angular_error_deg
from fnormal.options.enhance import Texture

_MOST_MAP_PX = 1024  # of a normal map in the photo's place: four times what the network answers with
_CAMERA_M = 0.5  # from the nearest point to the camera


@dataclass(frozen=True)
class Scene:
    """How the photo's pixel frame lies in a file's metres.

    Attributes:
        metres: Of one pixel.
        center: What becomes the origin, in the pixel frame. [3]
        width_px: Columns of the photo.
        height_px: Rows of the photo.
    """

    metres: float
    center: F64
    width_px: int
    height_px: int

    def __call__(self, mesh: Mesh) -> Mesh:
        """A mesh in metres, x right, y up, z toward the viewer."""
        return replace(mesh, vertices=np.asarray((mesh.vertices - self.center) * self.metres, np.float32))

    @property
    def to_photo(self) -> F64:
        """Back to x, row (y down), z toward the viewer, in pixels. [4, 4]"""
        matrix = np.diag([1 / self.metres, -1 / self.metres, 1 / self.metres, 1.0])
        matrix[:3, 3] = self.center * (1, -1, 1) + (0, self.height_px - 1, 0)
        return matrix

    def of_file(self, placed: Placed) -> F64 | None:
        """From the given file's own coordinates to the scene's metres. [4, 4]"""
        alignment = placed.coarse.alignment
        if alignment is None:
            return None
        matrix = np.eye(4)
        matrix[:3, :3] = alignment.linear * self.metres
        matrix[:3, 3] = (alignment.offset - self.center) * self.metres
        return matrix

    def lens(self) -> dict[str, Any]:
        """The camera in which the mesh lies over the photo."""
        return orthographic(self.width_px * self.metres / 2, self.height_px * self.metres / 2)

    def eye(self, mesh: Mesh) -> tuple[float, float, float]:
        """Where it stands, before a mesh in metres."""
        middle = (np.array([self.width_px - 1, self.height_px - 1]) / 2 - self.center[:2]) * self.metres
        return float(middle[0]), float(middle[1]), float(mesh.vertices[:, 2].max()) + _CAMERA_M


def scene_of(placed: Placed, enhanced: Enhanced, picture: U8) -> Scene:
    """Metres by the distance of the eyes; the origin is the middle of the vertices."""
    center = enhanced.after.vertices.mean(axis=0).astype(np.float64)
    return Scene(1 / placed.px_per_mm / 1000, center, picture.shape[1], picture.shape[0])


def photo_texture(vertices: F32, picture: U8) -> tuple[F32, U8]:
    """Project the photo onto an aligned mesh: texture coordinates (v up), and the part of it that is used."""
    part, xy = _used_part(vertices, picture)
    uv = (xy + 0.5) / part.shape[1::-1]
    return np.asarray(uv * (1, -1) + (0, 1), np.float32), np.ascontiguousarray(part)


def _used_part(vertices: F32, picture: U8) -> tuple[U8, F32]:
    """The part of the photo that an aligned mesh lies over, and the pixels of its vertices there. [V, 2]"""
    height, width = picture.shape[:2]
    xy = photo_pixels(vertices, height)
    low = np.clip(np.floor(xy.min(axis=0)), 0, (width - 2, height - 2)).astype(int)
    high = np.clip(np.ceil(xy.max(axis=0)) + 1, low + 2, (width, height)).astype(int)
    return picture[low[1] : high[1], low[0] : high[0]], np.asarray(xy - low, np.float32)


def glb_of(
    enhanced: Enhanced, picture: U8, scene: Scene, texture: Texture, uv_size_px: int, notes: dict[str, Any]
) -> bytes:  # fmt: skip
    """The GLB: the photo or the mesh's own texture, and the normals left over the vertices' as a map.

    Args:
        enhanced: In the photo's pixel frame.
        picture: The photo at its full resolution.
        scene: To metres.
        texture: ``mesh`` where the mesh has one of its own.
        uv_size_px: Side of the normal map in the mesh's own texture coordinates.
        notes: For whoever reads the file.
    """
    mesh = enhanced.after
    hidden = np.asarray(~enhanced.visible[mesh.faces].any(axis=1))
    if texture == "mesh" and mesh.texture is not None and mesh.uv is not None:
        size, apart = (uv_size_px, uv_size_px), None
    else:
        uv, part = photo_texture(mesh.vertices, picture)
        mesh, apart = replace(mesh, uv=uv, texture=part, colors=None), hidden
        size = _map_size(part.shape[0], part.shape[1])
    left = residual_map(enhanced, mesh, mesh.faces[~hidden], size[1], size[0])
    scaled = scene(mesh)
    return encode_glb(scaled, Extras(notes, left, apart, scene.lens(), scene.eye(scaled)))


def _map_size(height: int, width: int) -> tuple[int, int]:
    shrink = min(1.0, _MOST_MAP_PX / max(height, width))
    return max(round(height * shrink), 1), max(round(width * shrink), 1)


def given_topology(enhanced: Enhanced, picture: U8) -> Mesh:
    """The enhanced mesh with the given vertices, faces and texture coordinates, in the pixel frame."""
    base, n = enhanced.coarse.base, len(enhanced.coarse.base.vertices)
    moved = enhanced.after.vertices[:n]  # subdivision keeps the given vertices first
    normals = enhanced.after.normals[:n]
    mesh = replace(base, vertices=moved, normals=normals)
    if mesh.uv is None or mesh.texture is None:
        uv, part = photo_texture(moved, picture)
        mesh = replace(mesh, uv=uv, texture=part)
    return mesh


def obj_of(mesh: Mesh, name: str, texture_name: str) -> tuple[bytes, bytes]:
    """An OBJ with normals and texture coordinates, and its MTL."""
    assert mesh.uv is not None, "it is dressed before"
    numbers = (mesh.faces + 1).repeat(3, axis=1)
    lines = [
        f"# fnormal {__version__}: metres, x right, y up, z toward the viewer",
        f"mtllib {name}.mtl",
        *("v {:.7f} {:.7f} {:.7f}".format(*row) for row in mesh.vertices.tolist()),
        *("vt {:.6f} {:.6f}".format(*row) for row in mesh.uv.tolist()),
        *("vn {:.5f} {:.5f} {:.5f}".format(*row) for row in mesh.normals.tolist()),
        "usemtl face",
        *("f {}/{}/{} {}/{}/{} {}/{}/{}".format(*row) for row in numbers.tolist()),
    ]
    material = f"newmtl face\nKd 1 1 1\nKs 0 0 0\nmap_Kd {texture_name}\n"
    return ("\n".join(lines) + "\n").encode(), material.encode()


def with_photo_colors(mesh: Mesh, picture: U8) -> Mesh:
    """Vertex colours of the photo, for files without texture."""
    part, xy = _used_part(mesh.vertices, picture)
    colors = sample(part.astype(np.float32), xy)
    return replace(mesh, colors=np.asarray(colors / np.float32(255)), texture=None, uv=None)


def describe(placed: Placed, enhanced: Enhanced, scene: Scene, recipe: dict[str, Any]) -> dict[str, Any]:
    """What a reader of the files must know: every parameter and residual."""
    touched = enhanced.weights > 0.5
    changed = angular_error_deg(enhanced.before.normals, enhanced.after.normals)
    shift_mm = np.abs(enhanced.after.vertices - enhanced.before.vertices)[:, 2] / enhanced.px_per_mm
    alignment = placed.coarse.alignment
    to_scene = scene.of_file(placed)
    return {
        "frame": "x right, y up, z toward the viewer; metres, eyes 63 mm apart",
        "to_photo_px": scene.to_photo.tolist(),
        "from_mesh_file": None if to_scene is None else to_scene.tolist(),
        "face": placed.number,
        "alignment": "FaceMesh" if alignment is None else alignment.kind,
        "residual_px": None if alignment is None else round(alignment.residual_px, 3),
        "residual_share": None if alignment is None else round(alignment.residual, 5),
        "forms_agree": round(placed.agreement, 4) or None,
        "covered_share": round(enhanced.covered, 4),
        "vertices": len(enhanced.after.vertices),
        "given_vertices": len(enhanced.coarse.base.vertices),
        "enhanced_share": enhanced.share,
        "agreeing_share": enhanced.agreeing,
        "mean_change_deg": float(changed[touched].mean()) if touched.any() else 0.0,
        "mean_shift_mm": round(float(shift_mm[touched].mean()) if touched.any() else 0.0, 4),
        "max_shift_mm": round(float(shift_mm.max()), 4),
        "px_per_mm": round(enhanced.px_per_mm, 5),
        "recipe": recipe,
    }  # fmt: skip
