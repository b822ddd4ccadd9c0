"""A bank of skins: colours of a head model's vertices, read off portraits."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from fnormal.arrays import F32, U8, Array
from fnormal.errors import FNormalError
from fnormal.files.opening import ARCHIVE, check_file, read_npz
from fnormal.files.writing import write_bytes

_SHARE = 0.85  # of the heads that take a skin of the bank, where there is one


class SkinBank:
    """Skins of an ``.npz``: ``colors`` uint8 [N, V, 3], sRGB, ``licence``, and the head that they are of.

    The head is ``vertices`` [V, 3] and its ``landmarks`` [68, 3], for who carries the skins to another head.

    Raises:
        FNormalError: Missing, or not written by ``fnormal unwrap``.
    """

    def __init__(self, path: Path) -> None:
        check_file(path, ARCHIVE)
        arrays = read_npz(path, ARCHIVE)
        colors = arrays.get("colors")
        if colors is None or colors.ndim != 3 or colors.dtype != np.uint8 or not len(colors):
            raise FNormalError(f"{path} is no bank of skins; make one with 'fnormal unwrap'")
        self.path, self._colors = path, colors
        self.licence = str(arrays.get("licence", "unknown"))
        self._vertices, self._landmarks = arrays.get("vertices"), arrays.get("landmarks")

    def check(self, n_vertices: int) -> None:
        """See that the skins are of this head model.

        Raises:
            FNormalError: They are not.
        """
        if self._colors.shape[1] != n_vertices:
            raise FNormalError(
                f"{self.path} has skins of {self._colors.shape[1]} vertices, the head has {n_vertices};"
                " make the bank again with this head model"
            )

    def nearest_to(self, vertices: F32, landmarks: F32) -> Array:
        """For each vertex [W, 3] of another neutral head the vertex of the bank's that has its place. [W]

        The bank's head is bent so that its landmarks come to lie on the other's [68, 3].

        Raises:
            FNormalError: The bank does not say which head its skins are of.
        """
        from scipy.interpolate import RBFInterpolator
        from scipy.spatial import cKDTree

        if self._vertices is None or self._landmarks is None:
            raise FNormalError(f"{self.path} does not say of what head; make it again with 'fnormal unwrap'")
        bend = RBFInterpolator(self._landmarks, landmarks, kernel="thin_plate_spline", smoothing=1e-4)
        nearest: Array = cKDTree(bend(self._vertices)).query(vertices)[1]
        return nearest

    def mostly(self, rng: np.random.Generator) -> F32 | None:
        """A skin for most heads; None where the made-up one stays, for variety. [V, 3]"""
        return self.sample(rng) if rng.random() < _SHARE else None

    def sample(self, rng: np.random.Generator) -> F32:
        """A skin, somewhat lighter or darker and warmer or colder, sRGB in 0..1. [V, 3]"""
        skin = self._colors[int(rng.integers(len(self._colors)))].astype(np.float32) / 255
        curve = np.exp(rng.normal(0, 0.12)) * np.exp(rng.normal(0, 0.03, 3))
        return np.asarray(np.clip(skin, 0, 1) ** curve, np.float32)


def write_bank(path: Path, colors: U8, licence: str, vertices: F32, landmarks: F32) -> None:
    """Write skins [N, V, 3] of one head model, its vertices [V, 3] and landmarks [68, 3]."""
    buffer = io.BytesIO()
    np.savez(buffer, colors=colors, licence=np.array(licence), vertices=vertices, landmarks=landmarks)
    write_bytes(path, buffer.getvalue())
