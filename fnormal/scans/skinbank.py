"""A bank of skins: colours of a head model's vertices, read off portraits."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from fnormal.arrays import F32, U8
from fnormal.errors import FNormalError
from fnormal.files.opening import ARCHIVE, check_file, read_npz
from fnormal.files.writing import write_bytes


class SkinBank:
    """Skins of an ``.npz``: ``colors`` uint8 [N, V, 3], sRGB, and ``licence``.

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

    def sample(self, rng: np.random.Generator) -> F32:
        """A skin, somewhat lighter or darker and warmer or colder, sRGB in 0..1. [V, 3]"""
        skin = self._colors[int(rng.integers(len(self._colors)))].astype(np.float32) / 255
        curve = np.exp(rng.normal(0, 0.12)) * np.exp(rng.normal(0, 0.03, 3))
        return np.asarray(np.clip(skin, 0, 1) ** curve, np.float32)


def write_bank(path: Path, colors: U8, licence: str) -> None:
    """Write skins [N, V, 3] of one head model."""
    buffer = io.BytesIO()
    np.savez(buffer, colors=colors, licence=np.array(licence))
    write_bytes(path, buffer.getvalue())
