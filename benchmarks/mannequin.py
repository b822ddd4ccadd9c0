"""What fusing gives on a real depth camera: frames round a mannequin against the mean of the other frames.

    python -m benchmarks.mannequin truedepth_mannequin/

There is no truth, but five other looks at the same head. Each frame's depth is laid over the others by a
rigid iterative closest point (point to plane) on what was measured; the mean of the others, without the frame
itself, is what it is compared with. Noise is what differs without the forms that are wider than a Gaussian of
4 or 8 mm: wide differences are the camera's drift and the registration's, which no normals can mend. `rim` is
how far the correction jumps from a pixel inside the mask to its neighbour outside, `inside` from one inside
to the next: without a step they are alike. Root mean squares in mm; degrees between the surface's normals and
the mean's, whose own noise counts too.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import cKDTree

from fnormal.arrays import F32, F64, Bools
from fnormal.enhancement.depthwork import fuse_face, on_whole_photo
from fnormal.enhancement.fusion import denoised, grid_points, noise_of, own_normals
from fnormal.enhancement.pipeline import predicted
from fnormal.enhancement.registration import OnPhoto
from fnormal.faces.ladder import find_upright_faces
from fnormal.geometry.depthfile import read_depth
from fnormal.geometry.intrinsics import Intrinsics, read_intrinsics
from fnormal.geometry.normals import angular_error_deg
from fnormal.geometry.picturefile import read_image
from fnormal.prediction.predictor import Predictor

_HEAD_M = 0.09  # of the face's middle: what frames are laid over each other by
_WIDE_M = (0.004, 0.008)
_TURN_DEG = 65.0  # frames turned farther against each other show different sides
_FAR_M = 0.004  # two looks at one place that differ by more do not show the same surface


@dataclass(frozen=True)
class Look:
    """One frame: depth over the photo, where the fusion shaped it, the head, and the 68 points in metres."""

    raw: F32
    fused: F32
    shaped: Bools
    head: Bools
    landmarks: F64

    def points(self, rays: F64) -> F32:
        """Of the raw depth, camera frame. [H, W, 3]"""
        return grid_points(self.raw, rays)


def looked(path: Path, camera: Intrinsics, predictor: Predictor) -> Look:
    photo = read_image(path)
    raw = read_depth(path.with_name(f"{path.stem}_depth_m.npy")).metres
    assert raw is not None, "a map, not a cloud"
    depth = OnPhoto(raw, camera, 1.0)
    face = find_upright_faces(photo)[0]
    result = fuse_face(depth, camera, predicted(predictor, photo, face))
    fused, confidence = on_whole_photo(result, depth, photo.shape[:2])
    shaped = (confidence > 0) & (raw > 0)
    points = grid_points(raw, camera.rays(_grid(camera)))
    near = np.linalg.norm(points - points[shaped].mean(axis=0), axis=-1) < _HEAD_M
    column, row = np.rint(face.landmarks).astype(int).clip(0, (camera.width_px - 1, camera.height_px - 1)).T
    return Look(raw, fused, shaped, near & (raw > 0), points[row, column].astype(np.float64))


def by_landmarks(moving: Look, still: Look) -> F64:
    """A first rigid motion [4, 4], by the inner points of the face that both frames have depth for."""
    inner = np.zeros(68, bool)
    inner[17:] = (moving.landmarks[17:, 2] < 0) & (still.landmarks[17:, 2] < 0)
    p, q = moving.landmarks[inner], still.landmarks[inner]
    for _ in range(3):  # a point at an edge may lie on what is behind
        u, _, v = np.linalg.svd((q - q.mean(axis=0)).T @ (p - p.mean(axis=0)))
        turn = u @ np.diag([1, 1, np.linalg.det(u @ v)]) @ v
        shift = np.median(q - p @ turn.T, axis=0)
        off = np.linalg.norm(p @ turn.T + shift - q, axis=1)
        kept = off <= max(2 * float(np.median(off)), 0.005)
        p, q = p[kept], q[kept]
    return np.block([[turn, shift[:, None]], [np.zeros((1, 3)), np.ones((1, 1))]])


def _grid(camera: Intrinsics) -> F64:
    rows, columns = np.mgrid[: camera.height_px, : camera.width_px]
    return np.stack([columns, rows], axis=-1).astype(np.float64)


def laid_over(moving: Look, still: Look, rays: F64) -> F64:
    """The rigid motion [4, 4] that takes one look's points onto another's."""
    source = moving.points(rays)[moving.head].astype(np.float64)[::3]
    target, normals = still.points(rays), own_normals(still.points(rays), still.raw > 0)
    usable = still.head & (np.linalg.norm(normals, axis=-1) > 0.5)
    target, normals = target[usable].astype(np.float64), normals[usable].astype(np.float64)
    tree, motion = cKDTree(target), by_landmarks(moving, still)
    for step in range(40):
        points = source @ motion[:3, :3].T + motion[:3, 3]
        far, index = tree.query(points)
        kept = far < max(0.02 * 0.8**step, _FAR_M)
        p, q, n = points[kept], target[index[kept]], normals[index[kept]]
        rows = np.concatenate([np.cross(p, n), n], axis=1)
        change, *_ = np.linalg.lstsq(rows, np.sum((q - p) * n, axis=1), rcond=None)
        turn = cv2.Rodrigues(change[:3])[0]
        moved = np.eye(4)
        moved[:3, :3], moved[:3, 3] = turn, change[3:]
        motion = moved @ motion
    return motion


def seen_from(look: Look, motion: F64, camera: Intrinsics) -> F32:
    """The raw depth of a look in another look's pixels; NaN where it saw nothing."""
    points = look.points(camera.rays(_grid(camera)))[look.head].astype(np.float64)
    points = points @ motion[:3, :3].T + motion[:3, 3]
    pixels = camera.project(points * (1, -1, -1))
    grid = _grid(camera)
    found = LinearNDInterpolator(pixels, -points[:, 2])(grid)
    # what is farther than two pixels from any measured point is spanned, not seen
    away = cKDTree(pixels).query(grid.reshape(-1, 2))[0].reshape(found.shape)
    return np.where(away < 2, found, np.nan).astype(np.float32)


