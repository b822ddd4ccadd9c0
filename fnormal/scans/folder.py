"""Any folder of meshes with their maps, read by a layout: ICT-3DRFE, Florence, and everybody's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fnormal.arrays import U8, U16, Array
from fnormal.config import MAX_TEXTURE_PX, MAX_TRIANGLES
from fnormal.errors import FNormalError
from fnormal.files.opening import PICTURE, decoding, quiet_stderr
from fnormal.geometry.images import linear_to_srgb
from fnormal.geometry.mesh import Mesh, make_mesh
from fnormal.geometry.meshfile import MESH_SUFFIXES, read_mesh
from fnormal.geometry.normals import frame_matrix, unit
from fnormal.geometry.picturefile import IMAGE_SUFFIXES, check_picture_size, read_image
from fnormal.geometry.subdivision import loop_subdivision, midpoint_subdivision
from fnormal.scans.layout import FLORENCE, ICT3DRFE, Globs, Layout, read_layout
from fnormal.scans.scan import Scan, upright


def ict3drfe(source: Path, **options: Any) -> MeshFolder:
    """ICT-3DRFE by a guessed layout, see :data:`fnormal.scans.layout.ICT3DRFE`."""
    return folder(source, base=ICT3DRFE, **options)


def florence(source: Path, **options: Any) -> MeshFolder:
    """The Florence set by :data:`fnormal.scans.layout.FLORENCE`."""
    return folder(source, base=FLORENCE, **options)


def folder(
    source: Path,
    *,
    licence: str,
    scans: int | None,
    layout: Path | None,
    axes: str | None,
    base: Layout | None = None,
) -> MeshFolder:
    """Any folder of meshes: ``layout`` overrides ``base``, and ``axes`` overrides both."""
    where = replace(base or Layout(), licence=licence)
    if layout is not None:
        where = read_layout(layout, where)
    if axes is not None:
        where = replace(where, axes=axes)
    return MeshFolder(source, scans, where, "the built-in layout" if layout is None else str(layout))


class MeshFolder:
    """Scans of a folder, sorted by path, or one mesh file.

    Args:
        source: The folder or the file.
        scans: The most scans to read.
        layout: Where what is.
        layout_name: What messages call it.

    Raises:
        FNormalError: No folder, or no mesh in it.
    """

    def __init__(
        self, source: Path, scans: int | None, layout: Layout, layout_name: str = "the layout"
    ) -> None:
        if not source.exists():
            raise FNormalError(f"no such scans: {source}; check the path")
        self._layout, self._layout_name = layout, layout_name
        self._root = source if source.is_dir() else source.parent
        self._paths = [source] if source.is_file() else self._find()[:scans]
        if not self._paths:
            looked = ", ".join(layout.mesh)
            raise FNormalError(
                f"no meshes in {source}; looked for {looked} ({', '.join(sorted(MESH_SUFFIXES))})"
            )
        self.names: Sequence[str] = [p.relative_to(self._root).as_posix() for p in self._paths]
        self.files: Sequence[Path] = self._paths
        self.licence = layout.licence

    def _find(self) -> list[Path]:
        """Meshes in order of their path; of each subject the first by the order of the globs, if so asked."""
        meshes: dict[Path, None] = {}
        chosen: dict[str, Path] = {}
        for glob in self._layout.mesh:
            for path in sorted(self._root.glob(glob)):
                if path.suffix.lower() in MESH_SUFFIXES and path.is_file():
                    meshes.setdefault(path)
                    chosen.setdefault(self._subject(path), path)
        return sorted(chosen.values() if self._layout.one_per_subject else meshes)

    def _subject(self, path: Path) -> str:
        name = path.relative_to(self._root).as_posix()
        match = re.search(self._layout.subject, name)
        if match is None:
            return path.stem
        if not match[1]:
            raise FNormalError(
                f"{self._layout_name}: subject finds no name in {name}; make its first group match"
            )
        return match[1]

    def load(self, index: int) -> Scan:
        """Read mesh ``index`` with its maps, its axes put right, its middle at the origin."""
        path, layout = self._paths[index], self._layout
        mesh = read_mesh(path, need_texture=not layout.texture)
        mesh = self._with_maps(path, mesh)
        if (heights := self._picture(path, layout.displacement)) is not None:
            mesh = displaced(mesh, heights, layout, str(path))
        return Scan(self.names[index], self._subject(path), upright(mesh, layout.axes))

    def _with_maps(self, path: Path, mesh: Mesh) -> Mesh:
        """The mesh with the pictures that the layout attaches; without coordinates there is no place."""
        layout = self._layout
        if mesh.uv is None:
            return mesh
        uv = np.stack([mesh.uv[:, 0], 1 - mesh.uv[:, 1]], axis=1) if layout.flip_v else mesh.uv
        texture = mesh.texture
        own = layout.texture or (("{stem}.*",) if texture is None else ())
        if (picture := self._picture(path, own)) is not None:
            texture = to_8_bit(picture, linear=layout.albedo_space == "linear")
        parts: dict[str, Any] = {"uv": uv, "texture": texture}
        if (picture := self._picture(path, layout.normal_map)) is not None:
            parts["normal_map"] = to_normal_map(picture, layout.normal_axes)
            parts["normal_space"] = layout.normal_space
        if (picture := self._picture(path, layout.specular)) is not None:
            parts["specular"] = np.ascontiguousarray(to_8_bit(picture, linear=False)[..., 1])
        return replace(mesh, **parts)

    def _picture(self, path: Path, globs: Globs) -> Array | None:
        """The first picture that a glob finds, in the mesh's folder or from the root.

        Raises:
            FNormalError: It cannot be read, or is too large.
        """
        for glob in globs:
            name = glob.replace("{stem}", path.stem)
            for folder in (path.parent, self._root):
                pictures = [p for p in sorted(folder.glob(name)) if p.suffix.lower() in IMAGE_SUFFIXES]
                if pictures:
                    check_picture_size(pictures[0], MAX_TEXTURE_PX)
                    return read_deep(pictures[0])
        return None


def read_deep(path: Path) -> Array:
    """RGB [H, W, 3] of 8 or 16 bits: Pillow would cut the latter."""
    import cv2

    with decoding(path, PICTURE), quiet_stderr():
        raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if raw is None or raw.dtype != np.uint16:
        return read_image(path)
    return np.ascontiguousarray(np.stack([raw] * 3, axis=-1) if raw.ndim == 2 else raw[..., 2::-1])


def to_8_bit(picture: Array, *, linear: bool) -> U8:
    """A picture of 8 or 16 bits as 8-bit sRGB; ``linear`` values go through the sRGB curve."""
    if picture.dtype == np.uint8 and not linear:
        return picture
    share = picture.astype(np.float32) / np.float32(np.iinfo(picture.dtype).max)
    return np.rint(255 * (linear_to_srgb(share) if linear else share)).astype(np.uint8)


def to_normal_map(picture: Array, axes: str) -> U16:
    """A picture of 8 or 16 bits as ``Mesh.normal_map``, its channels put right. uint16 [H, W, 3]"""
    top = np.iinfo(picture.dtype).max
    out = np.empty(picture.shape, np.uint16)
    turn = frame_matrix(axes)
    for rows in range(0, len(picture), 256):  # in strips: a 4096 x 4096 map is 200 MB in floats
        vectors = picture[rows : rows + 256].astype(np.float32) * np.float32(2 / top) - 1
        out[rows : rows + 256] = np.rint((unit(vectors) @ turn.T + 1) * (65535 / 2))
    return out


def displaced(mesh: Mesh, picture: Array, layout: Layout, source: str) -> Mesh:
    """Subdivide a mesh and move it along its normals by a picture of heights [H, W, 3].

    Raises:
        FNormalError: The mesh has no texture coordinates, or would have too many triangles.
    """
    import cv2

    if mesh.uv is None:
        raise FNormalError(f"{source} has no texture coordinates, so its displacement has no place")
    if len(mesh.faces) * 4**layout.subdivide > MAX_TRIANGLES:
        raise FNormalError(f"{source}: subdivide = {layout.subdivide} gives over {MAX_TRIANGLES:,} triangles")
    # one surface across texture seams: positions are welded, coordinates stay apart
    _, first, place = np.unique(mesh.vertices, axis=0, return_index=True, return_inverse=True)
    welded, points = place.reshape(-1)[mesh.faces].astype(np.int32), mesh.vertices[first]
    faces, uv = mesh.faces, mesh.uv
    for _ in range(layout.subdivide):
        finer, split = loop_subdivision(welded, len(points)), midpoint_subdivision(faces, len(uv))
        points, welded, uv, faces = finer(points), finer.faces, split(uv), split.faces
    smooth = make_mesh(points, welded, source=source)
    heights = picture[..., 1].astype(np.float32) / np.iinfo(picture.dtype).max
    column = uv[:, 0] * heights.shape[1] - 0.5
    row = (1 - uv[:, 1]) * heights.shape[0] - 0.5
    parts = [
        cv2.remap(heights, column[i : i + 30000, None], row[i : i + 30000, None], cv2.INTER_LINEAR,
                  borderMode=cv2.BORDER_REPLICATE)
        for i in range(0, len(uv), 30000)
    ]  # fmt: skip
    height = (np.concatenate(parts)[:, 0] - layout.displacement_middle) * layout.displacement_scale
    # a seam's two sides may read different heights: they move by the mean, so the surface stays closed
    at = np.empty(len(uv), np.int64)
    at[faces.reshape(-1)] = welded.reshape(-1)
    count = np.maximum(np.bincount(at, minlength=len(points)), 1)
    height = np.bincount(at, weights=height, minlength=len(points)) / count
    moved = points + height[:, None].astype(np.float32) * smooth.normals
    parts_kept = {name: getattr(mesh, name) for name in ("texture", "normal_map", "normal_space", "specular")}
    return make_mesh(moved[at], faces, source=source, uv=uv, **parts_kept)
