"""Meshes whose 68 landmark vertices are known from their number of vertices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# PRNet (MIT): its 68 key points, looked up among the 43,867 vertices of its UV map.
_PRNET = (
    22396, 27792, 33074, 38077, 41382, 42506, 42234, 42101, 42986, 42132, 42307, 42627,
    41547, 38268, 33277, 28003, 22621, 10877, 9168, 8444, 8702, 9203, 9246, 8763,
    8529, 9281, 11016, 13407, 16851, 20049, 22509, 26188, 26682, 27175, 26693, 26209,
    15325, 13611, 13866, 14857, 15589, 15826, 14908, 13931, 13694, 15424, 15907, 15652,
    33375, 30926, 30014, 30250, 30021, 30949, 33413, 34699, 35119, 35115, 35110, 34680,
    33158, 31838, 31618, 31849, 33412, 33617, 33395, 33608,
)  # fmt: skip
_KNOWN = {43867: _PRNET}


def landmark_vertices(n_vertices: int) -> npt.NDArray[np.int64] | None:
    """Vertex numbers of the 68 landmarks of a known topology, else None. [68]"""
    ids = _KNOWN.get(n_vertices)
    return None if ids is None else np.array(ids)
