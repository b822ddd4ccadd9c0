"""Memory that torch frees on a CPU stays with the process: fresh memory costs more than much of the work."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of malloc.h
_LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Have glibc hand freed memory out again instead of returning it to the system.

    By default every tensor above 32 MB is mapped anew, and the first touch of each of its pages is a fault:
    of 2 microseconds on a virtual machine, 28 ms for a tensor that takes 8 ms to compute. A process holds a
    tenth to a quarter more memory for it. Elsewhere than on glibc nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, -1)  # never
