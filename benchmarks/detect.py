"""Which faces are found: by pose, size, cover and light on rendered heads, on portraits; and false faces.

    python -m benchmarks.detect --heads ict_facekit.npz [--family ict-facekit] [--skins skins.npz]
    python -m benchmarks.detect --portraits FOLDER [--every 4]
    python -m benchmarks.detect --empty FOLDER     # pictures and HDR panoramas without a face

A face counts as found where its 68 points are within a quarter of the eyes' distance of where they are, or,
on portraits, where the middle of the found points lies in the middle half of the picture. A row each for
dlib's HOG alone and for the ladder.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.framings import linear_grey
from fnormal.arrays import F32, U8
from fnormal.faces.detect import FaceBox, detect_faces
from fnormal.faces.ladder import find_all_faces
from fnormal.geometry.images import as_bytes, in_unit_range
from fnormal.geometry.picturefile import find_images, read_image
from fnormal.readers import SCANS, open_reader
from fnormal.render.camera import frame_face
from fnormal.render.lighting import rich_lighting
from fnormal.render.soft import SoftRenderer
from fnormal.training.cover import draw_fringe, draw_glasses, draw_thing

Finder = Callable[[U8], list[FaceBox]]
FINDERS: dict[str, Finder] = {"dlib HOG": detect_faces, "ladder": find_all_faces}
CANVAS_PX = 640
COVERS: dict[str, Callable[..., Any]] = {
    "glasses": draw_glasses,
    "fringe": draw_fringe,
    "thing before it": draw_thing,
}


def heads(source: Path, family: str, skins: Path | None, count: int) -> Iterator[tuple[str, U8, F32]]:
    """Cases of rendered heads: what is varied, the picture, and the 68 points."""
    reader = open_reader(SCANS, family, source, {"scans": count, "seed": 77, "skins": skins})
    with SoftRenderer() as renderer:
        for i in range(count):
            rng = np.random.default_rng(i)
            scan = reader.load(i)
            assert scan.landmarks is not None
            renderer.load(scan.mesh)
            for yaw in (0, 15, 30, 45, 60, 75, 90):
                yield f"yaw {yaw}", *draw(renderer, scan.landmarks, rng, yaw * rng.choice([-1, 1]), 0, 220)
            for roll in (30, 60, 90, 120, 150, 180):
                yield f"roll {roll}", *draw(renderer, scan.landmarks, rng, 0, roll, 220)
            for size in (24, 32, 48, 64, 128, 256, 512):
                yield f"size {size}", *draw(renderer, scan.landmarks, rng, 0, 0, size)
            for what, hide in COVERS.items():
                picture, points = draw(renderer, scan.landmarks, rng, 0, 0, 220)
                yield what, hide(picture, np.ones(picture.shape[:2], bool), points, rng)[0], points
            picture, points = draw(renderer, scan.landmarks, rng, 0, 0, 220)
            for light in (0.2, 0.1, 0.05):
                yield f"light {light:g}", (picture * light).astype(np.uint8), points
            low, high = points.min(axis=0).astype(int), points.max(axis=0).astype(int)
            filled = np.ascontiguousarray(picture[low[1] : high[1], low[0] : high[0]])
            yield "fills the picture", filled, points - low
            yield "grey, linear", as_bytes(linear_grey(in_unit_range(filled))), points - low


def draw(
    renderer: SoftRenderer, points: F32, rng: np.random.Generator, yaw: float, roll: float, size: int
) -> tuple[U8, F32]:
    """A head somewhere on a canvas whose points' box is ``size`` pixels wide."""
    a, b = np.radians([yaw, roll])
    turn = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]]) @ np.array(
        [[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]
    )
    camera = frame_face(points, turn.astype(np.float32), size * 2, scale=2.0)
    drawn = renderer.render(camera, rich_lighting(rng))
    side = max(CANVAS_PX, size * 2)
    canvas = cv2.resize(
        rng.integers(0, 255, (8, 8, 3)).astype(np.uint8), (side, side), interpolation=cv2.INTER_CUBIC
    )
    x, y = rng.integers(0, side - size * 2 + 1, 2)
    part = np.s_[y : y + size * 2, x : x + size * 2]
    canvas[part] = drawn.over(np.ascontiguousarray(canvas[part]))
    return canvas, (camera.project(points)[:, :2] + (x, y)).astype(np.float32)


def is_there(found: list[FaceBox], points: F32) -> bool:
    size = max(float(np.linalg.norm(points[45] - points[36])), 0.4 * float(np.ptp(points, axis=0).max()))
    return any(np.linalg.norm(f.landmarks - points, axis=1).mean() < 0.25 * size for f in found)


def on_heads(options: argparse.Namespace) -> None:
    tallies: dict[str, dict[str, list[bool]]] = {name: {} for name in FINDERS}
    for case, picture, points in heads(options.heads, options.family, options.skins, options.count):
        for name, find in FINDERS.items():
            tallies[name].setdefault(case, []).append(is_there(find(picture), points))
    for case in tallies["ladder"]:
        print(
            case, *(f"{name} {100 * np.mean(tally[case]):.0f} %" for name, tally in tallies.items()), sep="\t"
        )


def on_portraits(options: argparse.Namespace) -> None:
    paths = find_images(options.portraits).paths[:: options.every]
    for name, find in FINDERS.items():
        missed, started = [], time.monotonic()
        for path in paths:
            picture = read_image(path)
            middle = np.array(picture.shape[1::-1]) / 2
            if not any(
                (abs(f.landmarks.mean(axis=0) - middle) < middle / 2).all() for f in find(picture)[:1]
            ):
                missed.append(path.name)
        each_ms = 1000 * (time.monotonic() - started) / len(paths)
        found = f"{len(paths) - len(missed)} of {len(paths)}"
        print(f"{name}\t{found}\t{each_ms:.0f} ms\tmissed: {' '.join(missed)}")


def on_empty(options: argparse.Namespace) -> None:
    for name, find in FINDERS.items():
        false, total = 0, 0
        for path in sorted(
            p for p in options.empty.rglob("*") if p.suffix.lower() in (".hdr", ".png", ".jpg")
        ):
            raw = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
            if raw is None:
                continue
            if raw.dtype == np.float32:
                raw = np.clip(255 * (raw / (1 + raw)) ** (1 / 2.2), 0, 255).astype(np.uint8)
            false, total = false + len(find(np.ascontiguousarray(raw[..., :3][..., ::-1]))), total + 1
        print(f"{name}\t{false} faces in {total} pictures without one")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", type=Path)
    parser.add_argument("--family", default="ict-facekit", choices=["ict-facekit", "anny", "vitruvian"])
    parser.add_argument("--skins", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--portraits", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--empty", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.heads:
        on_heads(options)
    if options.portraits:
        on_portraits(options)
    if options.empty:
        on_empty(options)


if __name__ == "__main__":
    main()
