"""Normal maps as other tools lay them out: channels first, batched, coded to 0..1 or 0..255, in archives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fnormal.arrays import F32, Array, Bools

_TOLERANCE = 0.15  # median distance of lengths from 1 beyond which numbers are no normals
_KEYS = ("normals", "normal", "norms", "pred_normals", "pred_norm", "arr_0")  # looked for first in archives


@dataclass(frozen=True)
class Coding:
    """How numbers of a file become vectors: times ``scale``, plus ``shift``."""

    name: str
    scale: float
    shift: float


CODINGS = (
    Coding("vectors", 1.0, 0.0),
    Coding("0..1", 2.0, -1.0),
    Coding("0..255", 2 / 255, -1.0),
    Coding("0..65535", 2 / 65535, -1.0),
)


def three_channels(array: Array) -> Array | None:
    """The map [H, W, 3] in an array [H, W, 3 or 4] or [3, H, W], with or without leading ones; else None."""
    while array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 3 or array.dtype.kind not in "fui" or not array.size:
        return None
    if array.shape[-1] in (3, 4):
        return np.asarray(array[..., :3])
    if array.shape[0] == 3:
        return np.asarray(np.moveaxis(array, 0, -1))
    return None


def map_of(arrays: Mapping[str, Array]) -> Array | None:
    """The map among the arrays of an archive; None where there is none, or several without a known name."""
    maps = {name: found for name, array in arrays.items() if (found := three_channels(array)) is not None}
    for name in _KEYS:
        if name in maps:
            return maps[name]
    return next(iter(maps.values())) if len(maps) == 1 else None


def as_vectors(raw: Array) -> tuple[F32, Bools, Coding] | None:
    """Vectors of about unit length, where there are any, and how they were coded; None where none are.

    The coding is the one whose lengths are nearest to 1: no face has three positive components everywhere,
    so 0..1 cannot be taken for vectors.

    Args:
        raw: [H, W, 3]
    """
    values = raw.astype(np.float32)
    known = np.asarray(np.isfinite(values).all(axis=-1) & values.any(axis=-1))
    if not known.any():
        return np.zeros_like(values), known, CODINGS[0]
    some = values[known]
    some = some[:: max(1, len(some) // 50_000)]
    spread: list[tuple[float, Coding]] = []
    for coding in CODINGS:
        length = np.linalg.norm(some * np.float32(coding.scale) + np.float32(coding.shift), axis=-1)
        drawn = length[length > 0.5] if coding.shift == 0 else length[np.abs(length - 1) < 0.7]
        if len(drawn) >= 0.05 * len(length):
            spread.append((float(np.median(np.abs(drawn - 1))), coding))
    if not spread:
        return None
    off, coding = min(spread, key=lambda pair: pair[0])
    if off > _TOLERANCE:
        return None
    vectors = np.where(known[..., None], values, 0) * np.float32(coding.scale) + np.float32(coding.shift)
    mask = known & (np.linalg.norm(vectors, axis=-1) > 0.5)
    return np.asarray(vectors * mask[..., None], np.float32), np.asarray(mask), coding
