"""Legacy ASCII VTK PolyData: POINTS, POLYGONS of triangles or strips, TEXTURE_COORDINATES."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fnormal.arrays import F32, Array
from fnormal.errors import FNormalError
from fnormal.files.opening import MESH, decoding, read_bytes
from fnormal.geometry.mesh import Mesh, make_mesh

_HEADERS = {
    "points": rb"(?i)\bPOINTS\s+(\d{1,12})\s+\w+",
    "uv": rb"(?i)\bTEXTURE_COORDINATES\s+\S+\s+(\d)\s+\w+",
    "polygons": rb"(?i)\bPOLYGONS\s+(\d{1,12})\s+(\d{1,12})",
    "strips": rb"(?i)\bTRIANGLE_STRIPS\s+(\d{1,12})\s+(\d{1,12})",
}


def count_vtk(data: bytes) -> int:
    """Triangles that the cells of a file can give at most."""
    counts = [re.search(_HEADERS[kind], data) for kind in ("polygons", "strips")]
    return sum(max(0, int(match[2]) - 3 * int(match[1])) for match in counts if match)


def read_vtk(path: Path) -> Mesh:
    """A mesh from a file.

    Raises:
        FNormalError: It is not ASCII PolyData, or its numbers do not agree.
    """
    data = read_bytes(path, MESH)
    with decoding(path, MESH):
        if b"BINARY" in data[:512].upper():
            raise FNormalError(f"{path} is binary VTK; convert it to PLY")
        start = re.search(_HEADERS["points"], data)
        if start is None:
            raise FNormalError(f"cannot read {path} as ASCII VTK PolyData; convert it to PLY")
        n_points = int(start[1])
        points = _numbers(data, start.end(), 3 * n_points, np.float32).reshape(-1, 3)
        uv: F32 | None = None
        if (match := re.search(_HEADERS["uv"], data)) is not None:
            size = int(match[1])
            flat = _numbers(data, match.end(), size * n_points, np.float32)
            uv = flat.reshape(-1, size)[:, :2] if size >= 2 else None
        faces = [_triangles(data, kind) for kind in ("polygons", "strips")]
        return make_mesh(points, np.concatenate(faces), source=str(path), uv=uv)


def _numbers(data: bytes, start: int, count: int, dtype: type) -> Array:
    """The next ``count`` numbers of a text."""
    if 2 * count > len(data) - start + 1:  # a digit and a blank each
        raise ValueError(f"{count:,} numbers are announced and not there")
    values: Array = np.fromstring(data[start : start + 64 * count + 64], dtype, count, sep=" ")
    if len(values) < count:
        raise ValueError(f"{count:,} numbers are announced, {len(values):,} are there")
    return values


def _triangles(data: bytes, kind: str) -> npt.NDArray[np.int64]:
    """Triangles of the cells of a section. [F, 3]"""
    match = re.search(_HEADERS[kind], data)
    if match is None:
        return np.zeros((0, 3), np.int64)
    cells, size = int(match[1]), int(match[2])
    flat = _numbers(data, match.end(), size, np.float64)
    if not (np.abs(flat) < 2**31).all() or (flat != np.rint(flat)).any():
        raise ValueError("cells name no vertices")
    flat = flat.astype(np.int64)
    if kind == "polygons" and size == 4 * cells and (flat[::4] == 3).all():
        return np.asarray(flat.reshape(-1, 4)[:, 1:])
    triangles: list[tuple[int, int, int]] = []
    numbers, position = flat.tolist(), 0
    for _ in range(cells):
        if position >= size or not 1 <= numbers[position] <= size - position - 1:
            raise ValueError("a cell is longer than its section")
        ids = numbers[position + 1 : position + 1 + numbers[position]]
        position += 1 + numbers[position]
        for k in range(len(ids) - 2):
            if kind == "polygons":
                triangles.append((ids[0], ids[k + 1], ids[k + 2]))
            else:  # every second triangle of a strip is wound the other way round
                triangles.append((ids[k], ids[k + 1 + k % 2], ids[k + 2 - k % 2]))
    return np.array(triangles, np.int64).reshape(-1, 3)
