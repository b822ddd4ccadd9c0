"""Errors as the light and the colours of pictures change: seen as they are, and levelled as `predict` does.

    python -m benchmarks.light DATA.h5 [DATA.h5 ...] [--step 6]

On each --step-th pair of the sets, in the paper's crop, mean of picture and mirror image, rounded to bytes
after the change; two columns of degrees.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.framings import paper
from fnormal.arrays import F32, Array, Bools
from fnormal.datasets.hdf5 import open_pairs
from fnormal.geometry.levels import levelled
from fnormal.geometry.normals import angular_error_deg, unit
from fnormal.network.serving import open_runner


def _behind(image: Array, mask: Bools, light: float) -> Array:
    """The face in the shade, before white."""
    return np.where(mask[..., None], image * light, 1)


CHANGES: dict[str, Callable[[Array, Bools], Array]] = {
    "as they are": lambda image, mask: image,
    "a quarter of the light": lambda image, mask: image * 0.25,
    "a twentieth": lambda image, mask: image * 0.05,
    "a tenth, and grain": lambda image, mask: (
        image * 0.1 + np.random.default_rng(0).normal(0, 0.01, image.shape)
    ),
    "linear pixels": lambda image, mask: image**2.2,
    "gamma 0.4": lambda image, mask: image**0.4,
    "haze, half picture": lambda image, mask: image * 0.5 + 0.4,
    "haze, a fifth picture": lambda image, mask: image * 0.2 + 0.5,
    "candle light": lambda image, mask: image * [1, 0.6, 0.3],
    "blue light": lambda image, mask: image * [0.4, 0.6, 1],
    "red light": lambda image, mask: image * [1, 0.25, 0.2],
    "from behind, 0.3 on the face": lambda image, mask: _behind(image, mask, 0.3),
    "from behind, 0.1 on the face": lambda image, mask: _behind(image, mask, 0.1),
    "twice the light, burnt out": lambda image, mask: image * 2,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--step", type=int, default=6)
    options = parser.parse_args()
    runner = open_runner(None, "cpu", None, None)
    errors: dict[str, list[list[float]]] = {name: [] for name in CHANGES}
    for path in options.sets:
        data = open_pairs(path)
        for index in range(0, len(data), options.step):
            image, normals, mask = paper(data[index])
            for name, change in CHANGES.items():
                seen = (np.rint(255 * np.clip(change(image, mask), 0, 1)) / 255).astype(np.float32)
                views: list[F32] = [seen, levelled(seen, mask)]
                means = [runner.mean(view[None], mirror=True)[0] for view in views]
                found = [float(angular_error_deg(unit(mean), normals)[mask].mean()) for mean in means]
                errors[name].append(found)
    for name, rows in errors.items():
        plain, level = np.mean(rows, axis=0)
        print(f"{name}\t{len(rows)} views\t{plain:.2f}\t{level:.2f}")


if __name__ == "__main__":
    main()
