"""Find how a coarse mesh lies over a photo: solved from the 68 landmarks, never assumed.

The target is the photo's pixel frame: x right, y up from the bottom row, z toward the viewer, pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fnormal.arrays import F32, F64
from fnormal.config import N_LANDMARKS
from fnormal.errors import FNormalError
from fnormal.faces.detect import eyes_of
from fnormal.geometry.normals import compose_frames, frame_matrix, signed_permutations
from fnormal.geometry.pose import weak_perspective

_INNER = slice(17, 68)  # brows, nose, eyes, mouth: the jaw line slides with the pose
MAX_RESIDUAL = 0.07  # root mean square / larger side of the landmarks' box
DOUBTFUL_RESIDUAL = 0.045
_WRITTEN_RESIDUAL = 0.05  # what a tool wrote in the photo's own pixels is off by the detector's error alone
_ROTATED_DEG = 6.0  # a turn that is smaller may be the landmarks' noise
_CLEARLY, _BETTER = 0.5, 0.7  # residual of a freer fit / of a written frame, of an unturned one, to be taken
_NOSE_TIP = 30
_LEAST_FORWARD = -0.3  # z of where the face looks: profiles, and what landmarks make of them
LEAST_NOSE = 0.1  # height of the nose's tip over the plane of eyes and mouth / distance of the eyes


@dataclass(frozen=True)
class Alignment:
    """Mesh to the photo's pixel frame: ``linear @ vertex + offset``.

    Attributes:
        kind: Which of the known ways it is.
        linear: A scaled rotation, mirrored where the mesh's own frame is. [3, 3]
        offset: [3]
        residual_px: Root mean square distance of the inner landmarks after it.
        extent_px: Larger side of the photo's landmarks' box.
        is_written: Whether a tool wrote the mesh in the photo's own pixels.
    """

    kind: str
    linear: F64
    offset: F64
    residual_px: float
    extent_px: float = 1.0
    is_written: bool = False

    def __call__(self, vertices: F32) -> F32:
        """Vertices [V, 3] in the pixel frame."""
        return np.asarray(vertices @ self.linear.T + self.offset, np.float32)

    @property
    def residual(self) -> float:
        """The residual as a share of the face."""
        return self.residual_px / self.extent_px

    @property
    def rotation(self) -> F64:
        """The orthogonal part of ``linear``, mirrored or not. [3, 3]"""
        return np.asarray(self.linear / np.cbrt(abs(np.linalg.det(self.linear))))

    @property
    def scale(self) -> float:
        """Pixels for one unit of the mesh."""
        return float(np.cbrt(abs(np.linalg.det(self.linear))))

    def measured(self, points: F32, landmarks: F32, height_px: int) -> Alignment:
        """The same for other landmarks: another face, or points found anew."""
        extent = float(np.ptp(landmarks, axis=0).max())
        target = _target(landmarks, height_px)
        fitted = replace(self, extent_px=extent)
        return replace(fitted, residual_px=_residual(fitted, points.astype(np.float64), target))


def align(
    points: F32, landmarks: F32, height_px: int, frame: str | None = None, limit: float = MAX_RESIDUAL
) -> Alignment:
    """The simplest alignment that is not clearly worse than a freer one.

    In order: the frames in which tools write meshes over a photo; a scale and shift of axes in some order
    and sense; a free weak-perspective pose. Of each the one in which the nose stands before the eyes.

    Args:
        points: The mesh's 68 landmarks, in its own frame. [68, 3]
        landmarks: The photo's, in pixels, y down. [68, 2]
        height_px: Rows of the photo.
        frame: The mesh's axes where they are known: :data:`PIXELS_UP` or :data:`PIXELS_DOWN`, or axes as
            :func:`fnormal.geometry.normals.frame_matrix` takes them, which keeps all turns out.
        limit: Largest residual as a share of the face.

    Raises:
        FNormalError: Even the freest leaves more: the mesh is not of this face.
    """
    source, target = points.astype(np.float64), _target(landmarks, height_px)
    extent = float(np.ptp(landmarks, axis=0).max())
    if frame is not None:
        best = _in_frame(frame, source, target, height_px, extent)
    else:
        written = _best(_written_frames(source, target, height_px, extent))
        turned = _best(_poses(source, target, extent))
        unturned = _best(_unturned(source, target, extent, signed_permutations()))
        best = _simplest(written, unturned, turned)
    if best is None or not best.residual <= limit:
        why = "its nose lies behind its eyes" if best is None else f"the best alignment ({best.kind}) leaves"
        if best is not None:
            why += f" {best.residual_px:.1f} px, more than {limit * extent:.1f}"
        raise FNormalError(f"the mesh does not fit the face: {why}; give this photo's own mesh")
    return best


def written_where_it_lies(points: F32, landmarks: F32, height_px: int) -> Alignment | None:
    """The nearest of the frames in which tools write meshes over a photo, however far off."""
    source, target = points.astype(np.float64), _target(landmarks, height_px)
    extent = float(np.ptp(landmarks, axis=0).max())
    return _best(_written_frames(source, target, height_px, extent))


PIXELS_UP, PIXELS_DOWN = "pixels-y-up", "pixels-y-down"
_TOOLS = {
    "x,y,z": "pixels (PRNet, 3DDFA_V2)",
    "x,-y,z": "pixels, y down (3DDFA)",
    "x,-y,-z": "pixels, y down, z away (FaceMesh)",
    "y,-x,z": "pixels, x and y exchanged (3DDFA's OBJ)",
}


def _in_frame(frame: str, source: F64, target: F64, height_px: int, extent: float) -> Alignment | None:
    if frame in (PIXELS_UP, PIXELS_DOWN):
        down = frame == PIXELS_DOWN
        written = _written_frames(source, target, height_px, extent)
        upright = [one for one in written if abs(one.linear[0, 0]) == 1 and abs(one.linear[1, 1]) == 1]
        return _best([one for one in upright if (one.linear[1, 1] < 0) == down])
    return _best(_unturned(source, target, extent, [compose_frames("opengl", frame)]))


def _simplest(
    written: Alignment | None, unturned: Alignment | None, turned: Alignment | None
) -> Alignment | None:
    """The first that is good and that no freer one beats clearly by a turn that is no noise."""
    for simple, limit, gain in ((written, _WRITTEN_RESIDUAL, _CLEARLY), (unturned, MAX_RESIDUAL, _BETTER)):
        if simple is None or simple.residual > limit:
            continue
        freer = [one for one in (unturned if simple is written else None, turned) if one is not None]
        if not any(_beats(one, simple, gain) for one in freer):
            return simple
    return turned if turned is not None else unturned


def _beats(freer: Alignment, simple: Alignment, gain: float) -> bool:
    """Whether the freer one is clearly nearer, and truly another one: turned, or of another size."""
    turn = freer.rotation @ simple.rotation.T
    turn_deg = float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))
    other = turn_deg > _ROTATED_DEG or abs(np.log(freer.scale / simple.scale)) > 0.1
    return other and freer.residual_px < gain * simple.residual_px


def _target(landmarks: F32, height_px: int) -> F64:
    """Landmarks with y up. [68, 2]"""
    return np.stack([landmarks[:, 0], height_px - 1 - landmarks[:, 1]], axis=1).astype(np.float64)


def _residual(alignment: Alignment, source: F64, target: F64) -> float:
    placed = source @ alignment.linear.T + alignment.offset
    return float(np.sqrt(((placed[_INNER, :2] - target[_INNER]) ** 2).sum(axis=1).mean()))


def nose_height(points: F64) -> float:
    """How far the nose's tip stands before the plane of eyes and mouth, in eye distances.

    Before is where a face looks that has its right eye, its left eye and its mouth where the points say: in a
    mirror image that is inside the head.

    Args:
        points: The 68 in a right-handed frame. [68, 3]
    """
    right, left = eyes_of(points)
    eyes = max(float(np.linalg.norm(left - right)), 1e-12)
    return float((points[_NOSE_TIP] - (right + left + _mouth(points)) / 3) @ forward(points)) / eyes


def forward(points: F64) -> F64:
    """The unit direction in which a face looks, of its 68 points in a right-handed frame [68, 3]. [3]"""
    right, left = eyes_of(points)
    out = np.cross(left - right, (right + left) / 2 - _mouth(points))
    return np.asarray(out / max(float(np.linalg.norm(out)), 1e-12))


def _mouth(points: F64) -> F64:
    return np.asarray(points[48:60].mean(axis=0))


def _best(fits: list[Alignment]) -> Alignment | None:
    return min(fits, key=lambda fit: fit.residual_px, default=None)


def _made(
    kind: str, linear: F64, offset: F64, source: F64, target: F64, extent: float, *, is_written: bool = False
) -> list[Alignment]:
    """The fit, if the nose is where noses are, and the face is not seen from behind."""
    placed = source @ linear.T
    if nose_height(placed) < LEAST_NOSE or forward(placed)[2] < _LEAST_FORWARD:
        return []
    fit = Alignment(kind, linear, offset, 0.0, extent, is_written)
    return [replace(fit, residual_px=_residual(fit, source, target))]


def _written_frames(source: F64, target: F64, height_px: int, extent: float) -> list[Alignment]:
    """What tools write for a photo of this height: its pixels, in axes of some order and sense.

    Scale and place are the photo's, so that no wrong one fits.
    """
    fits = []
    for frame in signed_permutations():
        axes = frame_matrix(frame).astype(np.float64)
        named = _TOOLS.get(frame, f"pixels, axes {frame}")
        if axes[1].sum() < 0:  # y points down
            fits += _made(
                named, axes, np.array([0.0, height_px - 1, 0]), source, target, extent, is_written=True
            )
            continue
        for kind, bottom in ((f"{named}, y = h - 1 - row", 0.0), (f"{named}, y = h - row", -1.0)):
            fits += _made(kind, axes, np.array([0.0, bottom, 0]), source, target, extent, is_written=True)
    return fits


def _unturned(source: F64, target: F64, extent: float, frames: list[str]) -> list[Alignment]:
    """Scale and shift of axes in some order and sense."""
    fits = []
    for frame in frames:
        axes = frame_matrix(frame).astype(np.float64)
        scale, offset = _scale_and_shift((source @ axes.T)[_INNER, :2], target[_INNER])
        if scale <= 1e-12:
            continue
        named = "scale and shift" if frame == "x,y,z" else f"scale and shift of axes {frame}"
        fits += _made(named, scale * axes, offset, source, target, extent)
    return fits


def _scale_and_shift(flat: F64, wanted: F64) -> tuple[float, F64]:
    """Least squares from points [K, 2] to points [K, 2]: the scale, and the shift with z [3]."""
    from_mean, to_mean = flat.mean(axis=0), wanted.mean(axis=0)
    a, b = flat - from_mean, wanted - to_mean
    scale = float((a * b).sum() / max((a**2).sum(), 1e-30))
    return scale, np.append(to_mean - scale * from_mean, 0.0)


def _poses(source: F64, target: F64, extent: float) -> list[Alignment]:
    """A free pose of the mesh as it is, and of its mirror image."""
    fits = []
    for mirror in (np.eye(3), np.diag([1.0, 1, -1])):
        x = source[_INNER] @ mirror
        turn, scale, shift = weak_perspective(x, target[_INNER], np.ones(len(x)))
        linear = scale * turn @ mirror
        kind = "weak-perspective pose" if mirror[2, 2] > 0 else "weak-perspective pose, mirrored"
        fits += _made(kind, linear, np.append(shift, 0.0), source, target, extent)
    return fits


def refitted(alignment: Alignment, points: F32, landmarks: F32, height_px: int) -> Alignment:
    """Scale and shift anew for points of one head or of several, the rotation kept.

    Args:
        alignment: Gives the rotation.
        points: Multiples of 68, in the mesh's frame. [68 N, 3]
        landmarks: The photo's, as many. [68 N, 2]
        height_px: Rows of the photo.
    """
    n = N_LANDMARKS
    inner = np.concatenate([np.arange(k, k + n)[_INNER] for k in range(0, len(points), n)])
    turned = points.astype(np.float64) @ alignment.rotation.T
    scale, offset = _scale_and_shift(turned[inner, :2], _target(landmarks, height_px)[inner])
    fitted = replace(alignment, linear=scale * alignment.rotation, offset=offset)
    return fitted.measured(points[:n], landmarks[:n], height_px)
