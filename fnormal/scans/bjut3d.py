"""BJUT-3D: Cyberware scans in a binary layout without magic, one file a face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fnormal.arrays import I32, Array
from fnormal.config import MAX_TRIANGLES
from fnormal.errors import FNormalError
from fnormal.geometry.mesh import Mesh, make_mesh
from fnormal.geometry.normals import frame_matrix
from fnormal.scans.scan import Scan, upright

_VERTEX_SURPLUS, _FACE_SURPLUS = 10, 30  # the header's two numbers are this much too large


class BjutFolder:
    """Scans of a folder: every file without a suffix, sorted by path.

    Args:
        source: The folder or one file.
        licence: Licence of the scans.
        scans: The most scans to read.
        axes: Signed permutation that takes the files' axes to x right, y up, z to the viewer.

    Raises:
        FNormalError: No folder, or no file without a suffix in it.
    """

    def __init__(self, source: Path, *, licence: str, scans: int | None, axes: str | None) -> None:
        self.licence = licence
        if not source.exists():
            raise FNormalError(f"no such scans: {source}; check the path")
        paths = [source] if source.is_file() else sorted(source.rglob("*"))
        plain = [p for p in paths if p.is_file() and not p.suffix and not p.name.startswith(".")]
        self._paths = plain[:scans]
        if not self._paths:
            raise FNormalError(f"no BJUT-3D scans in {source}; they are files without a suffix")
        root = source if source.is_dir() else source.parent
        self.names: Sequence[str] = [p.relative_to(root).as_posix() for p in self._paths]
        self.files: Sequence[Path] = self._paths
        self._axes = axes or "x,y,z"
        frame_matrix(self._axes)  # bad axes are reported before the work

    def load(self, index: int) -> Scan:
        """Read scan ``index``, its middle at the origin."""
        path = self._paths[index]
        return Scan(self.names[index], path.name, upright(read_bjut(path), self._axes))


def read_bjut(path: Path) -> Mesh:
    """One file: a header of two int32, then float32 xyz, float32 rgb and triangles, little-endian.

    Whether triangles are int32 or float32, count from 0 or 1, and colours end at 1 or 255 is not
    documented anywhere: it is decided by the values.

    Raises:
        FNormalError: The size does not fit the header, or the triangles fit neither type.
    """
    data = path.read_bytes()
    header = np.frombuffer(data[:8].ljust(8, b"\0"), "<i4")
    n_vertices, n_faces = int(header[0]) - _VERTEX_SURPLUS, int(header[1]) - _FACE_SURPLUS
    size = 8 + 24 * n_vertices + 12 * n_faces
    if n_vertices < 3 or n_faces < 1 or size != len(data):
        raise FNormalError(
            f"{path} is no BJUT-3D scan: its header asks for {n_vertices} vertices and {n_faces} faces,"
            f" {size} bytes, and it has {len(data)}; is it truncated?"
        )
    if n_faces > MAX_TRIANGLES:
        raise FNormalError(f"{path} has {n_faces:,} faces, over {MAX_TRIANGLES:,}; decimate it")
    floats = np.frombuffer(data, "<f4", 6 * n_vertices, 8)
    vertices, rgb = floats[: 3 * n_vertices].reshape(-1, 3), floats[3 * n_vertices :].reshape(-1, 3)
    faces = _triangles(data[8 + 24 * n_vertices :], n_vertices, path)
    top = float(np.nanmax(rgb, initial=0))
    colors = np.clip(rgb / (255 if top > 1.5 else 1), 0, 1).astype(np.float32)
    return make_mesh(vertices, faces, source=str(path), colors=colors)


def _triangles(data: bytes, n_vertices: int, path: Path) -> I32:
    """Triangles as int32 or float32, whichever names vertices that are there; counted from 0. [F, 3]"""
    for dtype in ("<i4", "<f4"):
        values: Array = np.frombuffer(data, dtype)
        if not np.isfinite(values).all() or values.min() < 0 or values.max() > n_vertices:
            continue
        if (values == np.rint(values)).all() and values.max() > 0:
            base = 1 if values.min() >= 1 else 0
            if values.max() - base < n_vertices:
                return values.astype(np.int32).reshape(-1, 3) - base
    raise FNormalError(f"{path}: its triangles name vertices that are not there, as int32 and as float32")
