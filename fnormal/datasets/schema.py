"""What a data set file must be before anything of it is believed: kinds, types, shapes, links, lengths."""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import h5py
import numpy as np

from fnormal.config import FRAME, MAX_SAMPLE_PX, N_LANDMARKS
from fnormal.datasets.sample import FIELDS, UNLIT_FIELDS, VIEW_DTYPE, Modality
from fnormal.errors import FNormalError

FORMAT, VERSION = "fnormal-dataset", 1
_MOST_SAMPLES = 50_000_000
_KINDS = {"image": "u", "normals": "f", "mask": "u", "landmarks": "f", "albedo": "u", "depth": "f"}


@dataclass(frozen=True)
class Facts:
    """What the attributes of a data set say, see docs/conventions.md."""

    modality: Modality
    size_px: int
    frame: str
    licence: str
    config: Any
    failures: list[str]
    shards: list[str]
    unlit: bool = False


def read_facts(file: h5py.File, path: Path) -> Facts:
    """Check everything that can be told without reading a sample.

    Raises:
        FNormalError: The file is not a data set of this version and frame, points out of itself, or its
            arrays do not agree with each other.
    """
    attrs = dict(file.attrs)
    if attrs.get("format") != FORMAT or attrs.get("version") != VERSION:
        raise FNormalError(f"{path} is not a fnormal data set of version {VERSION}")
    facts = _read_attributes(attrs, path)
    for shard in facts.shards:
        if not (path.parent / shard).is_file():
            raise FNormalError(
                f"{path} lacks its shard {shard}: keep it beside the file, or use 'fnormal merge'"
            )
    arrays = _own_arrays(file, path, facts)
    count = len(arrays["mask"])
    if count > _MOST_SAMPLES:
        raise _broken(path, f"announces {count:,} samples")
    for name, array in arrays.items():
        tail = _tail_of(name, facts.size_px)
        if array.shape != (count, *tail):
            raise _broken(path, f"has /{name} of {array.shape}, not {(count, *tail)}")
        _check_type(path, name, array)
        _check_stored(path, name, array, facts)
    return replace(facts, unlit="albedo" in arrays)


def _broken(path: Path, what: str) -> FNormalError:
    return FNormalError(f"{path} {what}; it is damaged or incomplete, make it again")


def _read_attributes(attrs: dict[str, Any], path: Path) -> Facts:
    def text(name: str, default: str | None = None) -> str:
        value = attrs.get(name, default)
        if not isinstance(value, str):
            raise _broken(path, f"has no text attribute '{name}'")
        return value

    def from_json(name: str, default: str | None = None) -> Any:
        try:
            return json.loads(text(name, default))
        except (ValueError, RecursionError) as error:
            raise _broken(path, f"has no JSON in its attribute '{name}'") from error

    modality, frame, size = text("modality"), text("frame"), attrs.get("size")
    if modality not in FIELDS:
        raise _broken(path, f"has the unknown modality '{modality[:40]}'")
    if frame != FRAME:
        raise FNormalError(f"{path} is in frame '{frame[:40]}', not {FRAME}; convert it")
    if not isinstance(size, int | np.integer) or not 1 <= size <= MAX_SAMPLE_PX:
        raise _broken(path, f"has no size from 1 to {MAX_SAMPLE_PX}")
    shards, failures = from_json("shards", "[]"), from_json("failures", "[]")
    if not isinstance(failures, list) or not isinstance(shards, list):
        raise _broken(path, "has no lists of failures and shards")
    for shard in shards:
        if not _stays_beside(shard):
            raise _broken(path, f"names a shard that does not lie beside it ({str(shard)[:80]})")
    return Facts(
        modality, int(size), frame, text("licence"), from_json("config"),
        [str(line) for line in failures], [posixpath.normpath(shard) for shard in shards],
    )  # fmt: skip


