"""Decoded samples in memory that every reader of a run shares."""

from __future__ import annotations

import mmap
import pickle
import struct
import zlib
from typing import cast

from fnormal.datasets.sample import Sample
from fnormal.errors import FNormalError

_HEAD = struct.Struct("<QI")  # bytes of the pickle, and their checksum; 0 bytes: nothing yet
_SLACK = 4096  # bytes of a sample beside its pictures: names, points, view


class SampleCache:
    """``slots`` samples of up to ``picture_bytes`` each, in memory that forked processes have in common.

    Memory is taken as slots are filled. What one reader puts in, all read; two that fill a slot at once
    write the same. A sample that does not fit is left out.

    Raises:
        FNormalError: There is not so much memory.
    """

    def __init__(self, slots: int, picture_bytes: int) -> None:
        self._slots, self._slot_bytes = slots, slot_bytes(picture_bytes)
        try:
            self._memory = mmap.mmap(-1, slots * self._slot_bytes) if slots else None
        except (OSError, OverflowError) as error:
            raise FNormalError(
                f"this machine lends no {slots * self._slot_bytes / 2**30:.1f} GB for decoded samples; lower"
                " --cache-gb"
            ) from error

    def __reduce__(self) -> tuple[type[SampleCache], tuple[int, int]]:
        """Processes that are not forked cannot share it: each starts without."""
        return SampleCache, (0, 0)

    def get(self, index: int) -> Sample | None:
        """Sample ``index``, or None while nobody has put it in."""
        if index >= self._slots or self._memory is None:
            return None
        start = index * self._slot_bytes
        size, checksum = _HEAD.unpack_from(self._memory, start)
        start += _HEAD.size
        whole = self._memory[start : start + size]
        # some processors show another core the head before what it speaks of
        if not size or zlib.crc32(whole) != checksum:
            return None
        return cast(Sample, pickle.loads(whole))  # our own process or its fork wrote it

    def put(self, index: int, sample: Sample) -> None:
        """Keep sample ``index``, where there is room."""
        if index >= self._slots or self._memory is None:
            return
        whole = pickle.dumps(sample, protocol=5)
        if _HEAD.size + len(whole) > self._slot_bytes:
            return
        start = index * self._slot_bytes
        self._memory[start + _HEAD.size : start + _HEAD.size + len(whole)] = whole
        _HEAD.pack_into(self._memory, start, len(whole), zlib.crc32(whole))


def slot_bytes(picture_bytes: int) -> int:
    """What a sample takes in the cache."""
    return picture_bytes + _SLACK
