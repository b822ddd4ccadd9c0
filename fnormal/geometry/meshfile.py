"""Mesh files -> arrays: OBJ, PLY, GLB, STL, OFF, VTK, however broken they are."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import numpy.typing as npt

from fnormal.arrays import F32, F64, I32
from fnormal.config import MAX_TEXTURE_PX, MAX_TRIANGLES
from fnormal.errors import FNormalError
from fnormal.files.opening import MESH, PICTURE, check_file, decoding, read_bytes, read_text
from fnormal.geometry.mesh import Mesh, make_mesh
from fnormal.geometry.meshcount import count_triangles
from fnormal.geometry.normals import unit
from fnormal.geometry.picturefile import IMAGE_SUFFIXES, check_picture_size
from fnormal.geometry.vtkfile import read_vtk

MESH_SUFFIXES = frozenset({".obj", ".ply", ".glb", ".gltf", ".off", ".stl", ".vtk"})


def read_mesh(path: Path, *, need_texture: bool = False) -> Mesh:
    """Read any mesh trimesh knows (and legacy ASCII VTK), vertices in the file's order.

    A texture that a material file names is sought beside the mesh by its own name, whatever folder it
    had on another machine; then a picture of the mesh's stem is taken.

    Args:
        path: The file.
        need_texture: Raise where a named texture is missing, instead of reading the shape alone.

    Raises:
        FNormalError: No such file, not a mesh, no triangles, coordinates that are not finite, or more
            than ``config.MAX_TRIANGLES``.
    """
    check_file(path, MESH)
    if path.suffix.lower() not in MESH_SUFFIXES:
        known = ", ".join(sorted(MESH_SUFFIXES))
        raise FNormalError(f"cannot read {path} as a mesh; give one of {known}")
    with decoding(path, MESH):
        count = count_triangles(path)
    if count > MAX_TRIANGLES:
        raise FNormalError(
            f"{path} has {count:,} faces, over {MAX_TRIANGLES:,}; decimate it, a view shows far fewer"
        )
    if path.suffix.lower() == ".vtk":
        return _checked(path, read_vtk(path))
    import trimesh

    files = _FilesBeside(path)
    with decoding(path, MESH), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # what is not finite is refused below
        loaded = trimesh.load(path, process=False, maintain_order=True, resolver=files)
        loaded, pose = _single(loaded)
    if not isinstance(loaded, trimesh.Trimesh) or not len(loaded.faces):
        raise FNormalError(f"{path} has no triangles; export it as a mesh, not as points")
    if need_texture and files.trouble:
        raise FNormalError(files.trouble[0])
    with decoding(path, MESH):
        return _checked(path, _from_trimesh(path, loaded, pose))


def _checked(path: Path, mesh: Mesh) -> Mesh:
    """A mesh that is a surface.

    Raises:
        FNormalError: All its vertices lie on a line or in a point, or it has grown while it was read.
    """
    if len(mesh.faces) > MAX_TRIANGLES:
        raise FNormalError(f"{path} has {len(mesh.faces):,} faces, over {MAX_TRIANGLES:,}; decimate it")
    extent = np.sort(np.ptp(mesh.vertices.astype(np.float64), axis=0))
    if not extent[1] > 1e-6 * extent[2] or extent[2] > 1e15:
        raise FNormalError(f"{path} is no surface: its box is {extent[::-1].tolist()}; {MESH.remedy}")
    return mesh


class _FilesBeside:
    """What a mesh names, by its own name in the mesh's folder; trimesh's resolver interface.

    trimesh passes over a texture that it cannot read; ``trouble`` remembers it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.trouble: list[str] = []

    def get(self, name: str) -> bytes:
        """Contents of a file that the mesh names."""
        given = name.strip()
        base = PureWindowsPath(given).name if "\\" in given else PurePosixPath(given).name
        beside_mesh = self._path.parent / base
        picture = beside_mesh.suffix.lower() in IMAGE_SUFFIXES
        if not beside_mesh.is_file() and picture:
            beside = sorted(self._path.parent.glob(self._path.stem + ".*"))
            beside_mesh = next((p for p in beside if p.suffix.lower() in IMAGE_SUFFIXES), beside_mesh)
        if not beside_mesh.is_file():
            if picture:
                self.trouble.append(
                    f"{self._path} names the texture {given}, and there is no {base} beside it; put it there"
                )
            raise FileNotFoundError(name)
        if picture:
            try:
                check_picture_size(beside_mesh, MAX_TEXTURE_PX)
            except FNormalError as error:
                self.trouble.append(str(error))
                raise
        return read_bytes(beside_mesh, PICTURE if picture else MESH)

    def __getitem__(self, name: str) -> bytes:
        return self.get(name)

    def keys(self) -> Iterable[str]:
        """Names of the files beside the mesh."""
        return sorted(p.name for p in self._path.parent.iterdir())

    def namespaced(self, namespace: str) -> _FilesBeside:
        """Folders of names are left out anyway."""
        del namespace
        return self


