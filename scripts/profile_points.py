r"""The network that knows the 68 points of profiles, and what is no face: trains it and writes an ONNX file.

    python scripts/profile_points.py heads.npz fnormal/data/profile_points.onnx --photos portraits.h5 \
        --empty HDRI

FaceMesh, which finds the points of most faces, does not know profiles, and BlazeFace is hardly sure of them.
This network is small (64 px, 0.8 M weights). It learns from rendered heads at every yaw (profile_views.py),
under hair, hands and glasses that are drawn over them, and from photos of faces that look at us. No face is
what lies beside the faces of those photos, heads from behind, and panoramas, most of all what BlazeFace takes
for faces there. Every third panorama is kept for the figures that it tells.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from small_network import as_tensor, conv, levelled, panoramas, told_by, write_onnx
from torch import Tensor, nn

from fnormal.arrays import F32, U8, Array, Bools
from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.sample import ImageSample
from fnormal.enhancement.match import MIRROR_68
from fnormal.faces import blazeface
from fnormal.faces.crop import square_matrix
from fnormal.faces.headpose import yaw_of
from fnormal.faces.profile import FRAME_SCALE, SIDE_PX

BATCH, NO_FACES = 48, 32  # faces of a batch, and what is none
PHOTO_SHARE = 0.3  # of the faces
PHOTO_DEG = 35.0  # yaw beyond which FaceMesh's points of photos are not believed
FACE_WEIGHT = 0.05  # of telling faces from no faces, beside points in shares of the side
UNSURE = 0.1  # of BlazeFace: candidates from here on are looked at
SURE = 0.97  # of this network: what counts as told for a face in the figures


@dataclass(frozen=True)
class Views:
    """Pictures of heads and their points.

    Attributes:
        picture: RGB. [N, S, S, 3]
        points: [N, 68, 2]
        yaw_deg: From 0, looking at us, on. [N]
        held: Which are kept for the figures. [N]
    """

    picture: U8
    points: F32
    yaw_deg: F32
    held: Bools


class ProfileNet(nn.Module):
    """Pictures [B, 3, 64, 64] in 0..1 -> what they show. [B, 137]

    The 68 points in shares of the side, 0 in the middle, and whether that is a face, as a logit.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width, stride in ((24, 2), (48, 2), (48, 1), (96, 2), (96, 1), (128, 2), (128, 1)):
            layers += conv(before, width, stride)
            before = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(128 * 16, 192), nn.ReLU(), nn.Linear(192, 137))

    def forward(self, picture: Tensor) -> Tensor:
        """See the class."""
        told: Tensor = self.head(self.body(levelled(picture)))
        return told


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
    part = cut(picture, back)
    inverse = cv2.invertAffineTransform(back)
    flat = points @ inverse[:, :2].T + inverse[:, 2]
    target = ((flat + 0.5) / SIDE_PX - 0.5).astype(np.float32)
    return part if exact else damaged(part, rng), target


def cut(picture: U8, back: Array) -> U8:
    """The part of a picture that a frame [2, 3] shows. [64, 64, 3]"""
    finer = np.linalg.norm(back[:, 0])
    if finer > 2:  # of a large part no pixel is left out
        picture = cv2.resize(picture, None, fx=1 / finer, fy=1 / finer, interpolation=cv2.INTER_AREA)
        back = back / finer
    size, flags = (SIDE_PX, SIDE_PX), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    picture = np.ascontiguousarray(picture)
    return np.asarray(cv2.warpAffine(picture, back, size, flags=flags, borderMode=cv2.BORDER_REPLICATE))


def damaged(part: U8, rng: np.random.Generator) -> U8:
    """Other exposure, colours, blur and grain."""
    light = part.astype(np.float32) / 255
    light = np.clip(light, 0, 1) ** float(np.exp(rng.normal(0, 0.35))) * rng.uniform(0.5, 1.3)
    light = light * rng.uniform(0.85, 1.15, 3)
    if rng.random() < 0.3:
        light = np.repeat(light.mean(axis=-1, keepdims=True), 3, axis=-1)
    if rng.random() < 0.3:
        light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.4, 1.6))
    light = light + rng.normal(0, rng.uniform(0, 0.05), light.shape)
    return np.asarray(np.clip(255 * light, 0, 255), np.uint8)


