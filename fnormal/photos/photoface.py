"""Photoface: four photos a session, one a light, and the normals that they give."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from fnormal.arrays import F32, U8
from fnormal.config import PHOTOFACE_TEST_SUBJECTS, PHOTOFACE_TRAIN_SUBJECTS
from fnormal.errors import FNormalError
from fnormal.faces.ladder import find_upright_faces
from fnormal.files.opening import LIGHTS, MATLAB, decoding, read_bytes, read_matlab
from fnormal.geometry.normals import from_frame, unit
from fnormal.geometry.picturefile import read_image
from fnormal.options.data import Split
from fnormal.photos.photo import Photo
from fnormal.photos.stereo import directions, photometric_stereo

AXES = "x,-y,z"  # y points down in the one packaging that is known
POINTS = (
    "left outer eye", "left inner eye", "middle of forehead", "right inner eye", "right outer eye",
    "left of nose", "tip of nose", "right of nose", "left of mouth", "right of mouth", "chin",
)  # fmt: skip
ATTRIBUTES = (
    "sex", "glasses", "facial hair", "pose", "quality", "occlusion", "expression", "extras"
)  # fmt: skip
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?")
_SESSION = re.compile(r"^\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d$")


@dataclass(frozen=True)
class Metadata:
    """What the database's two text files say of a session.

    Attributes:
        points: The eleven of ``POINTS``, in pixels, y down. [11, 2] or None
        attributes: Values of ``ATTRIBUTES``, as far as there are.
    """

    points: F32 | None
    attributes: dict[str, str]


class Photoface:
    """Sessions ``<subject>/<time>/`` under a folder, sorted; four photos share one normal map.

    Args:
        source: ``PhotofaceDB``.
        licence: Licence of the photos.
        limit: The most sessions to read.
        split: ``train`` or ``test`` part of the people, in the paper's proportion, by ``seed``.
        seed: Seed of the split.
        axes: Signed permutation that takes ``sn.mat``'s axes to ours.
        lights: CSV or JSON of the four lights, where ``LightSource.m`` does not tell.

    Raises:
        FNormalError: No such folder, or no sessions in it.
    """

    has_normals = True
    left_out = ""
    photos_per_item = 4

    def __init__(
        self, source: Path, *, licence: str, limit: int | None, split: Split, seed: int, axes: str | None,
        lights: Path | None,
    ) -> None:  # fmt: skip
        self.licence = licence
        if not source.is_dir():
            raise FNormalError(f"no such folder: {source}; give the folder PhotofaceDB")
        sessions = sorted(p for p in source.rglob("*") if p.is_dir() and _SESSION.match(p.name))
        if not sessions:
            raise FNormalError(f"no sessions in {source}; they are folders such as 1001/2008-02-13_14-25-00")
        people = sorted({p.parent.name for p in sessions})
        chosen = set(split_people(people, split, seed))
        self._sessions = [p for p in sessions if p.parent.name in chosen][:limit]
        if not self._sessions:
            raise FNormalError(
                f"no sessions of split '{split}' in {source}: {len(people)} people are too few"
            )
        self._axes, self._lights = axes or AXES, lights
        self.names: Sequence[str] = [f"{p.parent.name}/{p.name}" for p in self._sessions]
        self.files: Sequence[Path] = self._sessions

    def load(self, index: int) -> list[Photo]:
        """The photos of session ``index`` with its normals: ``sn.mat``'s, else our photometric stereo's."""
        folder, name = self._sessions[index], self.names[index]
        paths = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".bmp")
        if len(paths) != self.photos_per_item:
            raise FNormalError(f"{folder} has {len(paths)} .bmp photos, not four")
        images = [read_image(path) for path in paths]
        if len({image.shape for image in images}) != 1:
            raise FNormalError(f"{folder}: its photos differ in size")
        if (folder / "sn.mat").is_file():
            normals = from_frame(read_sn(folder / "sn.mat"), self._axes)
        else:
            normals = self._stereo(folder, images)
        if normals.shape[:2] != images[0].shape[:2]:
            raise FNormalError(f"{folder}: sn.mat is {normals.shape[:2]}, the photos {images[0].shape[:2]}")
        landmarks = _find_landmarks(images, read_metadata(folder))
        subject = folder.parent.name
        return [
            Photo(subject, f"{name}/{path.name}", image, normals, landmarks)
            for path, image in zip(paths, images, strict=True)
        ]

    def _stereo(self, folder: Path, images: list[U8]) -> F32:
        lights = _read_lights(self._lights or folder / "LightSource.m")
        grey = np.stack([image.mean(axis=-1) / 255 for image in images]).astype(np.float32)
        return photometric_stereo(grey, lights)[0]


def split_people(people: Sequence[str], split: Split, seed: int) -> list[str]:
    """Part of the people; the paper's 100 test people are unknown, so they are drawn by ``seed``.

    Of 453 people 353 train and 100 test; other numbers are cut in the same proportion.
    """
    if split == "all":
        return list(people)
    total = PHOTOFACE_TRAIN_SUBJECTS + PHOTOFACE_TEST_SUBJECTS
    n_test = round(len(people) * PHOTOFACE_TEST_SUBJECTS / total)
    order = np.random.default_rng(np.random.SeedSequence([seed, len(people)])).permutation(len(people))
    chosen = order[:n_test] if split == "test" else order[n_test:]
    return sorted(people[i] for i in chosen)


def read_sn(path: Path) -> F32:
    """Unit normals of Matlab's ``sn.mat`` in its own axes: px, py and, where it is there, pz. [H, W, 3]"""
    arrays = read_matlab(path, MATLAB)
    missing = [key for key in ("px", "py") if key not in arrays]
    if missing:
        raise FNormalError(f"{path} lacks {', '.join(missing)}; it has {', '.join(arrays) or 'nothing'}")
    if len({arrays[key].shape for key in ("px", "py", "pz") if key in arrays}) != 1 or arrays["px"].ndim != 2:
        raise FNormalError(f"{path}: px, py and pz must be pictures of one size")
    x, y = (np.nan_to_num(arrays[key].astype(np.float32)) for key in ("px", "py"))
    z = arrays["pz"].astype(np.float32) if "pz" in arrays else np.sqrt(np.clip(1 - x * x - y * y, 0, 1))
    normals = unit(np.stack([x, y, np.nan_to_num(z)], axis=-1))
    outside = x * x + y * y > 1.0001 if "pz" not in arrays else (x == 0) & (y == 0) & (z == 0)
    return normals * ~outside[..., None]


