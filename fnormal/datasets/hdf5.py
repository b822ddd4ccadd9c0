"""The HDF5 data set, version 1: writing, reading, checking. h5py's one home."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Generic, cast

import h5py
import numpy as np
import numpy.typing as npt

from fnormal import __version__
from fnormal.config import FRAME, N_LANDMARKS
from fnormal.datasets.probe import probe
from fnormal.datasets.sample import (
    FIELDS,
    SAMPLE_TYPES,
    UNLIT_FIELDS,
    VIEW_DTYPE,
    Modality,
    Pair,
    Sample,
    SampleOf,
)
from fnormal.datasets.schema import FORMAT, VERSION, Facts, read_facts
from fnormal.errors import FNormalError
from fnormal.files.opening import DATASET, check_file, decoding
from fnormal.files.writing import partial_name, publish, unfinished, writing

HDF5_SUFFIXES = (".h5", ".hdf5")
_DTYPES = {
    "image": np.uint8,
    "normals": np.float16,
    "mask": np.uint8,
    "albedo": np.uint8,
    "depth": np.float16,
}


class DatasetWriter:
    """Collect samples in memory; :meth:`finish` writes the file under a temporary name and renames it.

    HDF5 itself never meets a full disk, of which it crashes. A file of the size of a shard is small.

    Args:
        path: The data set to be.
        modality: Which of image and normals its samples have.
        size_px: Side of a sample in pixels.
        config: What makes it, as JSON.
        licence: Licence of the source.
        source: A word for the files it is made from, where it is a shard.
        unlit: Whether its pairs keep albedo and depth.

    Raises:
        FNormalError: ``path`` exists or cannot be written.
    """

    def __init__(
        self, path: Path, modality: Modality, size_px: int,
        *, config: dict[str, Any], licence: str, source: str | None = None, unlit: bool = False,
    ) -> None:  # fmt: skip
        if path.exists():
            raise FNormalError(f"{path} exists already; remove it or choose another --out")
        self.path, self.modality = path, modality
        self._held = ExitStack()
        self._temporary = self._held.enter_context(unfinished(partial_name(path)))
        self._count = 0
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._temporary.touch()  # whoever may not write here is told before the work
        self._file = h5py.File(path.name, "w", driver="core", backing_store=False)
        self._file.attrs.update(
            format=FORMAT, version=VERSION, modality=modality, frame=FRAME, size=size_px,
            config=json.dumps(config, sort_keys=True), fnormal_version=__version__, licence=licence,
        )  # fmt: skip
        if source is not None:
            self._file.attrs["source"] = source
        create_arrays(self._file, modality, size_px, unlit=unlit)
        self._arrays = {name: self._file[name] for name in self._file}

    def append(self, samples: Sequence[Sample]) -> None:
        """Add samples."""
        start = self._count
        self._count += len(samples)
        for array in self._arrays.values():
            array.resize(self._count, axis=0)
        for i, sample in enumerate(samples, start):
            for name in self._arrays.keys() - {"landmarks", "view"}:
                value = getattr(sample, name)
                # NumPy's conversion is ten times quicker than HDF5's
                self._arrays[name][i] = value.astype(_DTYPES[name]) if name in _DTYPES else value
            points = sample.landmarks
            self._arrays["landmarks"][i] = np.full((N_LANDMARKS, 2), np.nan) if points is None else points
            if sample.view is not None:
                self._arrays["view"][i] = sample.view

    def finish(self, failures: Sequence[str] = ()) -> None:
        """Close, put on disk and give the file its name; ``failures`` says what could not be made.

        Raises:
            FNormalError: It cannot be written: the disk is full, or the folder has gone.
        """
        self._file.attrs["failures"] = json.dumps(list(failures))
        self._file.flush()
        image = self._file.id.get_file_image()
        self._arrays.clear()
        self._file.close()
        with writing(self.path):
            self._temporary.write_bytes(image)
            publish(self._temporary, self.path)
        self._held.close()

    def discard(self) -> None:
        """Close and leave nothing behind."""
        self._arrays.clear()
        self._file.close()
        self._held.close()


def create_arrays(
    file: h5py.File, modality: Modality, size: int, only: Sequence[str] = (), *, unlit: bool = False
) -> None:
    """Make the empty arrays of the schema, one sample a chunk; ``only`` some of them."""
    for name in (*FIELDS[modality], "mask", *(UNLIT_FIELDS if unlit else ())):
        shape = (size, size) if name in ("mask", "depth") else (size, size, 3)
        if not only or name in only:
            file.create_dataset(
                name, (0, *shape), _DTYPES[name], maxshape=(None, *shape), chunks=(1, *shape),
                compression="gzip", compression_opts=1, shuffle=True,
            )  # fmt: skip
    if "normals" in file:
        file["normals"].attrs["code"] = "float16"
    for name, tail, dtype in (
        ("subject", (), h5py.string_dtype()),
        ("source", (), h5py.string_dtype()),
        ("landmarks", (N_LANDMARKS, 2), np.float32),
        ("view", (), VIEW_DTYPE),
    ):
        if not only or name in only:
            file.create_dataset(name, (0, *tail), dtype, maxshape=(None, *tail), chunks=(64, *tail))


class Dataset(Generic[SampleOf]):
    """Random access to a data set file; opened lazily, so that every loader process has its own handle.

    Args:
        path: The file.
        own: Whether this run has written it: then it need not be looked at in a process of its own first.

    Raises:
        FNormalError: Missing, corrupt, or not a data set of this version and frame.
    """

    def __init__(self, path: Path, *, own: bool = False) -> None:
        self.path = path
        self._handle: h5py.File | None = None
        self._arrays: dict[str, h5py.Dataset] = {}  # looking one up by name costs as much as a small read
        check_file(path, DATASET)
        if not own:
            probe(path, lambda: _look(path))
        facts, self.subjects, self.sources = _look(path)
        self.frame, self.modality, self.size_px = facts.frame, facts.modality, facts.size_px
        self.licence, self.config, self.failures = facts.licence, facts.config, facts.failures
        self.shards, self.unlit = facts.shards, facts.unlit

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.subjects)

    def spread(self, count: int) -> list[int]:
        """Indices of ``count`` samples, fewer where there are fewer, evenly from the first to the last."""
        picked = np.unique(np.linspace(0, len(self) - 1, min(len(self), count)).astype(int))
        return [int(i) for i in picked]

    def __getstate__(self) -> dict[str, Any]:
        """Without the open handle: h5py's must not cross a process."""
        return {**self.__dict__, "_handle": None, "_arrays": {}}

    def __getitem__(self, index: int) -> SampleOf:
        """Sample ``index``."""
        return self.sample(index)

    def sample(self, index: int, *, view: bool = True, unlit: bool = False) -> SampleOf:
        """Sample ``index``; ``view`` may be left out: a tenth of the time for what training does not need.

        ``unlit`` also reads albedo and depth, where the set keeps them.
        """
        if self._handle is None:
            self._handle = h5py.File(self.path, "r")
            self._arrays = {name: self._handle[name] for name in self._handle}
        arrays = self._arrays
        try:
            more = UNLIT_FIELDS if unlit and self.unlit else ()
            fields = {name: arrays[name][index] for name in (*FIELDS[self.modality], *more)}
            mask = arrays["mask"][index] > 0
            points = arrays["landmarks"][index] if "landmarks" in arrays else None
            record = _whole_view(arrays["view"][index]) if view and "view" in arrays else None
        except (OSError, RuntimeError, KeyError, MemoryError) as error:
            raise FNormalError(
                f"{self.path} is damaged at sample {index} ({error}); make it again"
            ) from error
        for name in ("normals", "depth"):
            if not np.isfinite(fields.get(name, 0)).all():
                raise FNormalError(
                    f"{self.path} has {name} that are no numbers in sample {index}; make it again"
                )
        kind = cast(type[SampleOf], SAMPLE_TYPES[self.modality])
        return kind(mask, self.subjects[index], self.sources[index], **fields, landmarks=points, view=record)


