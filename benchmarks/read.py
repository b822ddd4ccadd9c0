"""What a training sample costs a reader, part by part, on one core.

    python -m benchmarks.read SET.h5 [--size 128] [--samples 200]

A GPU waits where --workers times these samples a second are fewer than its steps take.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fnormal.datasets.batch import collate
from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.resize import resize_sample
from fnormal.datasets.sample import Sample
from fnormal.training.augment import augment_sample
from fnormal.training.batches import ResizedSamples, share_memory


def again_s(samples: ResizedSamples, indices: Sequence[int]) -> float:
    """Seconds that samples take which are in memory already."""
    share_memory([samples], 2**34)
    for i in indices:
        samples[i]
    start = time.perf_counter()
    for i in indices:
        samples[i]
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", type=Path)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--samples", type=int, default=200)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    data, rng = Dataset[Sample](options.set), np.random.default_rng(0)
    indices = data.spread(options.samples)
    data.sample(indices[0])  # opens the file
    clock = [time.perf_counter()]
    read = [data.sample(i, view=False) for i in indices]
    clock.append(time.perf_counter())
    resized = [resize_sample(sample, options.size) for sample in read]
    clock.append(time.perf_counter())
    changed = [augment_sample(sample, rng, hull_share=0.5) for sample in resized]
    clock.append(time.perf_counter())
    collate(data.modality, changed)
    clock.append(time.perf_counter())
    again_ms = 1000 * again_s(ResizedSamples(data, options.size), indices) / len(indices)
    print(f"read and resize, once more, from --cache-gb\t{again_ms:.2f} ms")
    for name, seconds in zip(("read", "resize", "augment", "collate"), np.diff(clock), strict=True):
        print(f"{name}\t{1000 * seconds / len(indices):.2f} ms")
    print(
        f"{len(indices) / (clock[-1] - clock[0]):.0f} samples a second, {data.size_px} to {options.size} px"
    )


if __name__ == "__main__":
    main()
