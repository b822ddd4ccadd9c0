"""Mesh files -> arrays: OBJ, PLY, GLB, STL, OFF, VTK, however broken they are."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import numpy.typing as npt

from fnormal.arrays import F32, F64, I32
from fnormal.config import MAX_TEXTURE_PX, MAX_TRIANGLES
from fnormal.errors import FNormalError
from fnormal.geometry.images import IMAGE_SUFFIXES, check_picture_size
from fnormal.geometry.mesh import Mesh, make_mesh
from fnormal.geometry.normals import unit

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
    if not path.is_file():
        raise FNormalError(f"no such mesh: {path}; check the path")
    if path.suffix.lower() not in MESH_SUFFIXES:
        known = ", ".join(sorted(MESH_SUFFIXES))
        raise FNormalError(f"cannot read {path} as a mesh; give one of {known}")
    count = count_triangles(path)
    if count > MAX_TRIANGLES:
        raise FNormalError(
            f"{path} has {count:,} faces, over {MAX_TRIANGLES:,}; decimate it, a view shows far fewer"
        )
    if path.suffix.lower() == ".vtk":
        return _read_vtk(path)
    import trimesh

    files = _FilesBeside(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # what is not finite is refused below
            loaded = trimesh.load(path, process=False, maintain_order=True, resolver=files)
            loaded, pose = _single(loaded)
    except Exception as error:  # trimesh raises whatever its parsers meet in a broken file
        raise FNormalError(
            f"cannot read {path} as a mesh ({type(error).__name__}: {error}); re-export it"
        ) from error
    if not isinstance(loaded, trimesh.Trimesh) or not len(loaded.faces):
        raise FNormalError(f"{path} has no triangles; export it as a mesh, not as points")
    if need_texture and files.trouble:
        raise FNormalError(files.trouble[0])
    return _from_trimesh(path, loaded, pose)


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
        return beside_mesh.read_bytes()

    def __getitem__(self, name: str) -> bytes:
        return self.get(name)

    def keys(self) -> Iterable[str]:
        """Names of the files beside the mesh."""
        return sorted(p.name for p in self._path.parent.iterdir())

    def namespaced(self, namespace: str) -> _FilesBeside:
        """Folders of names are left out anyway."""
        del namespace
        return self


def count_triangles(path: Path) -> int:
    """Faces that a file announces, without reading it into a mesh; 0 where the format does not say."""
    with path.open("rb") as handle:
        start = handle.read(4096)
        handle.seek(0)
        suffix = path.suffix.lower()
        if suffix == ".obj":
            total, last = 0, b"\n"
            while chunk := handle.read(1 << 24):
                total += (last[-1:] + chunk).count(b"\nf")
                last = chunk
            return total
        if suffix == ".ply":
            words = start.split(b"end_header")[0].split()
            at = [i for i, word in enumerate(words) if word == b"face"]
            return _number(words[at[0] + 1]) if at and len(words) > at[0] + 1 else 0
        if suffix == ".stl" and not start.startswith(b"solid"):
            return int.from_bytes(start[80:84], "little")
        if suffix == ".off":
            words = start.split()
            return _number(words[2]) if len(words) > 2 else 0
        if suffix == ".glb":
            return _count_gltf(handle.read(12 + 8 + int.from_bytes(start[12:16], "little"))[20:])
    return 0


def _number(word: bytes) -> int:
    return int(word) if word.isdigit() else 0


def _count_gltf(text: bytes) -> int:
    try:
        tree = json.loads(text)
        shapes = [p for mesh in tree.get("meshes", []) for p in mesh["primitives"]]
        return sum(tree["accessors"][p["indices"]]["count"] // 3 for p in shapes if "indices" in p)
    except (ValueError, KeyError, IndexError, TypeError):
        return 0  # broken: the reader will say how


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
    for line in path.read_text().splitlines():
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


def _read_vtk(path: Path) -> Mesh:
    """Legacy ASCII VTK PolyData: POINTS, POLYGONS of triangles or strips, TEXTURE_COORDINATES."""
    words = path.read_text(errors="replace").split()
    upper = [w.upper() for w in words]
    try:
        start = upper.index("POINTS")
        n_points = int(words[start + 1])
        points = np.array(words[start + 3 : start + 3 + 3 * n_points], np.float32).reshape(-1, 3)
        faces = _vtk_polygons(words, upper)
        uv = None
        if "TEXTURE_COORDINATES" in upper:
            at = upper.index("TEXTURE_COORDINATES")
            dim = int(words[at + 2])
            flat = np.array(words[at + 4 : at + 4 + dim * n_points], np.float32)
            uv = flat.reshape(-1, dim)[:, :2]
    except (ValueError, IndexError) as error:
        raise FNormalError(f"cannot read {path} as ASCII VTK PolyData; convert it to PLY") from error
    return make_mesh(points, faces, source=str(path), uv=uv)


def _vtk_polygons(words: list[str], upper: list[str]) -> npt.NDArray[np.int64]:
    triangles: list[tuple[int, int, int]] = []
    for section in ("POLYGONS", "TRIANGLE_STRIPS"):
        if section not in upper:
            continue
        at = upper.index(section)
        cells, size = int(words[at + 1]), int(words[at + 2])
        flat = [int(w) for w in words[at + 3 : at + 3 + size]]
        position = 0
        for _ in range(cells):
            ids = flat[position + 1 : position + 1 + flat[position]]
            position += 1 + flat[position]
            for k in range(len(ids) - 2):
                if section == "POLYGONS":
                    triangles.append((ids[0], ids[k + 1], ids[k + 2]))
                else:  # every second triangle of a strip is wound the other way round
                    triangles.append((ids[k], ids[k + 1 + k % 2], ids[k + 2 - k % 2]))
    return np.array(triangles, np.int64).reshape(-1, 3)
