"""import-photos: photos, with normals where there are any -> the paper's crop and mask -> HDF5 (4.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from uuid import uuid4

import numpy as np

from fnormal.datasets.build import Head, fingerprint, produce
from fnormal.datasets.hdf5 import Sample
from fnormal.errors import FNormalError
from fnormal.faces.crop import crop_around
from fnormal.faces.detect import detect_faces
from fnormal.faces.masks import hull_mask
from fnormal.geometry.normals import unit
from fnormal.options import PhotoOptions, ProduceOptions
from fnormal.photos import open_photos
from fnormal.photos.photo import Photo, PhotoReader
from fnormal.progress import Progress

_PROBES = 5  # photos whose normals are looked at before all are imported


@dataclass(frozen=True)
class PhotoRecipe:
    """How to import a set of photos.

    Attributes:
        source: Their folder.
        dataset: One of ``photos.READERS``.
        options: Which, and how.
        run: Changes with every run, so that a worker that stays looks at the source again.
    """

    source: Path
    dataset: str
    options: PhotoOptions
    run: str = ""

    def head(self) -> Head:
        """Look at the photos."""
        reader = _open(self.run, self.source, self.dataset, self.options)
        config = {
            "command": "import-photos", "dataset": self.dataset,
            "names": fingerprint(reader.names, ()), **asdict(self.options),
        }  # fmt: skip
        config["lights"] = None if self.options.lights is None else str(self.options.lights)
        return Head(
            reader.names, reader.files, "photos", reader.photos_per_item,
            "pairs" if reader.has_normals else "images", self.options.size_px, reader.licence, config,
        )  # fmt: skip

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], list[Sample]]]:
        """Yield what crops the photos of an item."""
        yield partial(_import, _open(self.run, self.source, self.dataset, self.options), self.options.size_px)


@lru_cache(maxsize=1)
def _open(run: str, source: Path, dataset: str, options: PhotoOptions) -> PhotoReader:
    """Opened once a run and process: a worker makes many shards."""
    del run
    return open_photos(source, dataset, options)


def import_photos(recipe: PhotoRecipe, out: Path, how: ProduceOptions) -> Iterator[Progress]:
    """Import every photo into ``out``; a photo without a face fails alone.

    Raises:
        FNormalError: The source or the output is not there, or the normals are in other axes.
    """
    lights = recipe.options.lights
    options = replace(recipe.options, lights=None if lights is None else lights.absolute())
    recipe = replace(recipe, source=recipe.source.absolute(), options=options, run=uuid4().hex)
    reader = _open(recipe.run, recipe.source, recipe.dataset, recipe.options)
    if reader.has_normals and not out.exists():
        check_axes(reader, recipe.options.size_px)
    yield from produce(recipe, out, how)


def check_axes(reader: PhotoReader, size_px: int) -> None:
    """Look whether foreheads look up and chins down, and faces toward the viewer.

    Raises:
        FNormalError: They do not; the message says which axis to flip.
    """
    upright, facing = [], []
    for index in np.unique(np.linspace(0, len(reader.names) - 1, _PROBES).astype(int)):
        try:
            sample = _import(reader, size_px, int(index))[0]
        except FNormalError:
            continue  # it will be reported when its turn comes
        assert sample.normals is not None, "the reader has normals"
        rows = np.nonzero(sample.mask)[0]
        normals, upper = sample.normals[sample.mask], rows < np.median(rows)
        upright.append(float(normals[upper, 1].mean() - normals[~upper, 1].mean()))
        facing.append(float(normals[:, 2].mean()))
    if facing and np.median(facing) < 0:
        raise FNormalError("the normals look away from the viewer; flip z by --axes, such as x,y,-z")
    if upright and np.median(upright) < 0:
        raise FNormalError("foreheads look down and chins up; flip y by --axes, such as x,-y,z or x,y,z")


def _import(reader: PhotoReader, size_px: int, index: int) -> list[Sample]:
    """Samples of an item."""
    return [crop_photo(photo, size_px) for photo in reader.load(index)]


def crop_photo(photo: Photo, size_px: int) -> Sample:
    """The paper's crop and mask of a photo (4.1).

    Raises:
        FNormalError: No face, or no normals on it.
    """
    points = photo.landmarks
    if points is None:
        faces = detect_faces(photo.image)
        if not faces:
            raise FNormalError(
                f"{photo.source}: no face found; give its 68 points in a .pts file, or leave it out"
            )
        points = faces[0].landmarks
    height, width = photo.image.shape[:2]
    crop = crop_around(points, height, width, size_px=size_px)
    landmarks = crop.from_picture(points)
    mask = hull_mask(landmarks, size_px, size_px)
    normals = None
    if photo.normals is not None:
        known = np.linalg.norm(photo.normals, axis=-1) > 0.5
        # the mean over what is known: an unknown neighbour must not bend a normal
        normals = unit(crop.cut(photo.normals * known[..., None]))
        mask &= crop.cut(known) & (np.linalg.norm(normals, axis=-1) > 0.5)
        normals = normals * mask[..., None]
    if not mask.any():
        raise FNormalError(
            f"{photo.source}: no normals inside the face's outline; are photo and map aligned?"
        )
    whole = landmarks if len(landmarks) == 68 else None
    return Sample(mask, photo.subject, photo.source, crop.cut(photo.image), normals, whole)
