"""What a training sample goes through: resizing, mirroring, and what cameras do to a picture."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F32, U8, Array, Bools
from fnormal.geometry.images import resize_image
from fnormal.geometry.normals import unit


def resize_normals(normals: F32, mask: Bools, size_px: int) -> tuple[F32, Bools]:
    """Resize normals [S, S, 3] inside a mask [S, S] without blending in the background's zeros."""
    if normals.shape[0] == size_px:
        return normals, mask
    total = resize_image(normals * mask[..., None], size_px)
    kept = resize_mask(mask, size_px)
    return unit(total) * kept[..., None], kept


def resize_mask(mask: Bools, size_px: int) -> Bools:
    """Resize a mask [S, S]: a pixel is in where more than half of it was."""
    return np.asarray(resize_image(mask.astype(np.float32), size_px) > 0.5)


def mirror_image(image: Array) -> Array:
    """Left-right mirror of [H, W, ...]."""
    return np.ascontiguousarray(image[:, ::-1])


def mirror_normals(normals: Array) -> Array:
    """Left-right mirror of a normal map [H, W, 3]: the x components change sign too."""
    mirrored = mirror_image(normals)
    np.negative(mirrored[..., 0], out=mirrored[..., 0])
    return mirrored


def rotate_in_plane(
    image: U8 | None, normals: F32 | None, mask: Bools, angle_deg: float
) -> tuple[U8 | None, F32 | None, Bools]:
    """Turn a sample about the viewer's direction, counter-clockwise; its normals turn with it.

    Args:
        image: RGB [S, S, 3]; what comes in at the corners repeats the border.
        normals: Unit. [S, S, 3]
        mask: What comes in is outside it. [S, S]
        angle_deg: Of the turn.
    """
    import cv2

    side = mask.shape[0]
    turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle_deg, 1.0)
    if image is not None:
        image = cv2.warpAffine(image, turn, (side, side), borderMode=cv2.BORDER_REPLICATE)
    kept = cv2.warpAffine(mask.astype(np.uint8), turn, (side, side), flags=cv2.INTER_NEAREST) > 0
    if normals is not None:
        moved = unit(cv2.warpAffine(np.asarray(normals, np.float32), turn, (side, side)))
        cosine, sine = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
        x, y = moved[..., 0].copy(), moved[..., 1].copy()
        moved[..., 0], moved[..., 1] = cosine * x - sine * y, sine * x + cosine * y
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
