"""Depth maps and point clouds of depth cameras -> metres."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fnormal.arrays import F32, F64, Array
from fnormal.errors import FNormalError
from fnormal.files.opening import (
    DEPTH_MAP,
    check_file,
    decoding,
    read_bytes,
    read_matlab,
    read_npy,
    read_npz,
)
from fnormal.geometry.picturefile import read_unchanged

_MM = 1000.0  # of a metre: what integers count
_NAMES = ("depth", "Z", "z", "depth_m", "depthmap", "D")
_CLOUDS = (".ply", ".pcd")
_MOST_POINTS = 50_000_000
_PCD_TYPES = {"F": "f", "U": "u", "I": "i"}


@dataclass(frozen=True)
class Depth:
    """What a depth camera saw.

    Attributes:
        metres: Distance along the camera's axis, 0 where there is none. [H, W], or None for a cloud
        cloud: Points in the camera's frame in metres, y down, z away from it. [N, 3], or None for a map
    """

    metres: F32 | None
    cloud: F64 | None


def read_depth(path: Path, scale: float | None = None) -> Depth:
    """A depth map (PNG16, TIFF, NPY, NPZ, MAT) or a point cloud (PLY, PCD).

    Args:
        path: The file.
        scale: Its numbers for one metre; None: 1000 for integers, 1 for floats.

    Raises:
        FNormalError: Missing, unreadable, not one channel, or without any depth.
    """
    check_file(path, DEPTH_MAP)
    suffix = path.suffix.lower()
    with decoding(path, DEPTH_MAP):
        raw = _read_cloud(path) if suffix in _CLOUDS else _read_map(path)
    if scale is None:
        scale = _MM if raw.dtype.kind in "ui" else 1.0
    values = raw.astype(np.float64) / scale
    known = np.isfinite(values).all(axis=-1) if suffix in _CLOUDS else np.isfinite(values) & (values > 0)
    if not known.any():
        raise FNormalError(f"{path} holds no depth: every number is 0 or none; {DEPTH_MAP.remedy}")
    if suffix in _CLOUDS:
        points = values[known]
        if np.median(points[:, 2]) < 0:  # y up, looking along -z
            points = points * (1, -1, -1)
        return Depth(None, points)
    return Depth(np.where(known, values, 0).astype(np.float32), None)


def _read_map(path: Path) -> Array:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        raw = read_npy(path, DEPTH_MAP)
    elif suffix in (".npz", ".mat"):
        arrays = read_npz(path, DEPTH_MAP) if suffix == ".npz" else read_matlab(path, DEPTH_MAP)
        flat = {name: value for name, value in arrays.items() if np.squeeze(value).ndim == 2}
        name = next((n for n in _NAMES if n in flat), next(iter(flat), None))
        if name is None:
            raise ValueError(f"it holds {', '.join(arrays) or 'nothing'}, no map")
        raw = flat[name]
    else:
        picture = read_unchanged(path)
        if picture is None:
            raise ValueError("it is no picture")
        raw = picture
    raw = np.squeeze(raw)
    if raw.ndim == 3 and raw.shape[2] in (3, 4) and (raw[..., :1] == raw[..., :3]).all():
        raw = raw[..., 0]
    if raw.ndim != 2 or raw.dtype.kind not in "uif":
        raise ValueError(f"it is {raw.shape} {raw.dtype}, not one channel of numbers")
    if raw.dtype == np.uint8:
        raise ValueError("it has 8 bits, which is a picture of depth, not depth")
    return raw


def _read_cloud(path: Path) -> Array:
    if path.suffix.lower() == ".pcd":
        return _read_pcd(path)
    import trimesh

    loaded = trimesh.load(path, process=False)
    return np.asarray(loaded.vertices, np.float64)


def _read_pcd(path: Path) -> Array:
    """Points of a PCD file, ASCII or binary; compressed ones are refused."""
    data = read_bytes(path, DEPTH_MAP)
    header: dict[str, list[str]] = {}
    start = 0
    while "DATA" not in header:
        end = data.index(b"\n", start)
        words = data[start:end].decode("ascii").split()
        start = end + 1
        if words and not words[0].startswith("#"):
            header[words[0].upper()] = words[1:]
    count = int(header["POINTS"][0])
    if not 0 < count <= _MOST_POINTS:
        raise ValueError(f"it says that it holds {count} points")
    names = header["FIELDS"]
    counts = [int(c) for c in header.get("COUNT", ["1"] * len(names))]
    kinds = [_PCD_TYPES[t] + s for t, s in zip(header["TYPE"], header["SIZE"], strict=True)]
    if header["DATA"][0] == "ascii":
        lines = data[start:].decode("ascii").splitlines()[:count]
        rows = np.array([line.split() for line in lines], np.float64)
        at = [sum(counts[: names.index(axis)]) for axis in "xyz"]
        return np.asarray(rows[:, at])
    if header["DATA"][0] != "binary":
        raise ValueError(f"its data are {header['DATA'][0]}; write them as binary or ascii")
    numbered = [f"{k}{name}" for k, name in enumerate(names)]  # padding may have one name several times
    fields = zip(numbered, kinds, counts, strict=True)
    layout = np.dtype([(name, f"<{kind}", (n,)) for name, kind, n in fields])
    points = np.frombuffer(data, layout, count, start)
    wanted = [numbered[names.index(axis)] for axis in "xyz"]
    return np.stack([points[name][:, 0] for name in wanted], axis=1).astype(np.float64)
