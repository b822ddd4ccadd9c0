"""Photo files -> :class:`Photo`: one reader a source."""

from __future__ import annotations

from pathlib import Path

from fnormal.config import CELEBA_HQ_IMAGES
from fnormal.errors import FNormalError
from fnormal.options import PhotoOptions
from fnormal.photos.photo import Photo, PhotoReader

__all__ = ["READERS", "Photo", "PhotoReader", "open_photos"]

READERS = ("photoface", "celeba-hq", "300w", "folder")


def open_photos(source: Path, dataset: str, options: PhotoOptions) -> PhotoReader:
    """The reader of ``dataset`` over ``source``.

    Raises:
        FNormalError: Unknown data set, options that it has no use for, or a source that does not hold it.
    """
    if dataset not in READERS:
        raise FNormalError(f"unknown data set '{dataset}': use {', '.join(READERS)}")
    if dataset == "photoface":
        from fnormal.photos.photoface import Photoface

        return Photoface(
            source, options.limit, split=options.split, seed=options.seed, axes=options.axes,
            lights=options.lights,
        )  # fmt: skip
    if options.split != "all" or options.lights is not None:
        raise FNormalError(f"--dataset {dataset} has no split and no lights; leave --split, --lights out")
    from fnormal.photos.folder import PhotoFolder

    if dataset == "celeba-hq":
        limit = options.limit or CELEBA_HQ_IMAGES
        return PhotoFolder(source, limit, licence="CelebA-HQ; non-commercial research")
    if dataset == "300w":
        return PhotoFolder(source, options.limit, need_points=True, licence="300-W, iBUG; research only")
    return PhotoFolder(source, options.limit, frame=options.axes)