def read_metadata(folder: Path) -> Metadata:
    """``metadata.txt`` and ``metadataII.txt`` of a session, whatever separates their values."""
    points, attributes = None, {}
    if (path := folder / "metadata.txt").is_file():
        numbers = [
            float(n) for n in re.findall(r"-?\d+\.?\d*", read_bytes(path, LIGHTS).decode(errors="replace"))
        ]
        if len(numbers) == 2 * len(POINTS):
            points = np.array(numbers, np.float32).reshape(-1, 2)
    if (path := folder / "metadataII.txt").is_file():
        values = [v for v in re.split(r"[,;\s]+", read_bytes(path, LIGHTS).decode(errors="replace")) if v]
        attributes = dict(zip(ATTRIBUTES, values, strict=False))
    return Metadata(points, attributes)


def _find_landmarks(images: list[U8], metadata: Metadata) -> F32 | None:
    """The 68 points on the mean of the photos, which has no shadows; else the database's eleven."""
    mean = np.mean(np.stack(images).astype(np.float32), axis=0)
    bright = np.clip(mean * (200 / max(float(np.percentile(mean, 99)), 1.0)), 0, 255).astype(np.uint8)
    faces = find_upright_faces(bright)
    return faces[0].landmarks if faces else metadata.points


@lru_cache(maxsize=4)
def _read_lights(path: Path) -> F32:
    return read_lights(path)


def read_lights(path: Path) -> F32:
    """Unit vectors toward the four lights from zenith and azimuth in degrees. [4, 3]

    ``.json``: ``{"zenith": [4 numbers], "azimuth": [4 numbers]}``; ``.csv``: rows ``zenith,azimuth``;
    ``LightSource.m``: assignments whose names start with zen and az, or eight numbers, row by row.
    Angles that are all below 2 pi are taken for radians in a ``.m`` file.

    Raises:
        FNormalError: Missing, or not four angles of each kind.
    """
    if not path.exists():
        raise FNormalError(f"no lights: {path} is missing; {LIGHTS.remedy}")
    data = read_bytes(path, LIGHTS)
    with decoding(path, LIGHTS):
        text = data.decode(errors="replace")
        if path.suffix.lower() == ".json":
            value = json.loads(text)
            zenith, azimuth = value["zenith"], value["azimuth"]
        elif path.suffix.lower() == ".m":
            zenith, azimuth = _parse_matlab(text)
        else:
            lines = [re.split(r"[,;\s]+", line.strip()) for line in text.splitlines() if line.strip()]
            rows = [[float(v) for v in line] for line in lines if re.match(r"^[-+.\d]", line[0])]
            zenith, azimuth = zip(*rows, strict=True)
        angles = np.array([zenith, azimuth], np.float32)
    if angles.shape != (2, 4) or not np.isfinite(angles).all():
        raise FNormalError(f"{path} tells {angles.shape[-1]} lights, not four; give --lights, a CSV or JSON")
    return directions(*angles)


def _statements(code: str) -> list[str]:
    """What semicolons and ends of lines separate outside of brackets."""
    statements, start, inside = [], 0, False
    for place, sign in enumerate(code):
        if sign in "[]":
            inside = sign == "["
        elif sign in ";\n" and not inside:
            statements.append(code[start:place])
            start = place + 1
    return [*statements, code[start:]]


def _parse_matlab(text: str) -> tuple[list[float], list[float]]:
    """Zenith and azimuth in degrees of a script whose exact syntax nobody documents."""
    parts: dict[str, list[float]] = {"zen": [], "az": []}
    code = "\n".join(line.partition("%")[0] for line in text.splitlines())
    for statement in _statements(code):
        name, _, value = statement.partition("=")
        for key, angles in parts.items():
            if key in name.lower():
                angles += [float(n) for n in _NUMBER.findall(value)]
    zenith, azimuth = parts["zen"], parts["az"]
    if not zenith and not azimuth:
        numbers = [float(n) for n in _NUMBER.findall(code)]
        zenith, azimuth = numbers[0::2], numbers[1::2]
    if zenith and azimuth and max(map(abs, zenith + azimuth)) <= 2 * np.pi:
        zenith, azimuth = [float(np.degrees(v)) for v in zenith], [float(np.degrees(v)) for v in azimuth]
    return zenith, azimuth
