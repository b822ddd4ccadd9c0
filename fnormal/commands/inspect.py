"""inspect: what a data set holds, as facts and as a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fnormal.arrays import U8
from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.sample import ImageSample, NormalsSample, Sample
from fnormal.errors import FNormalError
from fnormal.files.naming import Guard
from fnormal.geometry.images import resize_image
from fnormal.geometry.normals import encode_rgb
from fnormal.geometry.picturefile import check_picture_name, write_image
from fnormal.options.data import Inspect
from fnormal.progress import Progress, Result

_TILE_PX = 128
_MOST_READ = 200  # samples that the means are taken over


def inspect(options: Inspect) -> Iterator[Progress]:
    """Say what a set holds; write its contact sheet and its pictures where that is asked.

    Raises:
        FNormalError: The set cannot be read, or has no pictures to write.
    """
    guard = Guard([options.data])
    if options.sheet is not None:
        check_picture_name(options.sheet)
        guard.check([options.sheet])
    data = Dataset[Sample](options.data)
    facts = summary(data)
    yield Progress(results=(Result("\n".join(f"{k}\t{v}" for k, v in facts.items()), facts),))
    if options.sheet is not None:
        write_image(options.sheet, contact_sheet(data, options.count))
        yield Progress(written=(options.sheet,))
    if options.images is not None:
        yield from write_pictures(data, options.images)


def summary(data: Dataset[Sample]) -> dict[str, str | int | float]:
    """Kind, counts, means over at most ``_MOST_READ`` samples, source and licence."""
    samples = [data[i] for i in data.spread(_MOST_READ)]
    facts: dict[str, Any] = {
        "modality": data.modality, "samples": len(data), "subjects": len(set(data.subjects)),
        "sources": len(set(data.sources)), "size_px": data.size_px, "frame": data.frame,
        "mask_share": _mean([s.mask.mean() for s in samples]),
    }  # fmt: skip
    pictures = [s.image[s.mask] for s in samples if isinstance(s, ImageSample) and s.mask.any()]
    if data.modality != "normals":
        facts["brightness"] = _mean([pixels.mean() for pixels in pictures])
    if data.modality != "images":
        maps = [s.normals[s.mask] for s in samples if isinstance(s, NormalsSample)]
        normals = np.concatenate(maps).astype(np.float64)
        facts["mean_normal"] = ",".join(f"{v:.3f}" for v in normals.mean(axis=0))
        facts["unit_error"] = float(np.abs(np.linalg.norm(normals, axis=1) - 1).max(initial=0))
    facts["empty_masks"] = sum(not s.mask.any() for s in samples)
    facts["failures"] = len(data.failures)
    facts["licence"] = data.licence
    for name in ("command", "dataset", "lighting", "backend", "seed"):
        if isinstance(data.config, dict) and name in data.config:
            facts[name] = data.config[name]
    return facts


def _mean(values: Sequence[Any]) -> float:
    return round(float(np.mean(values)), 4) if values else 0.0


def write_pictures(data: Dataset[Sample], folder: Path) -> Iterator[Progress]:
    """Write every picture as ``000000.png`` and so on.

    Raises:
        FNormalError: The set has no pictures.
    """
    if data.modality == "normals":
        raise FNormalError(f"{data.path} holds normals alone; there are no pictures to write")
    for i in range(len(data)):
        path, sample = folder / f"{i:06d}.png", data[i]
        assert isinstance(sample, ImageSample)
        write_image(path, sample.image)
        yield Progress(done=i + 1, total=len(data), unit="pictures", written=(path,))


def contact_sheet(data: Dataset[Sample], count: int) -> U8:
    """Evenly spaced samples in one picture: a sample a column of image, normals and mask."""
    strips = [_strip(data[i]) for i in data.spread(count)]
    across = int(np.ceil(np.sqrt(3 * len(strips))))  # three tiles high each: about a square
    blank = np.zeros_like(strips[0])
    strips += [blank] * (-len(strips) % across)
    rows = [np.concatenate(strips[i : i + across], axis=1) for i in range(0, len(strips), across)]
    return np.concatenate(rows, axis=0)


def _strip(sample: Sample) -> U8:
    tiles = []
    if isinstance(sample, ImageSample):
        tiles.append(sample.image)
    if isinstance(sample, NormalsSample):
        tiles.append(encode_rgb(sample.normals.astype(np.float32), sample.mask).astype(np.uint8))
    tiles.append(np.repeat(255 * sample.mask[..., None].astype(np.uint8), 3, axis=-1))
    return np.concatenate([resize_image(tile, _TILE_PX) for tile in tiles], axis=0)
