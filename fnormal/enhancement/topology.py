"""Meshes whose 68 landmark vertices are known from their number of vertices."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from fnormal.arrays import F32
from fnormal.faces.facemesh import AS_68, N_VERTICES

_WITH_IRISES = 478  # FaceMesh's newer model appends ten points


@dataclass(frozen=True)
class Topology:
    """A mesh that tools write with the same vertices for every face.

    Attributes:
        name: Whose it is.
        n_vertices: How many vertices it has.
        landmarks: The 68 points among them. [68]
    """

    name: str
    n_vertices: int
    landmarks: npt.NDArray[np.int64]


@lru_cache(maxsize=1)
def known_topologies() -> dict[int, Topology]:
    """By number of vertices: PRNet (MIT), two cuts of the Basel face model, ICT-FaceKit (MIT), FaceMesh."""
    table = resources.files("fnormal") / "data" / "topologies.json"
    known = {
        int(count): Topology(entry["name"], int(count), np.array(entry["landmarks"]))
        for count, entry in json.loads(table.read_text()).items()
    }
    for count in (N_VERTICES, _WITH_IRISES):
        known[count] = Topology("MediaPipe's FaceMesh", count, np.array(AS_68))
    return known


def landmark_vertices(n_vertices: int) -> npt.NDArray[np.int64] | None:
    """Vertex numbers of the 68 landmarks of a known topology, else None. [68]"""
    found = known_topologies().get(n_vertices)
    return None if found is None else found.landmarks


def known_uv(n_vertices: int) -> F32 | None:
    """Texture coordinates (v up) of a topology whose tools leave them out, else None: PRNet's. [V, 2]

    Its vertices are the face's pixels of a square position map, row after row.
    """
    table = json.loads((resources.files("fnormal") / "data" / "topologies.json").read_text())
    packed = table.get(str(n_vertices), {}).get("uv_mask")
    if packed is None:
        return None
    mask = np.unpackbits(np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8))
    side = round(len(mask) ** 0.5)
    row, column = np.divmod(np.flatnonzero(mask), side)
    return np.stack([(column + 0.5) / side, 1 - (row + 0.5) / side], axis=1).astype(np.float32)
