"""Depth of a depth camera on the pixels of the photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fnormal.arrays import F32, F64, U8
from fnormal.errors import FNormalError
from fnormal.geometry.depthfile import Depth
from fnormal.geometry.intrinsics import Intrinsics

_LEAST_GAP = 0.85  # pixels of that raster between neighbouring points: each pixel gets one
_MOST_SIDE_PX = 1024  # of a raster into which points are drawn: it must not be finer than they are
_ALIGNED_PX = 0.03  # of the face: edges of depth and photo that are farther apart are told


@dataclass(frozen=True)
class OnPhoto:
    """Depth on a grid over the photo.

    Attributes:
        metres: 0 where there is none. [h, w]
        camera: The photo's camera, for this grid.
        per_photo_px: Pixels of the grid for one of the photo.
    """

    metres: F32
    camera: Intrinsics
    per_photo_px: float


def laid_over(
    depth: Depth, photo: U8, depth_camera: Intrinsics | None, photo_camera: Intrinsics, to_photo: F64 | None
) -> OnPhoto:
    """Depth as the photo's camera sees it, at the depth camera's resolution.

    Args:
        depth: A map or a cloud.
        photo: [H, W, 3]
        depth_camera: None where the map is registered to the photo, or for a cloud.
        photo_camera: Of the photo.
        to_photo: From the depth camera's frame to the photo's, metres, y down [4, 4]; None: one camera.

    Raises:
        FNormalError: No point lies in the photo.
    """
    height, width = photo.shape[:2]
    if depth.metres is not None and depth_camera is None:
        rows, columns = depth.metres.shape
        return OnPhoto(depth.metres, photo_camera.scaled(columns, rows), columns / width)
    if depth.metres is not None:
        assert depth_camera is not None, "the other case returned"
        known = depth.metres > 0
        row, column = np.nonzero(known)
        rays = depth_camera.rays(np.stack([column, row], axis=1))
        z = depth.metres[known].astype(np.float64)[:, None]
        points = np.concatenate([rays * z, z], axis=1)
    else:
        assert depth.cloud is not None, "a map or a cloud"
        points = depth.cloud
    if to_photo is not None:
        points = points @ to_photo[:3, :3].T + to_photo[:3, 3]
    points = points[points[:, 2] > 0.05]
    scale = min(_MOST_SIDE_PX / max(height, width), _LEAST_GAP / _gap_px(points, photo_camera), 1.0)
    camera = photo_camera.scaled(max(round(width * scale), 8), max(round(height * scale), 8))
    return OnPhoto(_drawn(points, camera), camera, camera.width_px / width)


def _gap_px(points: F64, camera: Intrinsics) -> float:
    """Median distance of neighbouring points in the photo, in its pixels."""
    from scipy.spatial import cKDTree

    if len(points) < 4:
        return 1.0
    pixels = camera.project(points)
    some = pixels[:: max(1, len(pixels) // 2000)]
    return max(float(np.median(cKDTree(pixels).query(some, 2)[0][:, 1])), 1e-3)


def _drawn(points: F64, camera: Intrinsics) -> F32:
    """The nearest point of each pixel; pinholes between points are closed from their neighbours. [h, w]

    Raises:
        FNormalError: No point lies in the picture.
    """
    import cv2

    at = np.rint(camera.project(points)).astype(np.int64) if len(points) else np.zeros((0, 2), np.int64)
    inside = ((at >= 0) & (at < (camera.width_px, camera.height_px))).all(axis=1)
    if not inside.any():
        raise FNormalError("no point of the depth lies in the photo; check --extrinsics and the intrinsics")
    picture = np.full((camera.height_px, camera.width_px), np.inf, np.float32)
    np.minimum.at(picture, (at[inside, 1], at[inside, 0]), points[inside, 2].astype(np.float32))
    around = cv2.erode(picture, np.ones((3, 3)))  # the nearest of nine
    crowd = cv2.blur(np.isfinite(picture).astype(np.float32), (3, 3))
    hole = ~np.isfinite(picture) & (crowd > 0.5)
    picture[hole] = around[hole]
    # what shines through between nearer points
    behind = np.isfinite(picture) & (picture > around + 0.05) & (crowd > 0.5)
    picture[behind] = around[behind]
    return np.where(np.isfinite(picture), picture, 0).astype(np.float32)


def edges_apart(depth: OnPhoto, photo: U8, box: tuple[float, ...]) -> tuple[float, float]:
    """How far the edges of depth lie from the photo's around a face, in photo pixels: right, down."""
    import cv2

    scale = depth.per_photo_px
    left, top, right, bottom = (round(v * scale) for v in box)
    reach = max(round(0.12 * (right - left)), 3)
    height, width = depth.metres.shape
    x0, y0 = max(left - 2 * reach, 0), max(top - 2 * reach, 0)
    x1, y1 = min(right + 2 * reach, width), min(bottom + 2 * reach, height)
    if x1 - x0 < 6 * reach or y1 - y0 < 6 * reach:
        return 0.0, 0.0
    grey = cv2.cvtColor(cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    part = depth.metres[y0:y1, x0:x1]
    near = np.where(part > 0, part, part.max(initial=0))
    edges = [cv2.magnitude(cv2.Sobel(p, cv2.CV_32F, 1, 0), cv2.Sobel(p, cv2.CV_32F, 0, 1))
             for p in (np.minimum(near, np.median(part[part > 0]) + 0.15), grey[y0:y1, x0:x1])]  # fmt: skip
    sharp = [cv2.GaussianBlur(np.minimum(e, np.percentile(e, 97)), (0, 0), 1.0) for e in edges]
    inner = sharp[0][reach:-reach, reach:-reach]
    scores = cv2.matchTemplate(sharp[1], inner, cv2.TM_CCOEFF_NORMED)
    best = np.unravel_index(int(scores.argmax()), scores.shape)
    if scores[best] < scores[reach, reach] + 0.08 or scores[best] < 0.25:
        return 0.0, 0.0
    return (best[1] - reach) / scale, (best[0] - reach) / scale


def is_apart(shift: tuple[float, float], box: tuple[float, ...]) -> bool:
    """Whether edges lie so far apart that depth and photo hardly belong together."""
    return float(np.hypot(*shift)) > _ALIGNED_PX * (box[2] - box[0])