def _stays_beside(name: Any) -> bool:
    """Whether a name is plain, relative and below its folder."""
    if not isinstance(name, str) or not name or "\0" in name or "\\" in name:
        return False
    parts = PurePosixPath(name).parts
    return not name.startswith("/") and ".." not in parts and bool(parts) and len(name) < 1000


def _own_arrays(file: h5py.File, path: Path, facts: Facts) -> dict[str, h5py.Dataset]:
    """The arrays of the schema; none may lie in another file unless it is a named shard."""
    known = (*FIELDS[facts.modality], "mask", "subject", "source", "landmarks", "view")
    if facts.modality == "pairs" and any(name in file for name in UNLIT_FIELDS):
        known = (*known, *UNLIT_FIELDS)
    for name in file:
        link = file.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise _broken(path, f"has a link /{name[:40]} out of its place")
        if name not in known:
            raise _broken(path, f"has the unknown entry /{name[:40]}")
    arrays = {}
    for name in known:
        if name not in file:
            if name in ("landmarks", "view"):
                continue
            raise _broken(path, f"lacks /{name}")
        array = file[name]
        if not isinstance(array, h5py.Dataset) or array.shape is None or not array.shape:
            raise _broken(path, f"has no array /{name}")
        if array.external:
            raise _broken(path, f"keeps /{name} in another file")
        if array.is_virtual:
            _check_virtual(path, name, array, facts)
        arrays[name] = array
    return arrays


def _check_virtual(path: Path, name: str, array: h5py.Dataset, facts: Facts) -> None:
    for source in array.virtual_sources():
        own = source.file_name in (".", "") or (path.parent / source.file_name).resolve() == path.resolve()
        if own or posixpath.normpath(source.file_name) not in facts.shards:
            raise _broken(path, f"takes /{name} from {source.file_name[:80]}, which is no shard of it")


def _tail_of(name: str, size_px: int) -> tuple[int, ...]:
    """Shape of an array after its first side."""
    picture = (size_px, size_px)
    tails = {"image": (*picture, 3), "normals": (*picture, 3), "mask": picture, "landmarks": (N_LANDMARKS, 2)}
    tails |= {"albedo": (*picture, 3), "depth": picture}
    return tails.get(name, ())


def _check_type(path: Path, name: str, array: h5py.Dataset) -> None:
    dtype = array.dtype
    if name in _KINDS and dtype.kind != _KINDS[name]:
        raise _broken(path, f"has /{name} of type {dtype}")
    if name in ("image", "mask", "albedo") and dtype.itemsize != 1:
        raise _broken(path, f"has /{name} of type {dtype}")
    if name in ("subject", "source") and h5py.check_string_dtype(dtype) is None:
        raise _broken(path, f"has /{name} that is no text")
    if name == "view":
        fields = dtype.names or ()
        for field in fields:
            if field in (VIEW_DTYPE.names or ()) and dtype[field].shape != VIEW_DTYPE[field].shape:
                raise _broken(path, f"has /view/{field} of another shape")
        if not fields:
            raise _broken(path, "has /view that is no record")


def _check_stored(path: Path, name: str, array: h5py.Dataset, facts: Facts) -> None:
    """What was never written would read as zeros: each sample of a plain array must have its chunk."""
    if array.is_virtual or name not in (*FIELDS[facts.modality], "mask", *UNLIT_FIELDS):
        return
    count = len(array)
    if array.chunks is None:
        whole = array.id.get_storage_size() >= array.size * array.dtype.itemsize
    elif array.chunks[0] == 1:
        whole = array.id.get_num_chunks() == count * _pieces(array)
    else:
        whole = array.id.get_num_chunks() > 0 or count == 0
    if not whole:
        raise _broken(path, f"announces {count:,} samples and holds fewer in /{name}")


def _pieces(array: h5py.Dataset) -> int:
    """Chunks of one sample."""
    pieces = 1
    for side, chunk in zip(array.shape[1:], array.chunks[1:], strict=True):
        pieces *= -(-side // chunk)
    return pieces
