"""Normal maps as arrays: unit length, frames, codes and angular error."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from fnormal.arrays import F32, F64, Bools, Floats
from fnormal.errors import FNormalError

_NAMED_FRAMES = {
    "opengl": "x,y,z",  # x right, y up, z toward the viewer: fnormal's own
    "opencv": "x,-y,-z",  # x right, y down, z away from the viewer
    "directx": "x,-y,z",  # green channel flipped
    "dsine": "-x,y,z",  # right, down, front, and outward, its authors say; StableNormal's are the same
    "stablenormal": "-x,y,z",
    "moge": "x,-y,-z",  # its arrays; its pictures are opengl
    "marigold": "x,y,z",  # right, top, facing the observer, diffusers says
    "sapiens": "x,y,z",  # of the camera, its authors say; which way, its users measured
    "omnidata": "x,-y,z",  # encoded as 2D-3D-S: right, down, towards the camera
}
FRAMES = tuple(_NAMED_FRAMES)
_BLOCK = 1 << 15  # vectors worked on at a time: what lies between stays in the processor's cache


def frame_matrix(frame: str) -> F32:
    """Signed permutation that takes a normal in ``frame`` to fnormal's frame, and back.

    Args:
        frame: ``opengl``, ``opencv``, ``directx``, or three signed axes such as ``x,-y,z``: the
            k-th entry names the component of the file that becomes our k-th axis.

    Returns:
        Matrix ``M`` [3, 3] with ``n_fnormal = M @ n_file``; ``M.T`` is the way back.

    Raises:
        FNormalError: ``frame`` is neither a known name nor a signed permutation.
    """
    spec = _NAMED_FRAMES.get(frame.strip().lower(), frame.strip().lower())
    axes = re.fullmatch(r"([+-]?)([xyz])\s*,\s*([+-]?)([xyz])\s*,\s*([+-]?)([xyz])", spec)
    if axes is None or len({axes[2], axes[4], axes[6]}) != 3:
        raise FNormalError(
            f"unknown frame '{frame}': use {', '.join(FRAMES)}, or three signed axes like x,-y,z"
        )
    matrix = np.zeros((3, 3), np.float32)
    for row in range(3):
        matrix[row, "xyz".index(axes[2 * row + 2])] = -1.0 if axes[2 * row + 1] == "-" else 1.0
    return matrix


def compose_frames(inner: str, outer: str) -> str:
    """The frame that reads a file as ``inner`` does, then what comes out as ``outer`` does."""
    matrix = frame_matrix(outer) @ frame_matrix(inner)
    return ",".join(("-" if row.sum() < 0 else "") + "xyz"[int(np.abs(row).argmax())] for row in matrix)


def from_frame(normals: Floats, frame: str) -> F32:
    """Turn normals [..., 3] of a file's ``frame`` into fnormal's (x right, y up, z to the viewer)."""
    return np.asarray(normals @ frame_matrix(frame).T, np.float32)


def to_frame(normals: Floats, frame: str) -> F32:
    """Turn fnormal normals [..., 3] into ``frame``: the inverse of :func:`from_frame`."""
    return np.asarray(normals @ frame_matrix(frame), np.float32)


def turned_in_plane(normals: F32, turn: float) -> F32:
    """Normals [H, W, 3] of a picture after it is turned clockwise on the screen, by radians."""
    import cv2

    cos, sin = np.cos(turn), np.sin(turn)  # y goes up in normals
    return np.asarray(
        cv2.transform(normals, np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])), np.float32
    )


def signed_permutations() -> list[str]:
    """All 48 frames with the axes of x, y, z in some order and sense, ``x,y,z`` first."""
    return [
        ",".join(sign + axis for sign, axis in zip(signs, axes, strict=True))
        for axes in itertools.permutations("xyz")
        for signs in itertools.product(("", "-"), repeat=3)
    ]


def likely_frame(pred_normals: Floats, gt_normals: Floats) -> tuple[str, float, float]:
    """The frame in which predictions [K, 3] come nearest to the truth [K, 3], if they were read as ours.

    Returns:
        The frame, the mean error in it, and the mean error as they are, in degrees. A perfect map in
        wrong axes is 42 to 135 degrees off; no honest method gains 5 degrees by changing its axes.
    """
    errors = {
        frame: float(angular_error_deg(from_frame(pred_normals, frame), gt_normals).mean())
        for frame in signed_permutations()
    }
    best = min(errors, key=lambda frame: errors[frame])
    return best, errors[best], errors["x,y,z"]


def length_of(vectors: Floats) -> Floats:
    """Lengths of vectors [..., 3], axis by axis: nine times as quick as numpy's norm. [...]"""
    square = vectors[..., 0] * vectors[..., 0]
    for axis in (1, 2):
        square = square + vectors[..., axis] * vectors[..., axis]
    return np.asarray(np.sqrt(square))


