"""Any folder of OBJ, PLY, GLB or VTK meshes; a TOML layout attaches what the files do not say."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fnormal.errors import FNormalError
from fnormal.images import IMAGE_SUFFIXES, read_image
from fnormal.mesh import MESH_SUFFIXES, Mesh, make_mesh, read_mesh
from fnormal.normals import frame_matrix
from fnormal.scans.scan import Scan

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Layout:
    """What a TOML layout may say; every entry is optional.

    Attributes:
        mesh: Glob of the meshes.
        texture: Picture for every mesh, relative to the folder; default: one of the mesh's own stem.
        flip_v: The texture's row is v H, not (1 - v) H.
        axes: Signed permutation that takes the file's axes to x right, y up, z to the viewer.
        licence: Goes into the files made from the scans.
    """

    mesh: str = "**/*"
    texture: str | None = None
    flip_v: bool = False
    axes: str = "x,y,z"
    licence: str = "unknown; set licence in the layout"


class MeshFolder:
    """Scans of a folder, sorted by path, or one mesh file.

    Raises:
        FNormalError: No folder, no mesh in it, or a layout that is not understood.
    """

    def __init__(self, source: Path, scans: int | None, layout: Path | None) -> None:
        self._layout = Layout() if layout is None else read_layout(layout)
        if not source.exists():
            raise FNormalError(f"no such scans: {source}; check the path")
        self._root = source if source.is_dir() else source.parent
        found = [source] if source.is_file() else sorted(source.glob(self._layout.mesh))
        self._paths = [p for p in found if p.suffix.lower() in MESH_SUFFIXES][:scans]
        if not self._paths:
            known = ", ".join(sorted(MESH_SUFFIXES))
            raise FNormalError(f"no meshes in {source} ({self._layout.mesh}); looked for {known}")
        self.names: Sequence[str] = [p.relative_to(self._root).as_posix() for p in self._paths]

    @property
    def licence(self) -> str:
        """What the layout says."""
        return self._layout.licence

    def load(self, index: int) -> Scan:
        """Read mesh ``index`` with its texture."""
        path = self._paths[index]
        mesh = self._textured(path, read_mesh(path))
        if self._layout.axes != "x,y,z":
            turn = frame_matrix(self._layout.axes).T
            mesh = replace(mesh, vertices=mesh.vertices @ turn, normals=mesh.normals @ turn)
            if np.linalg.det(turn) < 0:  # a mirrored mesh is seen from inside until rewound
                mesh = replace(mesh, faces=mesh.faces[:, ::-1].copy())
        return Scan(self.names[index], path.stem, mesh)

    def _textured(self, path: Path, mesh: Mesh) -> Mesh:
        picture = self._texture_path(path)
        if mesh.uv is None or (mesh.texture is not None and self._layout.texture is None):
            return mesh
        texture = mesh.texture if picture is None else read_image(picture)
        uv = mesh.uv
        if self._layout.flip_v:
            uv = np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1)
        return make_mesh(
            mesh.vertices, mesh.faces,
            source=str(path), normals=mesh.normals, uv=uv, texture=texture, colors=mesh.colors,
        )  # fmt: skip

    def _texture_path(self, path: Path) -> Path | None:
        if self._layout.texture is not None:
            return self._root / self._layout.texture
        beside = sorted(p for p in path.parent.glob(path.stem + ".*") if p.suffix.lower() in IMAGE_SUFFIXES)
        return beside[0] if beside else None


def read_layout(path: Path) -> Layout:
    """Read a layout file; unknown entries are refused, so that a typing error is not silence."""
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise FNormalError(f"no such layout: {path}; check --layout") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FNormalError(f"{path} is not TOML ({error})") from error
    unknown = set(values) - set(Layout.__dataclass_fields__)
    if unknown:
        known = ", ".join(Layout.__dataclass_fields__)
        raise FNormalError(f"{path} has unknown entries {', '.join(sorted(unknown))}; known: {known}")
    return Layout(**values)
