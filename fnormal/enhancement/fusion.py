"""Predicted normals and a noisy depth map -> metric depth: the detail of the one, the place of the other.

Camera frame: x right, y up, z toward the viewer, the camera at the origin; depth is the distance along -z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fnormal.arrays import F32, F64, Bools
from fnormal.config import DEPTH_WEIGHT
from fnormal.enhancement.reconcile import reconciled
from fnormal.enhancement.solving import conjugate_gradients
from fnormal.geometry.normals import unit

_JUMP_M, _JUMP_AT_M = 0.006, 0.7  # neighbours whose depth differs by more are not one surface; grows with Z^2
_LEAST_FACING = 0.15  # cosine to the ray below which a normal tells nothing of depth
_RIM = 0.08  # of the mask's width: there the fused depth goes over into the measured one
_SLOPE_ERROR = 0.1  # of a plane fitted to noise, at which its slope is taken for better than a prediction's
_SIGMAS_PX = (1.5, 12.0)
# the fused depth stays within so many deviations of one pixel's noise of the filtered one, and within more
# where neighbours err together, which no filter takes away
_MOST_NOISE, _MOST_SHARED_NOISE = 0.5, 2.5
_NOISE_STEP_M, _MOST_STEPS_PX = 0.003, 8  # pixels so far apart err each for itself
_FACE_ADDS = 1.2  # the face's own forms add up to a fifth over that distance
_BILATERAL_NOISE, _BILATERAL_M, _BILATERAL_PX = 4.0, 0.004, 3.0


@dataclass(frozen=True)
class Noise:
    """Of a depth map.

    Attributes:
        m: Its standard deviation, metres.
        shared: The share that neighbouring pixels have in common: none of a Kinect's, half of a TrueDepth's.
    """

    m: float
    shared: float


@dataclass(frozen=True)
class Fused:
    """Depth on a grid of photo pixels.

    Attributes:
        metres: 0 where there is none. [H, W]
        normals: Unit, camera frame, 0 where there is none. [H, W, 3]
        confidence: How much the prediction shaped it: 0 is measured depth alone, 1 inside the mask. [H, W]
    """

    metres: F32
    normals: F32
    confidence: F32


def grid_points(metres: F32, rays: F64) -> F32:
    """Depth [H, W] and rays [H, W, 2] (y down) as points in the camera frame. [H, W, 3]"""
    z = metres.astype(np.float64)
    return np.stack([rays[..., 0] * z, -rays[..., 1] * z, -z], axis=-1).astype(np.float32)


def camera_normals(normals: F32, ray: F64) -> F32:
    """Normals of a crop, which the network sees as if it lay on the camera's axis, in the camera frame.

    The crop's own viewing direction is the ray to its middle: the smallest rotation that takes the axis there
    turns the normals, without which they are off by the ray's angle.

    Args:
        normals: [..., 3]
        ray: To the crop's middle, y down. [2]
    """
    to_viewer = np.array([-ray[0], ray[1], 1.0])
    to_viewer /= np.linalg.norm(to_viewer)
    axis = np.array([0.0, 0, 1])
    v, c = np.cross(axis, to_viewer), float(axis @ to_viewer)
    skew = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    turn = np.eye(3) + skew + skew @ skew / (1 + c)
    return np.asarray(normals @ turn.T, np.float32)


def own_normals(points: F32, known: Bools) -> F32:
    """Normals of a grid of points by its neighbours' differences, toward the camera. [H, W, 3]"""
    across, down = np.gradient(points, axis=1), np.gradient(points, axis=0)
    normals = unit(np.cross(down, across))
    normals = np.where(np.sum(normals * points, axis=-1, keepdims=True) > 0, -normals, normals)
    return np.asarray(normals * _without_rim(known)[..., None], np.float32)


def _without_rim(mask: Bools) -> Bools:
    """Pixels all of whose neighbours are in the mask, too. [H, W]"""
    import cv2

    return np.asarray(cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)


