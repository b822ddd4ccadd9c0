"""What `predict` makes of pictures with truth, detection, framing and all, beside the network told the frame.

    python -m benchmarks.pictures --data val_hard.h5 [--data lps.h5] [--weights W] [--every 2]

For each set a row of mean degrees in the mask: the network in the stored crop; `predict` of that crop, of it
at 77 px (a face of 64), and in a twentieth of its light; the network in a tight crop from brows to chin, grey
and linear; `predict --no-crop` of the stored crop, of the tight one, of it in sRGB, and of that in a black
frame of 48 px for 202; in brackets how many were answered. Below it the views furthest behind the network.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.framings import Network, View, in_black, paper, tight, tight_linear
from fnormal.arrays import F32
from fnormal.datasets.hdf5 import open_pairs
from fnormal.datasets.sample import Pair
from fnormal.geometry.images import as_bytes
from fnormal.geometry.normals import angular_error_deg
from fnormal.network.checkpoint import default_weights
from fnormal.prediction.predictor import Predictor

SMALL_PX = 77
DARK = 0.05


def error_deg(normals: F32, view: View) -> float:
    """Mean error where both have normals."""
    _, truth, mask = view
    return float(angular_error_deg(normals, truth)[mask & normals.any(axis=-1)].mean())


def smaller(view: View) -> View:
    """A view of SMALL_PX."""
    image, normals, mask = (
        cv2.resize(np.asarray(part, np.float32), (SMALL_PX, SMALL_PX), interpolation=cv2.INTER_AREA)
        for part in view
    )
    return image, normals, mask > 0.5


def asked(predictor: Predictor, network: Network, sample: Pair) -> dict[str, float]:
    """Errors by what was asked."""
    stored, near, linear = paper(sample), tight(sample), tight_linear(sample)
    errors = {"told the crop": float(network(stored)[0].mean())}
    dark = (stored[0] * DARK, *stored[1:])
    for name, view in (("predict", stored), (f"at {SMALL_PX} px", smaller(stored)), ("dark", dark)):
        faces = predictor.predict(as_bytes(view[0]))
        if faces:
            errors[name] = error_deg(faces[0].normals, view)
    errors["told the tight crop"] = float(network(linear)[0].mean())
    framed = in_black(near, round(len(near[0]) * 48 / 202))
    whole = {"no-crop": stored, "tight, linear": linear, "tight": near, "tight, framed": framed}
    for name, view in whole.items():
        answer = predictor.predict_whole(as_bytes(view[0]))
        errors[name] = error_deg(answer.normals, view)
    return errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=default_weights())
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--every", type=int, default=1, help="take every so many views")
    options = parser.parse_args()
    torch.set_num_threads(1)
    network, predictor = Network(str(options.weights)), Predictor(options.weights, threads=1)
    for path in options.data:
        data = open_pairs(path)
        errors: dict[str, dict[int, float]] = defaultdict(dict)
        for i in range(0, len(data), options.every):
            for name, error in asked(predictor, network, data.sample(i, unlit=data.unlit)).items():
                errors[name][i] = error
        cells = "\t".join(f"{name} {np.mean(list(e.values())):.2f} ({len(e)})" for name, e in errors.items())
        print(f"{path.name}\t{cells}", flush=True)
        for name, found in errors.items():
            told = errors["told the tight crop" if "tight" in name else "told the crop"]
            worst = sorted(found, key=lambda i: told[i] - found[i])[:3]
            if not name.startswith("told"):
                print(f"  {name}: worst " + ", ".join(f"{i} {found[i] - told[i]:+.1f}" for i in worst))


if __name__ == "__main__":
    main()
