"""What a normal map seems to be: its frame among all 48, length of its vectors, holes, steps of 8 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fnormal.arrays import F32, Array, Bools
from fnormal.geometry.normal_layouts import as_vectors
from fnormal.geometry.normals import angular_error_deg, frame_matrix, signed_permutations

_CLEAR_DEG = 8.0  # with a photo: the best frame must be better than any other by this to be believed
_CLEAR, _CLEAR_CUT = 0.06, 0.35  # without: the least lead; the second where the picture's edge cuts the map
_CUT_SHARE = 0.02  # of the mask's pixels on the picture's edge
_SAMPLES = 20_000


@dataclass(frozen=True)
class MapFacts:
    """What was found.

    Attributes:
        seems: The frame that fits a face best, as axes such as ``x,y,z``.
        is_clear: Whether it fits clearly better than any other.
        off_deg: With a photo: mean angle to what the network sees, in that frame; else None.
        length_off: Largest and mean distance of lengths from 1, before they were made unit.
        holes: Share of the face's outline that has no normal.
        levels: Distinct values of a channel; 256 or fewer are 8 bits.
        kind: Type of the numbers in the file.
        coding: How they are vectors: ``integers``, or the name of a :class:`Coding`.
        pixels: How many have a normal.
    """

    seems: str
    is_clear: bool
    off_deg: float | None
    length_off: tuple[float, float]
    holes: float
    levels: int
    kind: str
    coding: str
    pixels: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        largest, mean = self.length_off
        return {
            "clear": self.is_clear, "off_deg": None if self.off_deg is None else round(self.off_deg, 2),
            "length_off_max": round(largest, 4), "length_off_mean": round(mean, 5),
            "holes": round(self.holes, 4), "levels": self.levels, "dtype": self.kind,
            "coding": self.coding,
        }  # fmt: skip


def bulging_frame(normals: F32, mask: Bools) -> tuple[str, bool]:
    """The frame in which a map bulges toward the viewer as heads do, and whether its lead is clear.

    Normals turn outward along x and y over a head, and look at the viewer in the mean: of all 48 frames the
    one with the largest slopes d n_x / d x + d n_y / d y and n_z is taken. Position and size do not matter.
    """
    rows, columns = np.nonzero(mask)
    vectors = normals[mask]
    step = max(1, len(rows) // _SAMPLES)
    rows, columns, vectors = rows[::step], columns[::step], vectors[::step].astype(np.float64)
    size = float(np.sqrt(mask.sum()))
    flat = np.stack([columns - columns.mean(), rows.mean() - rows], axis=1) / size
    mean = vectors.mean(axis=0)
    slopes = np.linalg.lstsq(flat, vectors - mean, rcond=None)[0]  # [2, 3]
    scale = float(np.abs(slopes).sum()) + 1e-9
    scores = {}
    for frame in signed_permutations():
        matrix = frame_matrix(frame)
        turned = slopes @ matrix.T
        scores[frame] = float((turned[0, 0] + turned[1, 1]) / scale + (matrix @ mean)[2])
    ranked = sorted(scores, key=lambda frame: -scores[frame])
    edge = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).sum()
    least = _CLEAR_CUT if edge > _CUT_SHARE * size else _CLEAR
    return ranked[0], scores[ranked[0]] - scores[ranked[1]] > least


def nearest_frame(normals: F32, mask: Bools, prior: F32) -> tuple[str, bool, float]:
    """The frame in which a map comes nearest to normals of the same face, whether clearly, and how near."""
    some = np.flatnonzero(mask & prior.any(axis=-1))
    some = some[:: max(1, len(some) // _SAMPLES)]
    ours, wanted = normals.reshape(-1, 3)[some], prior.reshape(-1, 3)[some]
    angles = {
        frame: float(angular_error_deg(ours @ frame_matrix(frame).T, wanted).mean())
        for frame in signed_permutations()
    }
    ranked = sorted(angles, key=lambda frame: angles[frame])
    return ranked[0], angles[ranked[1]] - angles[ranked[0]] > _CLEAR_DEG, angles[ranked[0]]


def check_map(raw: Array, normals: F32, mask: Bools, prior: F32 | None = None) -> MapFacts:
    """Look at a normal map.

    Args:
        raw: What the file holds, before it was made unit. [H, W, 3]
        normals: Unit, as they were read. [H, W, 3]
        mask: Where there are any. [H, W]
        prior: Normals of that face in fnormal's frame to compare with, from its photo. [H, W, 3]
    """
    off_deg: float | None = None
    if prior is None or not (mask & prior.any(axis=-1)).any():
        seems, clear = bulging_frame(normals, mask)
    else:
        seems, clear, off_deg = nearest_frame(normals, mask, prior)
    vectors, coding = _vectors(raw)
    off = np.abs(np.linalg.norm(vectors[mask], axis=-1) - 1)
    return MapFacts(
        seems, clear, off_deg, (float(off.max()), float(off.mean())), _holes(mask),
        len(np.unique(raw[mask][:, 0])), str(raw.dtype), coding, int(mask.sum()),
    )  # fmt: skip


def _vectors(raw: Array) -> tuple[Array, str]:
    """The file's numbers as vectors, of whatever length they have, and how they are coded."""
    if raw.dtype.kind in "ui":
        return raw.astype(np.float32) / ((np.iinfo(raw.dtype).max) / 2) - 1, "integers"
    found = as_vectors(raw)
    return (raw.astype(np.float32), "integers") if found is None else (found[0], found[2].name)


def _holes(mask: Bools) -> float:
    """Share of what the outline encloses that the mask leaves out."""
    import cv2

    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    inside = int(filled.sum())
    return 1 - int((mask & (filled > 0)).sum()) / inside if inside else 0.0
