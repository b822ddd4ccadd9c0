"""What every reader gives: a named mesh, upright and facing the viewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fnormal.arrays import F32, Array, Bools
from fnormal.files.opening import ARCHIVE, check_file, read_npz
from fnormal.geometry.mesh import Mesh, box_middle, turn_mesh
from fnormal.geometry.normals import frame_matrix

STRAND_POINTS = 16  # of every strand, so that all hair of a head is one array
DEFAULT_SAMPLED_SCANS = 100  # heads that a generative source gives when nobody says how many


@dataclass(frozen=True)
class Strands:
    """Hair, in the frame and unit of the head it grows on.

    Attributes:
        curves: ``STRAND_POINTS`` of each strand, from the root. [N, K, 3]
        rgb: sRGB in 0..1. [N, 3]
        flat: What lies on the skin (stubble, brows): the skin under it keeps its normal. [N]
    """

    curves: F32
    rgb: F32
    flat: Bools


def joined(parts: Sequence[Strands]) -> Strands:
    """Several kinds of hair of one head."""
    return Strands(
        np.concatenate([p.curves for p in parts]),
        np.concatenate([p.rgb for p in parts]),
        np.concatenate([p.flat for p in parts]),
    )


@dataclass(frozen=True)
class Scan:
    """One scan in its upright pose: x right, y up, z toward the viewer, any unit.

    Attributes:
        name: Unique inside its data set.
        subject: Who it is; scans of one person share it.
        mesh: Geometry, and colour if there is any.
        landmarks: The 68 points, or None: then they are detected on a frontal render. [68, 3]
        strands: Its hair, if it has any.
    """

    name: str
    subject: str
    mesh: Mesh
    landmarks: F32 | None = None
    strands: Strands | None = None


def upright(mesh: Mesh, axes: str) -> Mesh:
    """A file's mesh with its middle at the origin and its axes put right, see ``normals.frame_matrix``."""
    centred = replace(mesh, vertices=mesh.vertices - box_middle(mesh.vertices))
    return turn_mesh(centred, frame_matrix(axes))


def read_arrays(source: Path, remedy: str) -> dict[str, Array]:
    """All arrays of an npz archive.

    Raises:
        FNormalError: Missing (the message gives ``remedy``) or unreadable.
    """
    check_file(source, replace(ARCHIVE, remedy=remedy))
    return read_npz(source, ARCHIVE)
