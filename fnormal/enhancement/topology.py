"""Meshes whose 68 landmark vertices are known from their number of vertices."""

from __future__ import annotations

import base64
import json
import zlib
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from fnormal.arrays import F32
from fnormal.faces.facemesh import AS_68, N_VERTICES

_WITH_IRISES = 478  # FaceMesh's newer model appends ten points


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, Any]]:
    return dict(json.loads((resources.files("fnormal") / "data" / "topologies.json").read_text()))


@lru_cache(maxsize=1)
def known_topologies() -> dict[int, npt.NDArray[np.int64]]:
    """The 68 landmarks [68] by number of vertices.

    PRNet's (MIT), two cuts of the Basel face model, ICT-FaceKit's (MIT), FaceMesh's.
    """
    known = {int(count): np.array(entry["landmarks"]) for count, entry in _table().items()}
    return known | {count: np.array(AS_68) for count in (N_VERTICES, _WITH_IRISES)}


def landmark_vertices(n_vertices: int) -> npt.NDArray[np.int64] | None:
    """Vertex numbers of the 68 landmarks of a known topology, else None. [68]"""
    return known_topologies().get(n_vertices)


def known_uv(n_vertices: int) -> F32 | None:
    """Texture coordinates (v up) of a topology whose tools leave them out, else None: PRNet's. [V, 2]

    Its vertices are the face's pixels of a square position map, row after row.
    """
    packed = _table().get(str(n_vertices), {}).get("uv_mask")
    if packed is None:
        return None
    mask = np.unpackbits(np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8))
    side = round(len(mask) ** 0.5)
    row, column = np.divmod(np.flatnonzero(mask), side)
    return np.stack([(column + 0.5) / side, 1 - (row + 0.5) / side], axis=1).astype(np.float32)
