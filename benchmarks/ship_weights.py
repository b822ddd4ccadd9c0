"""Measure a run's best weights and write them as fp16 package data, with their figures inside.

python benchmarks/ship_weights.py RUN/best.safetensors fnormal/data/lite.safetensors NAME=DATA.h5 ...
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from fnormal.datasets.hdf5 import open_pairs
from fnormal.evaluation.scores import baseline_errors, network_errors
from fnormal.network.checkpoint import load_weights, save_weights


def main(source: Path, target: Path, *sets: str) -> None:
    model, info = load_weights(source)
    save_weights(target, model, info, half=True)
    shipped, _ = load_weights(target)
    measured = {}
    for entry in sets:
        name, path = entry.split("=", 1)
        data = open_pairs(Path(path))
        rows = {
            "network": network_errors(shipped, data, info.size_px, batch_size=16, mirror=True, sure=info.sure)
        }
        rows["network, one pass"] = network_errors(shipped, data, info.size_px, batch_size=16)
        rows |= baseline_errors(data)
        measured[name] = {method: row.as_dict() for method, row in rows.items()}
        for method, row in rows.items():
            below = " ".join(f"{value:.1f}%" for value in row.below_pct.values())
            print(f"{name}\t{method}\t{row.mean_deg:.2f} +- {row.std_deg:.2f}\t{below}")
    figures = {**info.figures, "measured": measured}
    licence = f"Apache-2.0; trained on renders of {info.licence}"
    save_weights(target, model, replace(info, licence=licence, figures=figures), half=True)
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
