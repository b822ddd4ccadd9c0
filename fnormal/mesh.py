"""Triangle meshes: files -> arrays, vertex normals. trimesh's one home."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fnormal.errors import FNormalError
from fnormal.normals import unit

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
MESH_SUFFIXES = frozenset({".obj", ".ply", ".glb", ".gltf", ".off", ".stl", ".vtk"})


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh. Frame and unit are those of whoever made it; x right, y up inside fnormal.

    Attributes:
        vertices: [V, 3]
        faces: Counter-clockwise seen from outside. [F, 3]
        normals: Unit vertex normals. [V, 3]
        uv: Texture coordinates, v up: the picture's row is (1 - v) H. [V, 2] or None
        texture: sRGB picture. uint8 [H, W, 3] or None
        colors: sRGB vertex colours in 0..1. [V, 3] or None
    """

    vertices: F32
    faces: I32
    normals: F32
    uv: F32 | None = None
    texture: npt.NDArray[np.uint8] | None = None
    colors: F32 | None = None


def vertex_normals(vertices: F32, faces: I32) -> F32:
    """Area-weighted unit normals [V, 3]; vertices at one place share one normal (UV seams)."""
    from scipy.sparse import csr_matrix

    corners = vertices[faces].astype(np.float64)
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    _, place = np.unique(vertices, axis=0, return_inverse=True)
    place = place.reshape(-1)
    rows = place[faces].reshape(-1)
    columns = np.repeat(np.arange(len(faces)), 3)
    gather = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(place.max() + 1, len(faces)))
    total = gather @ face
    length = np.linalg.norm(total, axis=1, keepdims=True)
    # a vertex of no face, or of degenerate ones, has no normal: give it the viewer's direction
    safe = np.where(length > 1e-20, total / np.maximum(length, 1e-20), (0.0, 0.0, 1.0))
    return np.asarray(safe[place], np.float32)


def triangulate(polygons: npt.NDArray[np.integer[Any]]) -> I32:
    """Quads [Q, 4], where -1 in the last place marks a triangle, as triangles [F, 3]."""
    first = polygons[:, [0, 1, 2]]
    second = polygons[polygons[:, 3] >= 0][:, [0, 2, 3]]
    return np.concatenate([first, second]).astype(np.int32)


def read_mesh(path: Path) -> Mesh:
    """Read any mesh trimesh knows (and legacy ASCII VTK), vertices in the file's order.

    Raises:
        FNormalError: No such file, not a mesh, no triangles, or coordinates that are not finite.
    """
    if not path.is_file():
        raise FNormalError(f"no such mesh: {path}; check the path")
    if path.suffix.lower() not in MESH_SUFFIXES:
        known = ", ".join(sorted(MESH_SUFFIXES))
        raise FNormalError(f"cannot read {path} as a mesh; give one of {known}")
    if path.suffix.lower() == ".vtk":
        return _read_vtk(path)
    import trimesh

    try:
        loaded = trimesh.load(path, process=False, maintain_order=True)
        loaded, pose = _single(loaded)
    except Exception as error:  # trimesh raises whatever its parsers meet in a broken file
        raise FNormalError(
            f"cannot read {path} as a mesh ({type(error).__name__}: {error}); re-export it"
        ) from error
    if not isinstance(loaded, trimesh.Trimesh) or not len(loaded.faces):
        raise FNormalError(f"{path} has no triangles; export it as a mesh, not as points")
    return _from_trimesh(path, loaded, pose)


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


def _single(loaded: Any) -> tuple[Any, npt.NDArray[np.float64]]:
    """The one mesh of a scene and its pose [4, 4]; trimesh's own merge would lose its normals."""
    import trimesh

    if not isinstance(loaded, trimesh.Scene):
        return loaded, np.eye(4)
    nodes = list(loaded.graph.nodes_geometry)
    if len(nodes) != 1:
        return loaded.to_mesh(), np.eye(4)
    pose, name = loaded.graph[nodes[0]]
    return loaded.geometry[name], np.asarray(pose, np.float64)


def make_mesh(
    vertices: npt.NDArray[Any], faces: npt.NDArray[Any], *, source: str = "mesh", **parts: Any
) -> Mesh:
    """A :class:`Mesh` with computed vertex normals; ``parts`` are its optional fields.

    Raises:
        FNormalError: Coordinates that are not finite, or faces that name vertices that are not there.
    """
    vertices = np.ascontiguousarray(vertices, np.float32)
    faces = np.ascontiguousarray(faces, np.int32)
    if not np.isfinite(vertices).all():
        raise FNormalError(f"{source} has vertices that are not finite numbers; re-export it")
    if len(faces) == 0 or faces.min() < 0 or faces.max() >= len(vertices):
        raise FNormalError(f"{source} has no faces, or faces of missing vertices; re-export it")
    if parts.get("normals") is None:
        parts["normals"] = vertex_normals(vertices, faces)
    return Mesh(vertices, faces, **parts)


def _from_trimesh(path: Path, loaded: Any, pose: npt.NDArray[np.float64]) -> Mesh:
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


def encode_ply(mesh: Mesh) -> bytes:
    """Binary PLY with vertex normals, and vertex colours where the mesh has them."""
    import trimesh

    colors = None if mesh.colors is None else np.rint(255 * mesh.colors).astype(np.uint8)
    out = trimesh.Trimesh(
        mesh.vertices, mesh.faces, vertex_normals=mesh.normals, vertex_colors=colors, process=False
    )
    return bytes(trimesh.exchange.ply.export_ply(out, vertex_normal=True))
