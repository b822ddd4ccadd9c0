"""PNG files of normal maps: fnormal's writer against OpenCV's, in turn; milliseconds, sizes and their ratio.

python -m benchmarks.png NORMALS.png ...
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from fnormal.arrays import Array
from fnormal.geometry.picturefile import read_unchanged
from fnormal.geometry.pngfile import encode_png


def by_opencv(pixels: Array) -> bytes:
    """OpenCV wants blue first."""
    return bytes(cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]))[1].tobytes())


def timed(encode: Callable[[Array], bytes], pixels: Array) -> tuple[float, int]:
    """Milliseconds and bytes."""
    started = time.perf_counter()
    size = len(encode(pixels))
    return 1000 * (time.perf_counter() - started), size


def main(paths: list[str]) -> None:
    rows = []
    for path in paths:
        raw = read_unchanged(Path(path))
        assert raw is not None, path
        pixels = np.ascontiguousarray(raw[..., ::-1])
        rows.append((*timed(by_opencv, pixels), *timed(encode_png, pixels)))
    theirs, their_bytes, ours, our_bytes = (statistics.median(column) for column in zip(*rows, strict=True))
    print(
        f"OpenCV {theirs:.1f} ms, {their_bytes / 1e3:.0f} kB\tfnormal {ours:.1f} ms, {our_bytes / 1e3:.0f} kB"
    )
    print(f"time {ours / theirs:.2f}\tsize {our_bytes / their_bytes:.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
