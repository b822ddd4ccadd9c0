"""What chance does to a training sample: mirroring, turning, and what cameras do to a picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fnormal.arrays import F32, U8, Bools
from fnormal.datasets.sample import AnySample, ImageSample, NormalsSample
from fnormal.faces.masks import hull_mask
from fnormal.geometry.images import resize_image
from fnormal.geometry.mirror import mirror_image, mirror_normals
from fnormal.geometry.normals import turned_in_plane, unit
from fnormal.geometry.showing import shown


def augment_sample(
    sample: AnySample, rng: np.random.Generator, rotate_deg: float = 0.0, hull_share: float = 0.0
) -> AnySample:
    """Mirror a sample half of the time, turn it by up to +- ``rotate_deg``, change its picture's light.

    A share of them keeps the part of the mask inside the hull of the landmarks, where those are known.
    The result has no landmarks.
    """
    mask = sample.mask
    image = sample.image if isinstance(sample, ImageSample) else None
    normals = sample.normals if isinstance(sample, NormalsSample) else None
    if hull_share and rng.random() < hull_share:
        mask = _inside_hull(mask, sample.known_landmarks)
    if rng.random() < 0.5:
        mask = mirror_image(mask)
        normals = None if normals is None else mirror_normals(normals)
        image = None if image is None else mirror_image(image)
    if rotate_deg:
        angle_deg = rng.uniform(-rotate_deg, rotate_deg)
        image, normals, mask = rotate_in_plane(image, normals, mask, angle_deg)
    if image is not None:
        image = photometric(image, rng)
    arrays = {"image": image, "normals": normals}
    changed: dict[str, Any] = {name: array for name, array in arrays.items() if array is not None}
    return replace(sample, mask=mask, landmarks=None, **changed)


def as_shown(image: U8) -> U8:
    """A picture [S, S, 3] as networks are shown those of data sets, levelled by the light in its middle."""
    return np.rint(255 * shown(image.astype(np.float32) / np.float32(255))).astype(np.uint8)


def _inside_hull(mask: Bools, points: F32 | None) -> Bools:
    """The part of a mask in the hull; all of it where landmarks are unknown or lie elsewhere."""
    if points is None:
        return mask
    inside = mask & hull_mask(points, *mask.shape)
    return inside if inside.any() else mask


def rotate_in_plane(
    image: U8 | None, normals: F32 | None, mask: Bools, angle_deg: float
) -> tuple[U8 | None, F32 | None, Bools]:
    """Turn a sample about the viewer's direction, counter-clockwise; its normals turn with it.

    Args:
        image: RGB [S, S, 3]; what comes in at the corners repeats the border.
        normals: Unit. [S, S, 3]
        mask: What comes in is outside it. [S, S]
        angle_deg: Angle of the turn.
    """
    import cv2

    side = mask.shape[0]
    turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle_deg, 1.0)
    if image is not None:
        image = cv2.warpAffine(image, turn, (side, side), borderMode=cv2.BORDER_REPLICATE)
    kept = cv2.warpAffine(mask.astype(np.uint8), turn, (side, side), flags=cv2.INTER_NEAREST) > 0
    if normals is not None:
        moved = unit(cv2.warpAffine(np.asarray(normals, np.float32), turn, (side, side)))
        moved = turned_in_plane(moved, -np.radians(angle_deg))
        kept &= moved.any(axis=-1)
        normals = moved * kept[..., None]
    return image, normals, np.asarray(kept)


def photometric(image: U8, rng: np.random.Generator) -> U8:
    """Exposure, contrast, gamma, colour cast, blur, grain and grey, each with some chance.

    Args:
        image: RGB. [S, S, 3]
        rng: The sample's own generator.
    """
    import cv2

    gamma = np.exp(rng.uniform(-0.35, 0.35))
    gain = rng.uniform(0.75, 1.25) * (1 + rng.uniform(-0.08, 0.08, 3))
    table = (np.arange(256) / 255)[:, None] ** gamma * gain  # what each of 256 codes becomes, by channel
    changed: F32 = cv2.LUT(image, table[None].astype(np.float32))
    mean = changed.mean()
    changed = mean + (changed - mean) * np.float32(rng.uniform(0.75, 1.2))
    if rng.random() < 0.15:
        changed = changed.mean(axis=2, keepdims=True).repeat(3, axis=2)
    if rng.random() < 0.3:
        side = image.shape[0]
        small = max(16, int(side * rng.uniform(0.35, 0.9)))
        changed = resize_image(resize_image(changed, small), side)
    if rng.random() < 0.5:
        grain = rng.standard_normal(image.shape, np.float32)
        changed = changed + np.float32(rng.uniform(0, 0.04)) * grain
    return np.rint(255 * np.clip(changed, 0, 1)).astype(np.uint8)
