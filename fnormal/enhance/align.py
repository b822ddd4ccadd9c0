"""Find how a coarse mesh lies over a photo: solved from the 68 landmarks, never assumed.

The target is the photo's pixel frame: x right, y up from the bottom row, z toward the viewer, pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fnormal.arrays import F32, F64, I32
from fnormal.errors import FNormalError

_INNER = slice(17, 68)  # brows, nose, eyes, mouth: the jaw line slides with the pose
MAX_RESIDUAL = 0.07  # root mean square / larger side of the landmarks' box
_WORSE = 1.5  # a simpler alignment is kept unless its residual is this many times a freer one's


@dataclass(frozen=True)
class Alignment:
    """Mesh to the photo's pixel frame: ``linear @ vertex + offset``.

    Attributes:
        kind: Which of the known ways it is.
        linear: A scaled rotation, or a known writer's flip. [3, 3]
        offset: [3]
        residual_px: Root mean square distance of the inner landmarks after it.
    """

    kind: str
    linear: F64
    offset: F64
    residual_px: float

    def __call__(self, vertices: F32) -> F32:
        """Vertices [V, 3] in the pixel frame."""
        return np.asarray(vertices @ self.linear.T + self.offset, np.float32)


def align(points: F32, landmarks: F32, height_px: int) -> Alignment:
    """The simplest alignment that is not clearly worse than a freer one.

    In order: the frames that PRNet and 3DDFA write, a scale and shift, a weak-perspective pose.

    Args:
        points: The mesh's 68 landmarks, in its own frame. [68, 3]
        landmarks: The photo's, in pixels, y down. [68, 2]
        height_px: Rows of the photo.

    Raises:
        FNormalError: Even the freest leaves more than 7 % of the face: the mesh is not of this face.
    """
    target = np.stack([landmarks[:, 0], height_px - 1 - landmarks[:, 1]], axis=1).astype(np.float64)
    source = points.astype(np.float64)
    written = min(_written_frames(source, target, height_px), key=lambda a: a.residual_px)
    best = written
    for freer in (_similarity(source, target), _weak_perspective(source, target)):
        if best.residual_px > _WORSE * freer.residual_px + 1:
            best = freer
    extent = landmarks.max(axis=0) - landmarks.min(axis=0)
    limit = MAX_RESIDUAL * float(extent.max())
    if best.residual_px > limit:
        raise FNormalError(
            f"the mesh does not fit the face: the best alignment ({best.kind}) leaves"
            f" {best.residual_px:.1f} px, more than {limit:.1f}; give this photo's own mesh"
        )
    return best


def _measured(kind: str, linear: F64, offset: F64, source: F64, target: F64) -> Alignment:
    error = (source @ linear.T + offset)[_INNER, :2] - target[_INNER]
    return Alignment(kind, linear, offset, float(np.sqrt((error**2).sum(axis=1).mean())))


def _written_frames(source: F64, target: F64, height_px: int) -> list[Alignment]:
    """What the tools write for a photo of this height."""
    up, down = np.eye(3), np.diag([1.0, -1.0, 1.0])
    return [
        _measured("pixels, y = h - 1 - row (PRNet)", up, np.zeros(3), source, target),
        _measured("pixels, y = h - row (3DDFA)", up, np.array([0.0, -1, 0]), source, target),
        _measured("pixels, y down", down, np.array([0.0, height_px - 1, 0]), source, target),
    ]


def _similarity(source: F64, target: F64) -> Alignment:
    """Scale and shift without rotation, y up, or y down where that is better."""
    fits = []
    for kind, flip in (("scale and shift", 1.0), ("scale and shift, y down", -1.0)):
        flat = source[_INNER, :2] * (1.0, flip)
        wanted = target[_INNER]
        a, b = flat - flat.mean(axis=0), wanted - wanted.mean(axis=0)
        scale = max(float((a * b).sum() / max((a**2).sum(), 1e-12)), 1e-9)
        linear = scale * np.diag([1.0, flip, 1.0])
        offset = np.append(wanted.mean(axis=0) - scale * flat.mean(axis=0), 0.0)
        fits.append(_measured(kind, linear, offset, source, target))
    return min(fits, key=lambda f: f.residual_px)


def _weak_perspective(source: F64, target: F64) -> Alignment:
    """Scaled rotation and shift: the affine least-squares fit, brought to the nearest scaled rotation."""
    x, wanted = source[_INNER], target[_INNER]
    middle, goal = x.mean(axis=0), wanted.mean(axis=0)
    affine = np.linalg.lstsq(x - middle, wanted - goal, rcond=None)[0].T  # [2, 3]
    u, sizes, vt = np.linalg.svd(affine, full_matrices=False)
    rows = u @ vt
    rotation = np.stack([rows[0], rows[1], np.cross(rows[0], rows[1])])
    scale = float(sizes.mean())
    linear = scale * rotation
    offset = np.append(goal - linear[:2] @ middle, 0.0)
    return _measured("weak-perspective pose", linear, offset, source, target)


def outward(faces: I32, vertices: F32) -> I32:
    """Wind faces [F, 3] so that an aligned face looks at the viewer, whatever its writer did.

    A mesh open at the back shows its orientation by the sign of its projected area; a closed one, whose
    projected area cancels, by the sign of its volume.
    """
    corners = vertices[faces].astype(np.float64)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing = cross[:, 2].sum() / max(np.abs(cross[:, 2]).sum(), 1e-12)
    middle = corners - vertices.mean(axis=0)
    volume = np.einsum("ij,ij->", middle[:, 0], np.cross(middle[:, 1], middle[:, 2]))
    positive = facing > 0 if abs(facing) > 0.2 else volume > 0
    return faces if positive else np.ascontiguousarray(faces[:, ::-1])
