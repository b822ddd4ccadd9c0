"""Decoded samples that readers share: what the file gives, whoever read it first; never a damaged one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fnormal.datasets.batch import Batch
from fnormal.datasets.hdf5 import Dataset, DatasetWriter
from fnormal.datasets.sample import Sample
from fnormal.errors import FNormalError
from fnormal.training.batches import EpochBatches, ResizedSamples, loader, share_memory
from fnormal.training.cache import SampleCache
from tests.conftest import write_set
from tests.test_relight import SIDE, pair


def equal(a: Sample | None, b: Sample) -> bool:
    """Whether every field of two samples is the same, bit for bit."""
    return type(a) is type(b) and all(bits(vars(a)[name]) == bits(value) for name, value in vars(b).items())


def bits(value: object) -> object:
    return (value.dtype, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("modality", ["pairs", "images", "normals"])
def test_every_kind_of_sample_fits_its_slot(modality: str, tmp_path: Path) -> None:
    data = Dataset[Sample](write_set(tmp_path / "set.h5", 3, 32, modality))
    kept = ResizedSamples(data, 32, whole=True)
    share_memory([kept], 10**8)
    for i in range(3):
        assert kept.cache.get(i) is None
        first = kept[i]
        assert equal(kept.cache.get(i), first)
        assert equal(kept[i], first)


def test_albedo_and_depth_fit_too(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path / "a.h5", "pairs", SIDE, config={}, licence="CC0", unlit=True)
    writer.append([pair()])
    writer.finish()
    kept = ResizedSamples(Dataset[Sample](tmp_path / "a.h5"), SIDE, unlit=True)
    share_memory([kept], 10**8)
    assert equal(kept.cache.get(0), kept[0]) is False
    assert equal(kept.cache.get(0), kept[0])


def flat(batches: list[Batch]) -> list[torch.Tensor]:
    return [value for batch in batches for value in vars(batch).values() if isinstance(value, torch.Tensor)]


def test_readers_fill_it_for_each_other(tmp_path: Path) -> None:
    """Two processes read an epoch; afterwards this one holds all of it, and another epoch is the file's."""
    path = write_set(tmp_path / "set.h5", 8, 32)
    kept, plain = (ResizedSamples(Dataset[Sample](path), 32) for _ in range(2))
    share_memory([kept], 10**8)
    for epoch in (0, 1):
        read = [
            list(loader(EpochBatches([s], batch_size=2, seed=1, epoch=epoch), workers))
            for s, workers in ((kept, 2), (plain, 0))
        ]
        assert all(torch.equal(a, b) for a, b in zip(*map(flat, read), strict=True))
        assert all(equal(kept.cache.get(i), plain[i]) for i in range(8))


def test_memory_is_shared_out_by_what_sets_hold(tmp_path: Path) -> None:
    small, large = (
        ResizedSamples(Dataset[Sample](write_set(tmp_path / f"{count}.h5", count, 32)), 32)
        for count in (2, 8)
    )
    for total, slots in ((10**8, (2, 8)), (5 * (32 * 32 * 10 + 4096), (1, 4)), (0, (0, 0))):
        share_memory([small, large], total)
        for s, room in zip((small, large), slots, strict=True):
            for i in range(len(s)):
                s[i]
                assert (s.cache.get(i) is not None) == (i < room)


def test_a_slot_that_is_half_written_is_read_from_the_file(tmp_path: Path) -> None:
    data = ResizedSamples(Dataset[Sample](write_set(tmp_path / "set.h5", 1, 32)), 32)
    share_memory([data], 10**8)
    sample = data[0]
    memory = data.cache._memory
    assert memory is not None
    memory[300] ^= 1
    assert data.cache.get(0) is None
    assert equal(data[0], sample)
    assert equal(data.cache.get(0), sample)


def test_more_memory_than_there_is_is_one_line() -> None:
    with pytest.raises(FNormalError, match=r"^this machine lends no .* GB .*; lower --cache-gb$"):
        SampleCache(10**9, 10**9)
