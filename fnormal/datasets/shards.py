"""Data sets in pieces: join them by an HDF5 virtual data set, or merge them into one plain file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fnormal.config import SHARD_BYTES, SHARD_SAMPLES
from fnormal.datasets.hdf5 import Dataset, create_arrays
from fnormal.datasets.sample import BYTES_A_PIXEL, FIELDS, UNLIT_BYTES_A_PIXEL, UNLIT_FIELDS, Sample
from fnormal.errors import FNormalError
from fnormal.files.opening import NOTES, read_bytes
from fnormal.files.writing import PARTIAL, atomic, sweep, write_bytes

_SMALL = ("subject", "source", "landmarks", "view")  # copied even where the pictures are virtual


class NothingToJoinError(FNormalError):
    """No shard holds a sample."""


@dataclass(frozen=True)
class ShardPlan:
    """Which items go into which shard: it depends on the data set alone, never on who makes it.

    Attributes:
        out: The data set to be.
        ranges: First item and the one after the last, of each shard.
    """

    out: Path
    ranges: tuple[tuple[int, int], ...]

    @property
    def folder(self) -> Path:
        """Where the shards lie."""
        return self.out.with_name(self.out.name + ".shards")

    def path(self, shard: int) -> Path:
        """File of a shard."""
        first, after = self.ranges[shard]
        return self.folder / f"{first:07d}-{after:07d}.h5"

    def paths(self) -> list[Path]:
        """Files of all shards, in the order of the items."""
        return [self.path(i) for i in range(len(self.ranges))]

    def claim(self, config: dict[str, Any]) -> None:
        """Make the folder for a run of this ``config``, or check that it is of the same.

        Raises:
            FNormalError: The folder holds shards of other settings, or cannot be made.
        """
        text = json.dumps(config, sort_keys=True)
        note = self.folder / "run.json"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not note.exists():
                write_bytes(note, text.encode())
            if read_bytes(note, NOTES) != text.encode():
                raise FNormalError(f"{self.folder} holds a run of other settings; remove it or change --out")
        except OSError as error:
            raise FNormalError(f"cannot write {self.folder}: {error.strerror or error}") from error

    def sweep(self) -> None:
        """Remove what killed processes left half-written; only once every shard is there."""
        for path in self.folder.glob("*" + PARTIAL):
            path.unlink(missing_ok=True)
        sweep(self.out)  # not what another member of a job array may be joining just now

    def remove(self) -> None:
        """Remove the shards after they were merged."""
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()


def plan_shards(
    out: Path, n_items: int, samples_per_item: int, size_px: int, *, unlit: bool = False
) -> ShardPlan:
    """Cut ``n_items`` into shards of about ``config.SHARD_SAMPLES``, fewer where samples are large."""
    bytes_a_pixel = BYTES_A_PIXEL + UNLIT_BYTES_A_PIXEL * unlit
    samples = min(SHARD_SAMPLES, max(1, SHARD_BYTES // (bytes_a_pixel * size_px**2)))
    step = max(1, samples // samples_per_item)
    return ShardPlan(out, tuple((i, min(i + step, n_items)) for i in range(0, n_items, step)))


def is_complete(path: Path, source: str) -> bool:
    """Whether a shard is there, of these files, and nothing in it failed: else it is made again."""
    if not path.is_file():
        return False
    try:
        with h5py.File(path, "r") as file:
            return bool(file.attrs["failures"] == "[]" and file.attrs["source"] == source)
    except (OSError, KeyError, RuntimeError):
        return False  # damaged: it is made again


def join_shards(paths: Sequence[Path], out: Path, *, virtual: bool, own: bool = False) -> None:
    """Join data sets of one kind, in order.

    Args:
        paths: Data sets of the same modality and size.
        out: The data set to be.
        virtual: Point into ``paths``, which must stay where they are, instead of copying them.
        own: Whether this run has written them.

    Raises:
        FNormalError: The sets differ in kind, or ``out`` exists or cannot be written.
        NothingToJoinError: They hold nothing.
    """
    if out.exists():
        raise FNormalError(f"{out} exists already; remove it or choose another --out")
    sets = [Dataset[Sample](path, own=own) for path in paths]
    if len({(s.modality, s.size_px, s.unlit) for s in sets}) != 1:
        kinds = ", ".join(
            f"{s.path.name}: {s.modality} of {s.size_px} px{' with albedo' if s.unlit else ''}"
            for s in sets[:4]
        )
        raise FNormalError(f"cannot join sets that differ ({kinds}); give sets of one kind")
    if not sum(len(s) for s in sets):
        raise NothingToJoinError(f"nothing to write to {out}: no sample could be made")
    if not virtual:
        _check_room(paths, sets, out)
    sweep(out)
    with _hdf5_errors(out), atomic(out) as temporary, h5py.File(temporary, "w") as file:
        _write_attributes(file, sets, out if virtual else None)
        create_arrays(file, sets[0].modality, sets[0].size_px, _SMALL if virtual else (), unlit=sets[0].unlit)
        if virtual:
            _point_into(file, sets, out)
        start = 0
        for part in sets:
            start = _copy(file, part, start)


@contextmanager
def _hdf5_errors(out: Path) -> Iterator[None]:
    """What h5py raises of a full disk beside OSError, and of chunks that cannot be read."""
    try:
        yield
    except (RuntimeError, KeyError, ValueError, MemoryError) as error:
        raise FNormalError(f"cannot write {out} ({error}); is the disk full, or an input damaged?") from error


def _check_room(paths: Sequence[Path], sets: Sequence[Dataset[Sample]], out: Path) -> None:
    """HDF5 crashes on a full disk: look before."""
    files = [*paths, *(data.path.parent / shard for data in sets for shard in data.shards)]
    needed = sum(path.stat().st_size for path in files)
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise FNormalError(f"{out} needs {needed / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB free")


def _write_attributes(file: h5py.File, sets: Sequence[Dataset[Sample]], virtual_at: Path | None) -> None:
    with h5py.File(sets[0].path, "r") as first:
        file.attrs.update(first.attrs)
    configs: list[Any] = []
    for part in sets:
        if part.config not in configs:
            configs.append(part.config)
    file.attrs["config"] = json.dumps(configs[0] if len(configs) == 1 else configs, sort_keys=True)
    file.attrs["licence"] = "; ".join(dict.fromkeys(part.licence for part in sets))
    file.attrs["failures"] = json.dumps([line for part in sets for line in part.failures])
    for name in ("shards", "source"):
        file.attrs.pop(name, None)
    if virtual_at is not None:
        names = [part.path.relative_to(virtual_at.parent).as_posix() for part in sets]
        file.attrs["shards"] = json.dumps(names)


def _point_into(file: h5py.File, sets: Sequence[Dataset[Sample]], out: Path) -> None:
    """Make the large arrays virtual: HDF5 looks for relative names beside the file that holds them."""
    total = sum(len(part) for part in sets)
    for name in (*FIELDS[sets[0].modality], "mask", *(UNLIT_FIELDS if sets[0].unlit else ())):
        with h5py.File(sets[0].path, "r") as first:
            tail, dtype, attributes = first[name].shape[1:], first[name].dtype, dict(first[name].attrs)
        layout = h5py.VirtualLayout((total, *tail), dtype)
        start = 0
        for part in sets:
            if len(part):
                source = part.path.relative_to(out.parent).as_posix()
                layout[start : start + len(part)] = h5py.VirtualSource(source, name, (len(part), *tail))
            start += len(part)
        file.create_virtual_dataset(name, layout)
        file[name].attrs.update(attributes)


def _copy(file: h5py.File, part: Dataset[Sample], start: int) -> int:
    """Append one set's arrays, chunks as they are where both sides code them alike."""
    end = start + len(part)
    with h5py.File(part.path, "r") as source:
        for name in file:
            target = file[name]
            if target.is_virtual or not len(part):
                continue
            target.resize(end, axis=0)
            if name not in source:  # landmarks and views are optional
                if name == "landmarks":
                    target[start:end] = np.nan
            elif target.chunks[0] == 1 and _coded_alike(source[name], target):
                for i in range(len(part)):
                    corner = (i, *(0,) * (target.ndim - 1))
                    mask, chunk = source[name].id.read_direct_chunk(corner)
                    target.id.write_direct_chunk((start + i, *corner[1:]), chunk, mask)
            elif name == "view":
                views, known = np.zeros(len(part), target.dtype), source[name][:]
                for field in set(views.dtype.names or ()) & set(known.dtype.names or ()):
                    views[field] = known[field]
                target[start:end] = views
            elif name in _SMALL:
                target[start:end] = source[name][:]
            else:
                for i in range(len(part)):
                    target[start + i] = source[name][i]
    return end


def _coded_alike(a: h5py.Dataset, b: h5py.Dataset) -> bool:
    return bool(
        not a.is_virtual
        and (a.chunks, a.dtype, a.compression, a.compression_opts, a.shuffle)
        == (b.chunks, b.dtype, b.compression, b.compression_opts, b.shuffle)
    )