def fuse(metres: F32, normals: F32, mask: Bools, rays: F64, *, samples: F32 | None = None) -> Fused:
    """Least squares in metric depth: neighbours lie orthogonal to their normals, and near what was measured.

    For neighbours p, q with the mean normal n and rays r: ``n . (Z_q r_q - Z_p r_p) = 0``; for every measured
    pixel ``w (Z_p - D_p) = 0``. Both are linear in Z. The prediction's wide forms are replaced by the depth
    map's first: over many pixels its noise averages out, and a network's error does not.

    Args:
        metres: Measured depth on the grid, 0 for holes. [H, W]
        normals: Predicted, camera frame. [H, W, 3]
        mask: The face. [H, W]
        rays: Of the grid's pixels, y down. [H, W, 2]
        samples: Measurements behind each pixel: less than 1 where the depth map is the coarser. [H, W]
    """
    from scipy.sparse import diags

    known = metres > 0
    share = np.ones(mask.shape, np.float32) if samples is None else samples
    noise = noise_of(metres, mask, rays)
    sigma_px = _smoothing_px(noise, metres, mask, rays, share)
    planes, measured = local_planes(metres, known, rays, sigma_px)
    calm = np.where(known, denoised(metres, noise), 0)
    start = np.where(known, calm, planes * mask)
    both = mask & (np.linalg.norm(normals, axis=-1) > 0.5) & measured.any(axis=-1)
    too_much = reconciled(normals, measured, both, sigma_px, 1.0)
    normals = unit(np.where(both[..., None], normals - too_much, normals))
    inside = mask & (start > 0) & (np.linalg.norm(normals, axis=-1) > 0.5)
    pairs = _neighbours(start, normals, inside, rays)
    held = (DEPTH_WEIGHT**2 * np.where(known, share, 0.0))[inside] + 1e-9
    matrix = (pairs.T @ pairs + diags(held)).tocsr()
    first = start[inside].astype(np.float64)
    # solved for the difference to the start, which holds what was measured: what is left is small
    solution = first + conjugate_gradients(matrix, -(pairs.T @ (pairs @ first)))
    # a pixel's own evidence bounds what its neighbours' normals may do to it, as at the edge of a nose
    most_m = (_MOST_NOISE + _MOST_SHARED_NOISE * noise.shared) * noise.m
    trusted = np.where(known, most_m, np.inf)[inside]
    solution = first + np.clip(solution - first, -trusted, trusted)
    fused = np.zeros(mask.shape, np.float32)
    fused[inside] = solution
    return _joined(metres, calm, fused, normals, inside, measured)


def local_planes(metres: F32, known: Bools, rays: F64, sigma_px: float) -> tuple[F32, F32]:
    """Depth and normals of planes fitted to the neighbourhood of each pixel: smooth, and right at rims too.

    Planes are linear in 1 / Z over the picture. Holes take the planes of what lies around them.

    Args:
        metres: [H, W]
        known: Where there is any. [H, W]
        rays: [H, W, 2]
        sigma_px: Of the Gaussian weights.

    Returns:
        Depth [H, W] and unit normals, camera frame [H, W, 3]; 0 where nothing is near.
    """
    import cv2

    inverse = np.where(known, 1 / np.where(known, metres, 1), 0).astype(np.float64)
    middle = np.median(rays[known], axis=0) if known.any() else np.zeros(2)
    x, y = (rays - middle)[..., 0], (rays - middle)[..., 1]
    weight = known.astype(np.float64)

    def blurred(values: F64) -> F64:
        return np.asarray(cv2.GaussianBlur(values * weight, (0, 0), sigma_px))

    total = blurred(np.ones_like(x))
    safe = np.maximum(total, 1e-9)
    mx, my, mz = blurred(x) / safe, blurred(y) / safe, blurred(inverse) / safe
    xx, yy = blurred(x * x) / safe - mx * mx, blurred(y * y) / safe - my * my
    xy = blurred(x * y) / safe - mx * my
    xz, yz = blurred(x * inverse) / safe - mx * mz, blurred(y * inverse) / safe - my * mz
    least = 0.02 * (_spacing(rays) * sigma_px) ** 2  # a neighbourhood on a line has no slope across it
    xx, yy = xx + least, yy + least
    area = xx * yy - xy * xy
    slope_x, slope_y = (xz * yy - yz * xy) / area, (yz * xx - xz * xy) / area
    value = mz + slope_x * (x - mx) + slope_y * (y - my)
    near = (total > 0.02) & (value > 1e-3)
    depth = np.where(near, 1 / np.where(near, value, 1), 0)
    along = value - slope_x * rays[..., 0] - slope_y * rays[..., 1]
    normals = unit(np.stack([-slope_x, slope_y, along], axis=-1), near)
    return depth.astype(np.float32), np.asarray(normals, np.float32)


def _spacing(rays: F64) -> float:
    """Distance of neighbouring rays on the plane one unit before the camera."""
    return float(np.abs(np.gradient(rays[..., 0], axis=1)).mean())