def some_square(side_px: int, rng: np.random.Generator, least: float, most: float) -> tuple[Array, float]:
    """Middle and side of a random square in a picture of ``side_px``, of these shares of it."""
    side = side_px * float(np.exp(rng.uniform(np.log(least), np.log(most))))
    return rng.uniform(side / 2, side_px - side / 2, 2), side


def beside_face(picture: U8, points: F32, rng: np.random.Generator) -> U8 | None:
    """A part of a photo [64, 64, 3] beside its face, or too small a part of the face; None in vain."""
    low, high = points.min(axis=0), points.max(axis=0)
    for _ in range(8):
        middle, side = some_square(picture.shape[0], rng, 0.1, 0.6)
        shared = np.clip(np.minimum(high, middle + side / 2) - np.maximum(low, middle - side / 2), 0, None)
        if shared.prod() < 0.25 * (high - low).prod():
            return cut(picture, square_matrix(middle, side, rng.normal(0, 25), SIDE_PX))
    return None


def taken_for_faces(picture: U8, rng: np.random.Generator, looks: int = 120) -> list[U8]:
    """What BlazeFace takes for a face, surely or not, in parts of a picture without one. [64, 64, 3]"""
    found = []
    for _ in range(looks):
        middle, side = some_square(picture.shape[0], rng, 0.15, 1.0)
        x, y, size = (int(v) for v in (middle[0] - side / 2, middle[1] - side / 2, side))
        x += int(rng.integers(0, picture.shape[1] - picture.shape[0] + 1))
        part = np.ascontiguousarray(picture[y : y + size, x : x + size])
        for kind in (blazeface.SHORT_RANGE, blazeface.FULL_RANGE):
            for candidate in blazeface.detect(part, kind, least_score=UNSURE):
                low, high = np.array(candidate.box[:2]), np.array(candidate.box[2:])
                frame = square_matrix((low + high) / 2, FRAME_SCALE * candidate.width_px, 0.0, SIDE_PX)
                found.append(cut(part, frame))
    return found


def no_faces(
    heads: Views, photos: Views, wrong: list[U8], scenes: list[U8]
) -> Callable[[np.random.Generator], U8]:
    """What gives a picture [64, 64, 3] that shows no face."""
    behind = np.flatnonzero((heads.yaw_deg > 110) & ~heads.held)
    learnt = np.flatnonzero(~photos.held)

    def one(rng: np.random.Generator) -> U8:
        kind, part = rng.random(), None
        if kind < 0.2:
            i = rng.choice(behind)
            part = sample(heads.picture[i], heads.points[i], rng)[0]
        elif kind < 0.5:
            i = rng.choice(learnt)
            part = beside_face(photos.picture[i], photos.points[i], rng)
        elif kind < 0.8 and wrong:
            part = wrong[rng.integers(len(wrong))]
        if part is None:
            scene = scenes[rng.integers(len(scenes))]
            middle, side = some_square(scene.shape[0], rng, 0.05, 0.8)
            middle[0] += rng.integers(scene.shape[1] - scene.shape[0] + 1)
            part = cut(scene, square_matrix(middle, side, 0.0, SIDE_PX))
        part = part[:, ::-1] if rng.random() < 0.5 else part
        return damaged(part, rng)

    return one


