"""Errors as the light and the colours of pictures change: seen as they are, and as `predict` shows them.

    python -m benchmarks.light DATA.h5 [DATA.h5 ...] [--step 6]

On each --step-th pair of the sets, in the paper's crop, mean of picture and mirror image, rounded to bytes
after the change; two columns of degrees. What is behind a head is known of sets that keep depth; of others
all outside the hull of the landmarks is taken for it, forehead and hair too.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks.framings import before, paper
from fnormal.arrays import F32, Array, Bools
from fnormal.datasets.hdf5 import open_pairs
from fnormal.geometry.normals import angular_error_deg, unit
from fnormal.geometry.showing import shown
from fnormal.network.serving import open_runner


def changed(image: Array, hull: Bools, head: Bools) -> dict[str, Array]:
    """The picture [S, S, 3] in other lights, by their names; hull and head are [S, S]."""
    grain = np.random.default_rng(0).normal(0, 0.01, image.shape)
    return {
        "as they are": image,
        "a quarter of the light": image * 0.25,
        "a twentieth": image * 0.05,
        "a tenth, and grain": image * 0.1 + grain,
        "linear pixels": image**2.2,
        "gamma 0.4": image**0.4,
        "haze, half picture": image * 0.5 + 0.4,
        "haze, a fifth picture": image * 0.2 + 0.5,
        "candle light": image * [1, 0.6, 0.3],
        "blue light": image * [0.4, 0.6, 1],
        "red light": image * [1, 0.25, 0.2],
        "before white": before(image, head, 1),
        "before white, 0.3 of the light": before(image * 0.3, head, 1),
        "before white, 0.1 of the light": before(image * 0.1, head, 1),
        "the hull alone, on white": before(image, hull, 1),
        "the hull alone, on black": before(image, hull, 0),
        "twice the light, burnt out": image * 2,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--step", type=int, default=6)
    options = parser.parse_args()
    runner = open_runner(None, "cpu", None, None)
    errors: dict[str, list[list[float]]] = defaultdict(list)
    for path in options.sets:
        data = open_pairs(path)
        for index in range(0, len(data), options.step):
            sample = data.sample(index, unlit=True)
            image, normals, mask = paper(sample)
            head = mask if sample.depth is None else sample.depth != 0
            for name, picture in changed(image, mask, head).items():
                seen = (np.rint(255 * np.clip(picture, 0, 1)) / 255).astype(np.float32)
                views: list[F32] = [seen, shown(seen, mask)]
                means = [runner.mean(view[None], mirror=True)[0] for view in views]
                found = [float(angular_error_deg(unit(mean), normals)[mask].mean()) for mean in means]
                errors[name].append(found)
    for name, rows in errors.items():
        plain, level = np.mean(rows, axis=0)
        print(f"{name}\t{len(rows)} views\t{plain:.2f}\t{level:.2f}")


if __name__ == "__main__":
    main()