def read_obj_polygons(path: Path, keyword: str) -> tuple[F32, I32, npt.NDArray[np.int16], list[str]]:
    """An OBJ's own polygons, for models whose vertex numbers and groups matter.

    Args:
        path: OBJ file of triangles and quads.
        keyword: What names a group of polygons: ``g`` or ``usemtl``.

    Returns:
        Vertices [V, 3]; polygons [Q, 4], -1 marks a triangle; the group of each [Q]; group names.
    """
    vertices, polygons, group, names = [], [], [], ["none"]
    current = 0
    for line in read_text(path, MESH).splitlines():
        words = line.split()
        kind = words[0] if words else ""
        if kind == "v":
            vertices.append([float(w) for w in words[1:4]])
        elif kind == keyword:
            if words[1] not in names:
                names.append(words[1])
            current = names.index(words[1])
        elif kind == "f":
            ids = [int(w.split("/")[0]) - 1 for w in words[1:5]]
            polygons.append(ids if len(ids) == 4 else [*ids, -1])
            group.append(current)
    arrays = np.array(vertices, np.float32), np.array(polygons, np.int32), np.array(group, np.int16)
    return (*arrays, names)


def _single(loaded: Any) -> tuple[Any, F64]:
    """The one mesh of a scene and its pose [4, 4]; trimesh's own merge would lose its normals."""
    import trimesh

    if not isinstance(loaded, trimesh.Scene):
        return loaded, np.eye(4)
    nodes = list(loaded.graph.nodes_geometry)
    if len(nodes) != 1:
        return loaded.to_mesh(), np.eye(4)
    pose, name = loaded.graph[nodes[0]]
    return loaded.geometry[name], np.asarray(pose, np.float64)


def _from_trimesh(path: Path, loaded: Any, pose: F64) -> Mesh:
    visual, uv, texture, colors = loaded.visual, None, None, None
    if getattr(visual, "uv", None) is not None and len(visual.uv) == len(loaded.vertices):
        uv = np.asarray(visual.uv, np.float32)
        picture = _texture_of(visual.material)
        texture = None if picture is None else np.asarray(picture.convert("RGB"))
    if visual.kind == "vertex":
        colors = np.asarray(visual.vertex_colors[:, :3], np.float32) / 255
    given = loaded._cache.cache.get("vertex_normals")  # only what the file itself states
    normals = None if given is None else unit(given @ np.linalg.inv(pose[:3, :3]))
    vertices = loaded.vertices @ pose[:3, :3].T + pose[:3, 3]
    return make_mesh(
        vertices, loaded.faces,
        source=str(path), normals=normals, uv=uv, texture=texture, colors=colors,
    )  # fmt: skip


def _texture_of(material: Any) -> Any:
    for name in ("baseColorTexture", "image"):
        if getattr(material, name, None) is not None:
            return getattr(material, name)
    return None