def _neighbours(start: F32, normals: F32, inside: Bools, rays: F64) -> Any:
    """The rows ``n . (Z_q r_q - Z_p r_p)`` of neighbours on one surface, sparse. [pairs, pixels inside]"""
    from scipy.sparse import coo_matrix

    number = np.full(inside.shape, -1)
    number[inside] = np.arange(int(inside.sum()))
    directions = np.stack([rays[..., 0], -rays[..., 1], -np.ones(inside.shape)], axis=-1)
    row_p, row_q, value_p, value_q = [], [], [], []
    for p, q in (((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
                 ((slice(None, -1), slice(None)), (slice(1, None), slice(None)))):  # fmt: skip
        middle = unit(normals[p] + normals[q]).astype(np.float64)
        at_p, at_q = (np.sum(middle * directions[side], axis=-1) for side in (p, q))
        near = (start[p] + start[q]) / 2
        jump = np.abs(start[p] - start[q]) > _JUMP_M * np.maximum((near / _JUMP_AT_M) ** 2, 0.3)
        facing = np.abs(at_p) / np.linalg.norm(directions[p], axis=-1) > _LEAST_FACING
        pair = inside[p] & inside[q] & ~jump & facing
        row_p.append(number[p][pair])
        row_q.append(number[q][pair])
        value_p.append(-at_p[pair])
        value_q.append(at_q[pair])
    i, j = np.concatenate(row_p), np.concatenate(row_q)
    rows = np.arange(len(i))
    entries = np.concatenate([*value_p, *value_q])
    shape = len(i), int(inside.sum())
    return coo_matrix((entries, (np.concatenate([rows, rows]), np.concatenate([i, j]))), shape=shape).tocsr()


def noise_of(metres: F32, mask: Bools, rays: F64) -> Noise:
    """The depth's noise, by second differences, which hardly see the face.

    Those of neighbours see what each pixel has for itself, those of pixels millimetres apart all of it.
    """
    known = mask & (metres > 0)
    if not known.any():
        return Noise(0.001, 0.0)
    near, far = (_roughness(metres, known, step) for step in (1, _steps_px(_pixel_m(metres, known, rays))))
    if near is None or far is None or far <= 0:
        return Noise(near or 0.001, 0.0)
    return Noise(max(near, far), max(0.0, 1 - _FACE_ADDS * near / far))


def _pixel_m(metres: F32, known: Bools, rays: F64) -> float:
    """Distance of what neighbouring pixels show."""
    return _spacing(rays) * float(np.median(metres[known]))


def _steps_px(pixel_m: float) -> int:
    return int(np.clip(round(_NOISE_STEP_M / pixel_m), 1, _MOST_STEPS_PX))


def _roughness(metres: F32, known: Bools, step_px: int) -> float | None:
    """Standard deviation of a pixel's noise by its difference to those ``step_px`` away; None: too few."""
    import cv2

    side = 2 * step_px + 1
    inner = cv2.erode(known.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    if inner.sum() < 50:
        return None
    kernel = np.zeros((side, side), np.float32)
    kernel[[0, -1, step_px, step_px], [step_px, step_px, 0, -1]] = 1
    kernel[step_px, step_px] = -4
    rough = cv2.filter2D(metres, cv2.CV_32F, kernel)
    return float(np.median(np.abs(rough[inner]))) / 0.6745 / float(np.sqrt(20))


def denoised(metres: F32, noise: Noise) -> F32:
    """Depth after a bilateral filter that keeps jumps and is as wide as the noise asks for. [H, W]"""
    import cv2

    reach = max(_BILATERAL_NOISE * noise.m, _BILATERAL_M)
    return np.asarray(cv2.bilateralFilter(metres, 0, reach, _BILATERAL_PX))


def _smoothing_px(noise: Noise, metres: F32, mask: Bools, rays: F64, share: F32) -> float:
    """How wide planes must be so that their slopes are better than a network's."""
    known = mask & (metres > 0)
    if not known.any():
        return _SIGMAS_PX[1]
    spacing = _pixel_m(metres, known, rays)
    # the slope of a plane fitted with sigma s errs by noise / (s^2 sqrt(8 pi) spacing)
    sigma = np.sqrt(noise.m / (np.sqrt(8 * np.pi) * spacing * _SLOPE_ERROR))
    density = float(np.clip(share[known].mean(), 0.01, 1))
    # noise that neighbours share is blind spots of that size: planes must be wider than those
    least = _SIGMAS_PX[0] + noise.shared * _steps_px(spacing)
    return float(np.clip(sigma / density**0.25, min(least, _SIGMAS_PX[1]), _SIGMAS_PX[1]))


def _joined(metres: F32, calm: F32, fused: F32, normals: F32, inside: Bools, measured: F32) -> Fused:
    """Fused depth inside, filtered at the rim, measured around: soft changes of form and of noise."""
    width = max(_RIM * float(np.sqrt(inside.sum())), 1.0)
    confidence, away = _rising(inside, width, around=False), _rising(~inside, width, around=True)
    known = metres > 0
    confidence[inside & ~known] = 1.0  # holes have nothing else
    around = np.where(known, away * metres + (1 - away) * calm, 0)
    mixed = np.where(inside, confidence * fused + (1 - confidence) * calm, around).astype(np.float32)
    blended = unit(confidence[..., None] * normals + (1 - confidence[..., None]) * measured)
    return Fused(mixed, np.asarray(blended * (mixed > 0)[..., None], np.float32), confidence * inside)


def _rising(area: Bools, width_px: float, *, around: bool) -> F32:
    """From 0 outside an area to 1 at ``width_px`` inside it, softly. [H, W]

    Args:
        area: Where.
        width_px: How soft.
        around: Whether the area goes on beyond the picture.
    """
    import cv2

    padded = np.pad(area, 1, constant_values=around).astype(np.uint8)
    share = np.clip(cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1] / width_px, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)
