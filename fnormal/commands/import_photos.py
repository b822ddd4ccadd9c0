"""import-photos: photos, with normals where there are any -> the paper's crop and mask -> HDF5 (4.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from fnormal.datasets.build import DatasetPlan, build, fingerprint
from fnormal.datasets.hdf5 import HDF5_SUFFIXES
from fnormal.datasets.photo_samples import check_axes, crop_item
from fnormal.datasets.sample import Sample
from fnormal.files.naming import check_suffix
from fnormal.options.data import ImportPhotos, PhotoOptions
from fnormal.photos.photo import PhotoReader
from fnormal.progress import Progress
from fnormal.readers import PHOTOS, open_reader


def import_photos(options: ImportPhotos) -> Iterator[Progress]:
    """Import every photo into ``options.out``; a photo without a face fails alone.

    Raises:
        FNormalError: The source or the output is not there, or the normals are in other axes.
    """
    lights = options.photos.lights
    photos = replace(options.photos, lights=None if lights is None else lights.absolute())
    recipe = PhotoRecipe(options.source.absolute(), options.dataset, photos, uuid4().hex)
    out = options.out or Path("data") / f"{options.dataset}.h5"
    check_suffix(out, HDF5_SUFFIXES)
    reader = recipe.reader()
    yield Progress(warning=reader.left_out)
    if reader.has_normals and not out.exists():
        check_axes(reader, photos.size_px)
    yield from build(recipe, out, options.build)


@dataclass(frozen=True)
class PhotoRecipe:
    """How to import a set of photos.

    Attributes:
        source: Their folder.
        dataset: A name in :data:`fnormal.readers.PHOTOS`.
        options: Which, and how.
        run: Changes with every run, so that a worker that stays looks at the source again.
    """

    source: Path
    dataset: str
    options: PhotoOptions
    run: str

    def reader(self) -> PhotoReader:
        """Who reads them."""
        return _open(self.run, self.source, self.dataset, self.options)

    def plan(self) -> DatasetPlan:
        """Look at the photos."""
        reader, options = self.reader(), self.options
        config: dict[str, Any] = {
            "command": "import-photos", "dataset": self.dataset,
            "names": fingerprint(reader.names, ()), **asdict(options),
        }  # fmt: skip
        config["lights"] = None if options.lights is None else str(options.lights)
        return DatasetPlan(
            reader.names, reader.files, "photos", reader.photos_per_item,
            "pairs" if reader.has_normals else "images", options.size_px, reader.licence, config,
        )  # fmt: skip

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], list[Sample]]]:
        """Yield what crops the photos of an item."""
        yield partial(crop_item, self.reader(), self.options.size_px, self.options.scale)


@lru_cache(maxsize=1)
def _open(run: str, source: Path, dataset: str, options: PhotoOptions) -> PhotoReader:
    """Opened once a run and process: a worker makes many shards."""
    del run
    given = {name: value for name, value in asdict(options).items() if name not in ("size_px", "scale")}
    reader: PhotoReader = open_reader(PHOTOS, dataset, source, given)
    return reader