def open_pairs(path: Path) -> Dataset[Pair]:
    """A data set that can be evaluated on.

    Raises:
        FNormalError: It has no images, or no normals to compare with.
    """
    data = Dataset[Pair](path)
    if data.modality != "pairs":
        raise FNormalError(f"{path} holds {data.modality} alone; this needs image/normal pairs")
    return data


def _whole_view(stored: Any) -> npt.NDArray[Any]:
    """A record of ``VIEW_DTYPE``; what an older file does not say is 0."""
    if stored.dtype == VIEW_DTYPE:
        return np.asarray(stored)
    view = np.zeros((), VIEW_DTYPE)
    for name in set(VIEW_DTYPE.names or ()) & set(stored.dtype.names or ()):
        view[name] = stored[name]
    return view


def _look(path: Path) -> tuple[Facts, list[str], list[str]]:
    """Facts, subjects and sources of a data set."""
    with _opened(path) as file, decoding(path, DATASET):
        facts = read_facts(file, path)
        subjects, sources = ([_text(value) for value in file[name][:]] for name in ("subject", "source"))
        return facts, subjects, sources


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    try:
        file = h5py.File(path, "r")
    except (OSError, RuntimeError, ValueError) as error:
        raise FNormalError(f"cannot read {path} as HDF5 (truncated or not HDF5); make it again") from error
    with file:
        yield file
