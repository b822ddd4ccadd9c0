"""merge: data sets of one kind, or of shards -> one plain file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fnormal.datasets.hdf5 import HDF5_SUFFIXES
from fnormal.datasets.shards import join_shards
from fnormal.files.locks import locked
from fnormal.files.naming import Guard, check_suffix
from fnormal.options.data import Merge
from fnormal.progress import Progress


def merge(options: Merge) -> Iterator[Progress]:
    """Join the sets.

    Raises:
        FNormalError: The sets differ in kind, or the output exists.
    """
    out = options.out or Path("data/merged.h5")
    check_suffix(out, HDF5_SUFFIXES)
    Guard(options.sets).check([out])
    with locked(out.with_name(out.name + ".lock"), out):
        join_shards(options.sets, out, virtual=False)
    yield Progress(written=(out,))
