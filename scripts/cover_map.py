"""The network that tells what covers a face: trains it on photos over which things are drawn.

    python scripts/cover_map.py portraits.h5 fnormal/data/cover_map.onnx --empty HDRI

Photos of faces have no truth of what covers them. So shapes are laid over them whose texture is of other
photos, of panoramas, of paint and of the face's own skin, and dark glasses and hair as the training sets have
them. Every tenth photo is kept for the figures.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from small_network import as_tensor, conv, levelled, panoramas, told_by, write_onnx
from torch import Tensor, nn

from fnormal.arrays import F32, U8, Array, Bools
from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.sample import ImageSample
from fnormal.faces.covered import CELLS, FRAME_SCALE, SIDE_PX
from fnormal.faces.crop import square_matrix
from fnormal.faces.masks import hull_mask
from fnormal.training.cover import draw_fringe, draw_glasses

BATCH = 32
BARE = 0.4  # share of the faces that nothing is laid over
CLEAN = 0.01  # of the face: photos of which the network takes more for covered leave the second half
DARK_EYES = 0.07  # share of the photos, those with the darkest eyes, that is never learnt as bare
VIEW_PX = 128  # at which things are drawn

Draw = Callable[[U8, F32, np.random.Generator], tuple[U8, Bools]]


class CoverNet(nn.Module):
    """Faces [B, 3, 64, 64] in 0..1 -> logits of what is covered, on a coarser grid. [B, 1, 32, 32]"""

    def __init__(self) -> None:
        super().__init__()
        widths = (16, 32, 64, 96)
        self.down = nn.ModuleList(_pair(a, b, 2) for a, b in zip((3, *widths), widths, strict=False))
        self.up = nn.ModuleList(
            _pair(a + b, b, 1) for a, b in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.last = nn.Conv2d(widths[0], 1, 1)

    def forward(self, picture: Tensor) -> Tensor:
        """See the class."""
        level, levels = levelled(picture), []
        for step in self.down:
            level = step(level)
            levels.append(level)
        for step, finer in zip(self.up, levels[-2::-1], strict=True):
            wide = nn.functional.interpolate(level, scale_factor=2.0, mode="nearest")
            level = step(torch.cat([wide, finer], dim=1))
        logits: Tensor = self.last(level)
        return logits


def _pair(before: int, width: int, stride: int) -> nn.Sequential:
    return nn.Sequential(*conv(before, width, stride), *conv(width, width, 1))


def blob(points: F32, rng: np.random.Generator) -> Bools:
    """A thing of any outline: a bag of circles, a bar, a hand, or all below or beside a line. [S, S]"""
    low, high = points.min(axis=0), points.max(axis=0)
    size, drawn = float((high - low).max()), np.zeros((VIEW_PX, VIEW_PX), np.uint8)
    at = rng.uniform(low, high)
    kind = rng.random()
    if kind < 0.35:
        for _ in range(int(rng.integers(1, 7))):
            axes = tuple(int(v) for v in size * rng.uniform(0.06, 0.25, 2))
            spot = tuple(int(v) for v in at + rng.normal(0, 0.12, 2) * size)
            cv2.ellipse(drawn, spot, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
    elif kind < 0.55:
        toward = rng.normal(0, 1, 2)
        end = at + 2 * size * toward / np.linalg.norm(toward)
        cv2.line(
            drawn, at.astype(int).tolist(), end.astype(int).tolist(), 255, int(size * rng.uniform(0.06, 0.3))
        )
    elif kind < 0.75:  # fingers side by side, and a palm
        along = rng.normal(0, 1, 2)
        along /= np.linalg.norm(along)
        across, wide = np.array([-along[1], along[0]]), size * rng.uniform(0.06, 0.11)
        for k in range(4):
            tip = at + across * wide * 1.15 * (k - 1.5) + along * size * rng.uniform(0.2, 0.35)
            root = at + across * wide * 1.1 * (k - 1.5) - along * 0.1 * size
            cv2.line(drawn, root.astype(int).tolist(), tip.astype(int).tolist(), 255, max(1, int(wide)))
        spot = tuple(int(v) for v in at - along * 0.3 * size)
        cv2.ellipse(drawn, spot, (int(2.4 * wide), int(3 * wide)), 0, 0, 360, 255, -1)
    else:  # a scarf, a mask, a hat, the edge of a door
        toward = rng.normal(0, 1, 2) * (0.5, 1)
        rows, columns = np.mgrid[:VIEW_PX, :VIEW_PX]
        bend = rng.uniform(-0.6, 0.6) / size
        ahead = ((columns - at[0]) * toward[0] + (rows - at[1]) * toward[1]) / np.linalg.norm(toward)
        beside = ((columns - at[0]) * -toward[1] + (rows - at[1]) * toward[0]) / np.linalg.norm(toward)
        drawn[ahead + bend * beside**2 > 0] = 255
    return np.asarray(drawn > 0)


def painter(photos: list[ImageSample], scenes: list[U8]) -> Draw:
    """What lays something over a view [S, S, 3] with points: the view, and what is covered of it [S, S]."""

    def paint(view: U8, points: F32, rng: np.random.Generator) -> tuple[U8, Bools]:
        kind = rng.random()
        whole = np.ones(view.shape[:2], bool)
        if kind < 0.25:
            drawn, left = draw_glasses(view, whole, points, rng)
            return drawn, ~left
        if kind < 0.4:
            drawn, left = draw_fringe(view, whole, points, rng)
            return drawn, ~left
        shape = blob(points, rng)
        texture = _texture(view, points, photos, scenes, rng)
        shade = cv2.GaussianBlur(shape.astype(np.float32), (0, 0), rng.uniform(2, 6))
        dark = view * (1 - rng.uniform(0, 0.5) * shade[..., None])
        share = cv2.GaussianBlur(shape.astype(np.float32), (0, 0), rng.uniform(0.4, 1.2))[..., None]
        return np.asarray(dark + share * (texture - dark)).clip(0, 255).astype(np.uint8), shape

    return paint


def _texture(
    view: U8, points: F32, photos: list[ImageSample], scenes: list[U8], rng: np.random.Generator
) -> Array:
    """What a thing looks like. [S, S, 3]"""
    kind = rng.random()
    if kind < 0.35:
        scene = scenes[rng.integers(len(scenes))]
    elif kind < 0.6:
        scene = photos[rng.integers(len(photos))].image
    else:  # paint, or the skin of a cheek: a hand
        middle = points[[2, 14, 30]][rng.integers(3)].astype(int).clip(4, VIEW_PX - 5)
        skin = view[middle[1] - 3 : middle[1] + 4, middle[0] - 3 : middle[0] + 4].mean(axis=(0, 1))
        color = skin * rng.uniform(0.7, 1.25) if kind < 0.8 else rng.uniform(0, 255, 3) * rng.random()
        soft = rng.normal(0, 1, (4, 4)).astype(np.float32)
        shade = cv2.resize(soft, (VIEW_PX, VIEW_PX), interpolation=cv2.INTER_CUBIC)
        return color * np.exp(rng.uniform(0, 0.3) * shade)[..., None]
    side = int(scene.shape[0] * rng.uniform(0.1, 0.6))
    x, y = (int(rng.integers(0, length - side + 1)) for length in (scene.shape[1], scene.shape[0]))
    part = cv2.resize(scene[y : y + side, x : x + side], (VIEW_PX, VIEW_PX), interpolation=cv2.INTER_LINEAR)
    return part * rng.uniform(0.4, 1.4)


def sample(photo: ImageSample, draw: Draw | None, rng: np.random.Generator) -> tuple[U8, F32, Bools]:
    """A face as the network sees it, the covered share of each cell, and which cells are face.

    Args:
        photo: With its points.
        draw: Lays something over most of them; None for nothing.
        rng: The sample's own generator.
    """
    assert photo.landmarks is not None, "the set has points"
    low, high = photo.landmarks.min(axis=0), photo.landmarks.max(axis=0)
    size = float((high - low).max())
    middle = (low + high) / 2 + rng.normal(0, 0.03, 2) * size
    side, turn_deg = FRAME_SCALE * size * float(np.exp(rng.normal(0, 0.06))), float(rng.normal(0, 6))
    back = square_matrix(middle, side, turn_deg, VIEW_PX)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    view = cv2.warpAffine(photo.image, back, (VIEW_PX, VIEW_PX), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    inverse = cv2.invertAffineTransform(back)
    points = (photo.landmarks @ inverse[:, :2].T + inverse[:, 2]).astype(np.float32)
    hull, covered = hull_mask(points, VIEW_PX, VIEW_PX), np.zeros((VIEW_PX, VIEW_PX), bool)
    if draw is not None and rng.random() > BARE:
        view, covered = draw(np.ascontiguousarray(view), points, rng)
    if rng.random() < 0.5:
        view, hull, covered = view[:, ::-1], hull[:, ::-1], covered[:, ::-1]
    small = cv2.resize(np.ascontiguousarray(view), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    light = (small / 255.0) ** float(np.exp(rng.normal(0, 0.3))) * rng.uniform(0.6, 1.3)
    if rng.random() < 0.25:
        light = np.repeat(light.mean(axis=-1, keepdims=True), 3, axis=-1)
    if rng.random() < 0.3:
        light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.4, 1.2))
    light = light + rng.normal(0, rng.uniform(0, 0.04), light.shape)
    grid = (CELLS, CELLS)
    shares = [cv2.resize(m.astype(np.float32), grid, interpolation=cv2.INTER_AREA) for m in (covered, hull)]
    return np.clip(255 * light, 0, 255).astype(np.uint8), shares[0], np.asarray(shares[1] > 0.5)


def batch(shown: list[tuple[U8, F32, Bools]]) -> tuple[Tensor, Tensor, Tensor]:
    """Samples as tensors."""
    views, covered, hulls = (np.stack(part) for part in zip(*shown, strict=True))
    return as_tensor(list(views)), torch.from_numpy(covered)[:, None], torch.from_numpy(hulls)[:, None]


def figures(model: CoverNet, photos: list[ImageSample], draw: Draw) -> str:
    """On photos that were never trained on: shares told and true, and how they rank."""
    rng = np.random.default_rng(5)
    pictures, covered, hulls = batch([sample(photo, draw, rng) for photo in photos for _ in range(2)])
    found = told_by(model, pictures) > 0
    told = _shares(found, hulls)
    true = _shares(covered, hulls)
    both = (found & (covered > 0.5) & hulls).sum() / ((found | (covered > 0.5)) & hulls).sum()
    is_bare, is_covered = true == 0, true > 0.1
    limits = " ".join(
        f"{limit:g}: {100 * (told[is_covered] > limit).mean():.0f}/{100 * (told[is_bare] > limit).mean():.1f}"
        for limit in (0.02, 0.05, 0.08)
    )
    return f"overlap {both:.3f}; % of covered/bare told at {limits}"


def own_cover(model: CoverNet, photos: list[ImageSample]) -> Array:
    """What the network takes for covered of photos as they are, in shares of the face. [N]"""
    rng = np.random.default_rng(6)
    pictures, _, hulls = batch([sample(photo, None, rng) for photo in photos])
    return _shares(told_by(model, pictures) > 0, hulls)


def eye_light(photo: ImageSample) -> float:
    """How light the region of the darker eye is, beside the nose and the cheeks."""
    points = photo.landmarks
    assert points is not None, "the set has points"
    lightness = cv2.cvtColor(photo.image, cv2.COLOR_RGB2LAB)[..., 0]
    middles = [points[36:42].mean(axis=0), points[42:48].mean(axis=0)]
    reach = max(4, int(0.4 * np.linalg.norm(points[39] - points[36])))
    bare = [points[29], (points[31] + points[2]) / 2, (points[35] + points[14]) / 2]
    eyes, skin = (
        [
            np.median(lightness[max(y - r, 0) : y + r + 1, max(x - r, 0) : x + r + 1])
            for x, y in np.int32(at).clip(0)
        ]
        for at, r in ((middles, reach), (bare, 2))
    )
    return float(max(eyes) / max(np.median(skin), 1.0))


def _shares(cells: Tensor, hulls: Tensor) -> Array:
    """Share of each face that cells [B, 1, C, C] make up. [B]"""
    return np.asarray((cells * hulls).sum((1, 2, 3)) / hulls.sum((1, 2, 3)))


def train(options: argparse.Namespace) -> CoverNet:
    """Train on nine of ten photos."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    data = Dataset[ImageSample](options.photos)
    photos = [data.sample(i) for i in range(len(data))]
    held, learnt = photos[::10], [photo for k, photo in enumerate(photos) if k % 10]
    # dark glasses of the photos themselves, which nobody has marked
    lights = [eye_light(photo) for photo in learnt]
    darkest = np.quantile(lights, DARK_EYES)
    learnt = [photo for photo, light in zip(learnt, lights, strict=True) if light > darkest]
    scenes = list(panoramas(options.empty))
    draw, drawn_held = painter(learnt, scenes[1:]), painter(held, scenes[:1])
    model = CoverNet().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, options.batches, pct_start=0.1)
    rng, started = np.random.default_rng(0), time.monotonic()
    for step in range(options.batches):
        if step == options.batches // 2:  # the same of hands and hats
            learnt = [
                photo for photo, share in zip(learnt, own_cover(model, learnt), strict=True) if share < CLEAN
            ]
        chosen = rng.integers(len(learnt), size=BATCH)
        pictures, covered, hulls = batch([sample(learnt[i], draw, rng) for i in chosen])
        each = nn.functional.binary_cross_entropy_with_logits(model(pictures), covered, reduction="none")
        loss = each[hulls].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % 500 == 0:
            seconds = time.monotonic() - started
            sys.stderr.write(
                f"{step + 1} {seconds:.0f} s  loss {loss.item():.4f}  {figures(model, held, drawn_held)}\n"
            )
    return model


def main() -> None:
    """Train, and write the ONNX file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--empty", type=Path, required=True)
    parser.add_argument("--batches", type=int, default=4000)
    options = parser.parse_args()
    write_onnx(train(options), options.out, SIDE_PX, "covered")


if __name__ == "__main__":
    main()
