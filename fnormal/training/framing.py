"""A sample cut anew: another frame around the face, another border, another transfer curve.

The answer of a network that only ever saw the paper's crop depends on the frame around the face. Samples for
this are stored wider than the crop (``render-dataset --crop-jitter 0.9``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fnormal.arrays import F32, F64, U8, Bools
from fnormal.config import CROP_SCALE
from fnormal.datasets.sample import AnySample, ImageSample, NormalsSample
from fnormal.faces.crop import out_of_view
from fnormal.geometry.normals import turned_in_plane, unit

_SCALES = (0.8, 2.2)  # side of the new frame / larger side of the landmarks' box
_SHIFT = 0.25  # largest shift of its middle / its side
_TURN_DEG, _ANY_TURN_SHARE = 30.0, 0.05  # usual turns in the plane; share of samples with any turn at all
_UPRIGHT_SHARE = 0.4  # of the samples that are not turned
_GAMMAS, _GAMMA_SHARE, _GREY_SHARE = (0.5, 2.6), 0.4, 0.15
_USUAL_STRETCH, _USUAL_SHIFT, _USUAL_TURN_DEG = 0.06, 0.03, 5.0  # of the paper's crop, by the points' noise
_BORDERS = ("black", "grey", "edge", "mirror", "wrap")


def reframe(sample: AnySample, size_px: int, rng: np.random.Generator) -> AnySample:
    """A sample in a random frame around its landmarks, at another size; normals turn with the picture.

    Args:
        sample: Its landmarks are known; what lies outside of it is filled by a random kind of border and is
            outside of the new mask.
        size_px: Side of the new frame in pixels.
        rng: The sample's own generator.
    """
    scale = float(np.exp(rng.uniform(*np.log(_SCALES))))
    return _cut_sample(sample, size_px, scale, _SHIFT, _sample_turn_deg(rng), rng)


def frame_usual(sample: AnySample, size_px: int, rng: np.random.Generator) -> AnySample:
    """A sample in the paper's crop (4.1), within the noise of detected points. Args: as :func:`reframe`."""
    scale = CROP_SCALE * float(np.exp(rng.uniform(-_USUAL_STRETCH, _USUAL_STRETCH)))
    turn_deg = float(rng.uniform(-_USUAL_TURN_DEG, _USUAL_TURN_DEG))
    return _cut_sample(sample, size_px, scale, _USUAL_SHIFT, turn_deg, rng)


def _cut_sample(
    sample: AnySample, size_px: int, scale: float, shift: float, turn_deg: float, rng: np.random.Generator
) -> AnySample:
    """A sample in a frame of ``scale`` times its landmarks' box, moved by up to ``shift`` of its own side."""
    assert sample.landmarks is not None, "the caller looked"
    low, high = sample.landmarks.min(axis=0), sample.landmarks.max(axis=0)
    side = scale * float((high - low).max())
    middle = (low + high) / 2 + rng.uniform(-shift, shift, 2) * side
    angle_rad = np.radians(turn_deg)
    to_source = _frame_matrix(middle, side / size_px, angle_rad, size_px)
    border = str(rng.choice(_BORDERS))
    mask, changed = _cut_mask(sample.mask, to_source, size_px), dict[str, Any]()
    if isinstance(sample, NormalsSample):
        normals, mask = _cut_normals(sample.normals, sample.mask, mask, to_source, size_px)
        changed["normals"] = turned_in_plane(normals, -angle_rad).astype(np.float16)
    if isinstance(sample, ImageSample):
        grey = int(rng.integers(256)) if border == "grey" else 0
        changed["image"] = _transfer(_cut_image(sample.image, to_source, size_px, border, grey), rng)
    back = np.linalg.inv(np.vstack([to_source, [0, 0, 1]]))[:2]
    points = out_of_view(sample.landmarks, back)
    return replace(sample, mask=mask, landmarks=points, **changed)


def cut_square(image: U8, points: F32, scale: float, size_px: int) -> tuple[U8, F32]:
    """The upright square around landmarks, ``scale`` times their box, and the landmarks in it."""
    low, high = points.min(axis=0), points.max(axis=0)
    per_px = scale * float((high - low).max()) / size_px
    to_source = _frame_matrix((low + high) / 2, per_px, 0.0, size_px)
    cut = _cut_image(image, to_source, size_px, "edge")
    return cut, np.asarray((points - to_source[:, 2]) / per_px, np.float32)


def _sample_turn_deg(rng: np.random.Generator) -> float:
    """Angle of a counter-clockwise turn of what is seen."""
    kind = rng.random()
    if kind < _UPRIGHT_SHARE:
        return 0.0
    limit = 180.0 if kind > 1 - _ANY_TURN_SHARE else _TURN_DEG
    return float(rng.uniform(-limit, limit))


def _frame_matrix(middle: F32, scale: float, angle_rad: float, size_px: int) -> F64:
    """New pixels to old ones, y down. [2, 3]"""
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    # what is seen turns counter-clockwise, so the frame turns clockwise on it
    turn = scale * np.array([[cosine, -sine], [sine, cosine]])
    centre = np.full(2, (size_px - 1) / 2)
    return np.column_stack([turn, middle - turn @ centre]).astype(np.float64)


def _shrunk(picture: Any, to_source: F64) -> tuple[Any, F64]:
    """A picture about as fine as the new frame, by the mean where pixels get lost; the matrix to it."""
    import cv2

    factor = float(np.linalg.norm(to_source[:, 0]))
    if factor < 1.3:
        return picture, to_source
    side = max(8, round(picture.shape[0] / factor))
    ratio = side / picture.shape[0]
    smaller = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    matrix = ratio * to_source
    matrix[:, 2] += 0.5 * ratio - 0.5  # pixel centres have integer coordinates
    return smaller, matrix


def _cut(picture: Any, to_source: F64, size_px: int, **border: Any) -> Any:
    import cv2

    smaller, matrix = _shrunk(picture, to_source)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(smaller, matrix, (size_px, size_px), flags=flags, **border)


def _cut_mask(mask: Bools, to_source: F64, size_px: int) -> Bools:
    return np.asarray(_cut(mask.astype(np.float32), to_source, size_px) > 0.5)


def _cut_normals(
    normals: Any, mask: Bools, cut_mask: Bools, to_source: F64, size_px: int
) -> tuple[F32, Bools]:
    """Normals in the new frame, without blending in the background's zeros; they are not turned yet."""
    total = _cut(np.asarray(normals * mask[..., None], np.float32), to_source, size_px)
    kept = cut_mask & (np.linalg.norm(total, axis=-1) > 1e-3)
    return unit(total, kept), kept


def _cut_image(image: U8, to_source: F64, size_px: int, border: str, grey: int = 0) -> U8:
    import cv2

    modes = {"edge": cv2.BORDER_REPLICATE, "mirror": cv2.BORDER_REFLECT_101, "wrap": cv2.BORDER_WRAP}
    mode = modes.get(border, cv2.BORDER_CONSTANT)
    return np.asarray(_cut(image, to_source, size_px, borderMode=mode, borderValue=(grey, grey, grey)))


def _transfer(image: U8, rng: np.random.Generator) -> U8:
    """Other curves than sRGB, linear pixels among them; grey."""
    if rng.random() < _GAMMA_SHARE:
        gamma = float(np.exp(rng.uniform(*np.log(_GAMMAS))))
        image = np.rint(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)[image]
    if rng.random() < _GREY_SHARE:
        image = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    return image