def unit(vectors: Floats, mask: Bools | None = None, lengths: Floats | None = None) -> F32:
    """Vectors [..., 3] scaled to unit length; those shorter than 1e-12 or outside ``mask`` [...] become 0.

    ``lengths`` [...] are theirs, where they are known already.
    """
    result = np.empty(np.shape(vectors), np.float32)
    rows, out = vectors.reshape(-1, 3), result.reshape(-1, 3)
    inside = None if mask is None else mask.reshape(-1)
    known = None if lengths is None else lengths.reshape(-1)
    for start in range(0, len(rows), _BLOCK):
        part, into = rows[start : start + _BLOCK], out[start : start + _BLOCK]
        length = length_of(part) if known is None else known[start : start + _BLOCK]
        scale = np.where(length > 1e-12, 1 / np.maximum(length, 1e-12), 0)
        if inside is not None:
            scale *= inside[start : start + _BLOCK]
        for axis in range(3):  # numpy is slow where the last axis is short
            np.multiply(part[:, axis], scale, out=into[:, axis], casting="same_kind")
    return result


def angular_error_deg(a: Floats, b: Floats) -> F64:
    """Angle between vectors of any length [..., 3], in degrees [...].

    By atan2(|a x b|, a . b), exact at every angle where acos loses 0.028 degrees near zero.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    cross = np.linalg.norm(np.cross(a, b), axis=-1)
    return np.asarray(np.degrees(np.arctan2(cross, np.sum(a * b, axis=-1))))


def encode_rgb(normals: Floats, mask: Bools, bits: int = 8) -> npt.NDArray[np.unsignedinteger[Any]]:
    """Code unit normals [H, W, 3] as RGB integers, ``round((n + 1) / 2 * max)``; 0 outside ``mask``.

    Args:
        normals: Unit normals in the frame the file will state. [H, W, 3]
        mask: True on the face. [H, W]
        bits: 8 (0.17 degrees of rounding) or 16 (0.001 degrees).
    """
    import cv2

    top, kind = (1 << bits) - 1, np.uint8 if bits == 8 else np.uint16
    code = np.zeros(normals.shape, kind)
    rows, out, inside = normals.reshape(-1, 1, 3), code.reshape(-1, 1, 3), mask.reshape(-1, 1)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        level = np.clip(rows[block], -1, 1)
        level += 1
        level *= top / 2
        cv2.copyTo(np.rint(level, out=level).astype(kind), inside[block].view(np.uint8), out[block])
    return code


def decode_rgb(
    code: npt.NDArray[np.unsignedinteger[Any]],
) -> tuple[F32, Bools]:
    """Inverse of :func:`encode_rgb`: unit normals [H, W, 3] and the mask of pixels that are not 0."""
    mask = np.asarray(code.any(axis=-1))
    raw = code.astype(np.float32) * np.float32(2 / np.iinfo(code.dtype).max) - 1
    return unit(np.where(mask[..., None], raw, 0)), mask