def fine(difference: F32, inside: Bools, sigma_px: float) -> F32:
    """A difference without its wide part, by a Gaussian mean inside the mask."""
    weight = inside.astype(np.float32)
    mean = cv2.GaussianBlur(difference * weight, (0, 0), sigma_px)
    share = cv2.GaussianBlur(weight, (0, 0), sigma_px)
    return np.asarray(np.where(inside, difference - mean / np.maximum(share, 1e-6), 0), np.float32)


def step_mm(correction: F32, inside: Bools, known: Bools, *, at_rim: bool) -> float:
    """Root mean square jump of a correction between known neighbours: over the mask's rim, or inside it."""
    jumps = []
    for turned in (False, True):  # down, then across
        here, seen = (mask.T if turned else mask for mask in (inside, known))
        value = correction.T if turned else correction
        counted = (here[1:] != here[:-1]) if at_rim else (here[1:] & here[:-1])
        jumps.append(np.diff(value, axis=0)[counted & seen[1:] & seen[:-1]])
    return float(np.sqrt(np.mean(np.concatenate(jumps) ** 2)) * 1000)


def turn_deg(motion: F64) -> float:
    return float(np.degrees(np.linalg.norm(cv2.Rodrigues(motion[:3, :3])[0])))


def own_error(metres: F32, stack: F32, inside: Bools, sigma_px: float) -> float:
    """Root mean square error in mm of one look alone: the references' noise falls out.

    Two references err independently, so that the mean product of the differences to both is the variance of
    what they share: the error of the look itself.
    """
    seen = np.isfinite(stack) & inside
    off = np.stack([fine(np.where(s, metres - d, 0), s, sigma_px) for s, d in zip(seen, stack, strict=True)])
    count = seen.sum(axis=0)
    several = count >= 2
    products = (off.sum(axis=0) ** 2 - (off**2).sum(axis=0))[several] / (count * (count - 1))[several]
    return float(np.sqrt(max(products.mean(), 0.0)) * 1000)


def compared(look: Look, stack: F32, camera: Intrinsics) -> dict[str, float]:
    """Errors of a look's raw, filtered and fused depth against other looks at the same place. [N, H, W]"""
    rays, seen = camera.rays(_grid(camera)), np.isfinite(stack).sum(axis=0)
    mean = np.where(seen > 0, np.nansum(stack, axis=0) / np.maximum(seen, 1), 0).astype(np.float32)
    inside = cv2.erode((look.shaped & (seen >= 2)).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    per_metre = camera.fx / float(np.median(look.raw[inside]))
    normals = own_normals(grid_points(mean, rays), seen >= 2)
    filtered = denoised(look.raw, noise_of(look.raw, look.shaped, rays))
    row: dict[str, float] = {}
    for name, metres in {"raw": look.raw, "bilateral": filtered, "fused": look.fused}.items():
        for wide in _WIDE_M:
            row[f"{name} noise {1000 * wide:.0f}"] = own_error(metres, stack, inside, wide * per_metre)
        own = own_normals(grid_points(metres, rays), metres > 0)
        both = inside & (np.linalg.norm(own, axis=-1) > 0.5) & (np.linalg.norm(normals, axis=-1) > 0.5)
        row[f"{name} deg"] = float(angular_error_deg(own[both], normals[both]).mean())
    known = look.raw > 0
    for name, at_rim in {"rim": True, "inside": False}.items():
        row[name] = step_mm(look.fused - look.raw, look.shaped, known, at_rim=at_rim)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    camera = read_intrinsics(str(options.folder / "intrinsics.json"), 240, 320)
    predictor, rays = Predictor(), camera.rays(_grid(camera))
    paths = sorted(options.folder.glob("frame_*.png"))
    looks = [looked(path, camera, predictor) for path in paths]
    rows = []
    for i, look in enumerate(looks):
        motions = [(other, laid_over(other, look, rays)) for j, other in enumerate(looks) if i != j]
        near = [(other, motion) for other, motion in motions if turn_deg(motion) < _TURN_DEG]
        stack = np.stack([seen_from(other, motion, camera) for other, motion in near])
        stack[np.abs(stack - look.raw) > _FAR_M] = np.nan
        rows.append(compared(look, stack, camera))
        print(paths[i].name, " ".join(f"{k} {v:.2f}" for k, v in rows[-1].items()), flush=True)
    print("mean", " ".join(f"{k} {np.mean([row[k] for row in rows]):.2f}" for k in rows[0]))


if __name__ == "__main__":
    main()
