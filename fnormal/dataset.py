"""The HDF5 data set, version 1: writing, reading, checking. h5py's one home."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import h5py
import numpy as np
import numpy.typing as npt

from fnormal import __version__
from fnormal.config import FRAME, MAX_LIGHTS
from fnormal.errors import FNormalError

FORMAT, VERSION = "fnormal-dataset", 1
Modality = Literal["pairs", "images", "normals"]
VIEW_DTYPE = np.dtype(
    [
        ("rotation", np.float32, (3, 3)),
        ("light_direction", np.float32, (MAX_LIGHTS, 3)),  # toward the light; 0 where unused
        ("light_intensity", np.float32, (MAX_LIGHTS, 3)),  # linear RGB
        ("ambient", np.float32, (3,)),
        ("seed", np.int64, (3,)),  # seed, scan, view: what the sample's generator was made of
    ]
)
_FIELDS: dict[Modality, tuple[str, ...]] = {
    "pairs": ("image", "normals"),
    "images": ("image",),
    "normals": ("normals",),
}
_DTYPES = {"image": np.uint8, "normals": np.float16, "mask": np.uint8}


@dataclass(frozen=True)
class Sample:
    """One sample, fnormal's frame.

    Attributes:
        mask: True on the face. [S, S]
        subject: Who; splits go by it.
        source: Which scan or photo.
        image: RGB. uint8 [S, S, 3], None in a normals-only set
        normals: Unit, 0 outside the mask. float [S, S, 3], None in an image-only set
        landmarks: The 68 points in pixels, NaN where unknown. [68, 2]
        view: One record of ``VIEW_DTYPE`` where the sample was rendered.
    """

    mask: npt.NDArray[np.bool_]
    subject: str
    source: str
    image: npt.NDArray[np.uint8] | None = None
    normals: npt.NDArray[np.floating[Any]] | None = None
    landmarks: npt.NDArray[np.float32] | None = None
    view: npt.NDArray[Any] | None = None


class DatasetWriter:
    """Append samples to ``PATH.partial``, renamed to ``PATH`` by :meth:`finish`.

    Args:
        path: The data set to be.
        modality: Which of image and normals its samples have.
        size_px: Side of a sample.
        config: What makes it, as JSON; a resumed run must be made of the same.
        licence: Of the source.
        resume: Go on with ``PATH.partial`` if there is one.

    Raises:
        FNormalError: ``path`` exists, cannot be written, or the partial file is of another run.
    """

    def __init__(
        self, path: Path, modality: Modality, size_px: int,
        *, config: dict[str, Any], licence: str, resume: bool = False,
    ) -> None:  # fmt: skip
        if path.exists() and not resume:
            raise FNormalError(f"{path} exists already; remove it or choose another --out")
        self.path, self.modality = path, modality
        self._partial = path.with_name(path.name + ".partial")
        self._config = json.dumps(config, sort_keys=True)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            reopened = self._reopen() if resume else None
            self._file = reopened or self._create(size_px, licence)
        except OSError as error:
            raise FNormalError(f"cannot write {self._partial}: {error}") from error

    def _reopen(self) -> h5py.File | None:
        if not self._partial.is_file():
            return None
        try:
            file = h5py.File(self._partial, "r+")
        except OSError:
            return None  # killed inside a write: start again, samples are a function of the seed
        if file.attrs["config"] != self._config:
            file.close()
            raise FNormalError(f"{self._partial} was made with other settings; remove it")
        for name in self._names():
            file[name].resize(file.attrs["n_done"], axis=0)
        return file

    def _names(self) -> tuple[str, ...]:
        return (*_FIELDS[self.modality], "mask", "subject", "source", "landmarks", "view")

    def _create(self, size: int, licence: str) -> h5py.File:
        file = h5py.File(self._partial, "w")
        file.attrs.update(
            format=FORMAT, version=VERSION, modality=self.modality, frame=FRAME, size=size,
            config=self._config, fnormal_version=__version__, licence=licence, n_done=0,
        )  # fmt: skip
        shape: tuple[int, ...]
        for name in (*_FIELDS[self.modality], "mask"):
            shape = (size, size) if name == "mask" else (size, size, 3)
            file.create_dataset(
                name, (0, *shape), _DTYPES[name], maxshape=(None, *shape), chunks=(1, *shape),
                compression="gzip", compression_opts=1, shuffle=True,
            )  # fmt: skip
        if "normals" in file:
            file["normals"].attrs["code"] = "float16"
        for name, shape, dtype in (
            ("subject", (), h5py.string_dtype()),
            ("source", (), h5py.string_dtype()),
            ("landmarks", (68, 2), np.float32),
            ("view", (), VIEW_DTYPE),
        ):
            file.create_dataset(name, (0, *shape), dtype, maxshape=(None, *shape), chunks=(64, *shape))
        return file

    @property
    def n_done(self) -> int:
        """Samples that a resumed run need not make again."""
        return int(self._file.attrs["n_done"])

    def last_scan(self) -> int:
        """Scan number of the last rendered sample, -1 where there is none."""
        return int(self._file["view"][self.n_done - 1]["seed"][1]) if self.n_done else -1

    def append(self, samples: Sequence[Sample]) -> None:
        """Add samples; they are on disk when this returns."""
        start = self.n_done
        for name in self._names():
            self._file[name].resize(start + len(samples), axis=0)
        for i, sample in enumerate(samples, start):
            for name in (*_FIELDS[self.modality], "mask", "subject", "source"):
                self._file[name][i] = getattr(sample, name)
            points = sample.landmarks
            self._file["landmarks"][i] = np.full((68, 2), np.nan) if points is None else points
            if sample.view is not None:
                self._file["view"][i] = sample.view
        self._file.attrs["n_done"] = start + len(samples)
        self._file.flush()

    def finish(self) -> None:
        """Close and give the file its name."""
        if self.n_done == 0:
            self._file.close()
            self._partial.unlink()
            raise FNormalError(f"nothing to write to {self.path}: no sample could be made")
        self._file.close()
        self._partial.replace(self.path)

    def close(self) -> None:
        """Close without finishing; ``--resume`` goes on from here."""
        self._file.close()


class Dataset:
    """Random access to a data set file; opened lazily, so that every loader process has its own handle.

    Raises:
        FNormalError: Missing, corrupt, or not a data set of this version and frame.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: h5py.File | None = None
        with _opened(path) as file:
            attrs = dict(file.attrs)
            if attrs.get("format") != FORMAT or attrs.get("version") != VERSION:
                raise FNormalError(f"{path} is not a fnormal data set of version {VERSION}")
            if attrs["frame"] != FRAME:
                raise FNormalError(f"{path} is in frame '{attrs['frame']}', not {FRAME}; convert it")
            self.modality = cast(Modality, str(attrs["modality"]))
            missing = [n for n in (*_FIELDS[self.modality], "mask") if n not in file]
            if missing:
                raise FNormalError(f"{path} lacks /{missing[0]}; it is incomplete, make it again")
            self.size_px = int(attrs["size"])
            self.licence = str(attrs["licence"])
            self.subjects = [s.decode() for s in file["subject"][:]]
            self.sources = [s.decode() for s in file["source"][:]]

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.subjects)

    def __getstate__(self) -> dict[str, Any]:
        """Without the open handle: h5py's must not cross a process."""
        return {**self.__dict__, "_handle": None}

    def __getitem__(self, index: int) -> Sample:
        """Sample ``index``."""
        if self._handle is None:
            self._handle = h5py.File(self.path, "r")
        file = self._handle
        try:
            fields = {name: file[name][index] for name in _FIELDS[self.modality]}
            mask = file["mask"][index] > 0
            points = file["landmarks"][index] if "landmarks" in file else None
            view = file["view"][index] if "view" in file else None
        except OSError as error:
            raise FNormalError(
                f"{self.path} is damaged at sample {index} ({error}); make it again"
            ) from error
        return Sample(mask, self.subjects[index], self.sources[index], **fields, landmarks=points, view=view)


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    if not path.is_file():
        raise FNormalError(f"no such data set: {path}; check the path")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise FNormalError(f"cannot read {path} as HDF5 (truncated or not HDF5); make it again") from error
    with file:
        yield file