def train(options: argparse.Namespace) -> ProfileNet:
    """Train on nine of ten heads and two of three panoramas, telling the figures on the others."""
    heads, photos = of_heads(options.views), of_photos(options.photos)
    rng, started = np.random.default_rng(0), time.monotonic()
    scenes = list(panoramas(options.empty))
    wrong = [taken_for_faces(scene, rng) for scene in scenes]
    sys.stderr.write(f"{sum(map(len, wrong))} parts of {len(scenes)} panoramas are taken for faces\n")
    kept = [part for parts in wrong[::3] for part in parts]
    learnt = [part for k, parts in enumerate(wrong) if k % 3 for part in parts]
    nothing = no_faces(heads, photos, learnt, [scene for k, scene in enumerate(scenes) if k % 3])
    chances = [
        np.where(v.held | (v.yaw_deg > limit), 0.0, np.where(v.yaw_deg > 35, 1.0, 0.5))
        for v, limit in ((heads, 110.0), (photos, PHOTO_DEG))
    ]
    chances = [chance / chance.sum() for chance in chances]
    model = ProfileNet().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, options.batches, pct_start=0.1)
    is_face = torch.cat([torch.ones(BATCH), torch.zeros(NO_FACES)])
    for step in range(options.batches):
        shown = []
        for _ in range(BATCH):
            which = int(rng.random() < PHOTO_SHARE)
            views = (heads, photos)[which]
            i = rng.choice(len(chances[which]), p=chances[which])
            shown.append(sample(views.picture[i], views.points[i], rng))
        told = model(as_tensor([part for part, _ in shown] + [nothing(rng) for _ in range(NO_FACES)]))
        targets = torch.from_numpy(np.stack([target for _, target in shown])).reshape(BATCH, 136)
        points = (told[:BATCH, :136] - targets).abs().mean()
        faces = nn.functional.binary_cross_entropy_with_logits(told[:, 136], is_face)
        optimizer.zero_grad()
        (points + FACE_WEIGHT * faces).backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % 500 == 0:
            told_now = " ".join([*errors(model, heads), *shares(model, heads, photos, kept)])
            seconds = time.monotonic() - started
            sys.stderr.write(f"{step + 1} {seconds:.0f} s  loss {points.item():.4f}  {told_now}\n")
    return model


def of_heads(path: Path) -> Views:
    """Rendered views; every tenth head is held."""
    data = np.load(path)
    number = np.array([int(name.rsplit("-", 1)[1]) for name in data["person"]])
    return Views(data["picture"], data["points"], np.abs(data["yaw"]), number % 10 == 0)


def of_photos(path: Path) -> Views:
    """Photos of an imported set; every tenth is held."""
    data = Dataset[ImageSample](path)
    samples = [data.sample(i) for i in range(len(data))]
    points = np.stack([np.asarray(s.landmarks, np.float32) for s in samples])
    yaw_deg = np.array([abs(yaw_of(p)) for p in points], np.float32)
    return Views(np.stack([s.image for s in samples]), points, yaw_deg, np.arange(len(samples)) % 10 == 0)


def told_of(model: nn.Module, views: list[U8]) -> Array:
    """What the network says of pictures. [N, 137]"""
    return np.asarray(told_by(model, as_tensor(views)))


def errors(model: nn.Module, heads: Views) -> list[str]:
    """Mean distance to the truth / size of the points' box, by yaw, in the frame that is right."""
    held = np.flatnonzero(heads.held & (heads.yaw_deg < 110))
    rng = np.random.default_rng(0)
    shown = [sample(heads.picture[i], heads.points[i], rng, exact=True) for i in held]
    found = told_of(model, [part for part, _ in shown])[:, :136].reshape(-1, 68, 2)
    off = FRAME_SCALE * np.linalg.norm(found - np.stack([t for _, t in shown]), axis=-1).mean(axis=-1)
    yaw = heads.yaw_deg[held]
    return [
        f"{low}-{low + 20}: {off[(yaw >= low) & (yaw < low + 20)].mean():.3f}" for low in range(0, 100, 20)
    ]


def shares(model: nn.Module, heads: Views, photos: Views, wrong: list[U8]) -> Iterator[str]:
    """How much of what is held is told for a face."""
    rng = np.random.default_rng(1)
    behind = heads.yaw_deg > 110
    for name, views, chosen in (
        ("heads", heads, heads.held & ~behind),
        ("photos", photos, photos.held),
        ("behind", heads, heads.held & behind),
    ):
        parts = [sample(views.picture[i], views.points[i], rng)[0] for i in np.flatnonzero(chosen)]
        yield f"{name} {_share(told_of(model, parts)):.1f} %"
    beside = [beside_face(photos.picture[i], photos.points[i], rng) for i in np.flatnonzero(photos.held)]
    yield f"beside {_share(told_of(model, [part for part in beside if part is not None])):.1f} %"
    if wrong:
        yield f"taken {_share(told_of(model, wrong)):.1f} % of {len(wrong)}"


def _share(told: Array) -> float:
    return float(100 * (told[:, 136] > np.log(SURE / (1 - SURE))).mean())


def main() -> None:
    """Train, and write the ONNX file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("views", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--empty", type=Path, required=True)
    parser.add_argument("--batches", type=int, default=6000)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    write_onnx(train(options), options.out, SIDE_PX, "told")


if __name__ == "__main__":
    main()
