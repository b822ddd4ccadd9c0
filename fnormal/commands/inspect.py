"""inspect: what a data set holds, as facts and as a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fnormal.arrays import U8
from fnormal.datasets.hdf5 import Dataset, Sample
from fnormal.errors import FNormalError
from fnormal.geometry.images import resize_image, write_image
from fnormal.geometry.normals import encode_rgb

_TILE_PX = 128
_MOST_READ = 200  # samples that the means are taken over


def summary(data: Dataset) -> dict[str, str | int | float]:
    """Kind, counts, means over at most ``_MOST_READ`` samples, source and licence."""
    samples = [data[i] for i in data.spread(_MOST_READ)]
    facts: dict[str, str | int | float] = {
        "modality": data.modality, "samples": len(data), "subjects": len(set(data.subjects)),
        "sources": len(set(data.sources)), "size_px": data.size_px, "frame": data.frame,
        "mask_share": _mean([s.mask.mean() for s in samples]),
    }  # fmt: skip
    if data.modality != "normals":
        facts["brightness"] = _mean([_of(s.image)[s.mask].mean() for s in samples if s.mask.any()])
    if data.modality != "images":
        normals = np.concatenate([_of(s.normals)[s.mask] for s in samples]).astype(np.float64)
        facts["mean_normal"] = ",".join(f"{v:.3f}" for v in normals.mean(axis=0))
        facts["unit_error"] = float(np.abs(np.linalg.norm(normals, axis=1) - 1).max(initial=0))
    facts["empty_masks"] = sum(not s.mask.any() for s in samples)
    facts["failures"] = len(data.failures)
    facts["licence"] = data.licence
    for name in ("command", "dataset", "lighting", "backend", "seed"):
        if isinstance(data.config, dict) and name in data.config:
            facts[name] = data.config[name]
    return facts


def _mean(values: list[float]) -> float:
    return round(float(np.mean(values)), 4) if values else 0.0


def _of(part: npt.NDArray[np.generic] | None) -> npt.NDArray[np.generic]:
    assert part is not None, "the modality has it"
    return part


def write_pictures(data: Dataset, folder: Path) -> Iterator[Path]:
    """Write every picture as ``000000.png`` and so on; yields the paths.

    Raises:
        FNormalError: The set has no pictures.
    """
    if data.modality == "normals":
        raise FNormalError(f"{data.path} holds normals alone; there are no pictures to write")
    for i in range(len(data)):
        path = folder / f"{i:06d}.png"
        write_image(path, _of(data[i].image))
        yield path


def contact_sheet(data: Dataset, path: Path, count: int) -> None:
    """Write evenly spaced samples as a PNG: a sample a column of picture, normals and mask."""
    strips = [_strip(data[i]) for i in data.spread(count)]
    across = int(np.ceil(np.sqrt(3 * len(strips))))  # three tiles high each: about a square
    blank = np.zeros_like(strips[0])
    strips += [blank] * (-len(strips) % across)
    rows = [np.concatenate(strips[i : i + across], axis=1) for i in range(0, len(strips), across)]
    write_image(path, np.concatenate(rows, axis=0))


def _strip(sample: Sample) -> U8:
    tiles = []
    if sample.image is not None:
        tiles.append(sample.image)
    if sample.normals is not None:
        tiles.append(encode_rgb(sample.normals.astype(np.float32), sample.mask).astype(np.uint8))
    tiles.append(np.repeat(255 * sample.mask[..., None].astype(np.uint8), 3, axis=-1))
    return np.concatenate([resize_image(tile, _TILE_PX) for tile in tiles], axis=0)
