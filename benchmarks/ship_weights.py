"""Measure a run's best weights and write them as fp16 package data with their figures, and their ONNX twin.

    python -m benchmarks.ship_weights RUN/best.safetensors fnormal/data/fine.safetensors NAME=DATA.h5 ...

The twin holds image-to-normals alone, raw, in fp16 too; ONNX Runtime widens its weights when it opens it.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from fnormal.datasets.hdf5 import open_pairs
from fnormal.evaluation.scores import baseline_errors, network_errors
from fnormal.network.checkpoint import load_weights, save_weights
from fnormal.network.exported import export_onnx

_OURS = "Apache-2.0; trained on renders of "
_LARGE = 50_000  # numbers of a weight that is halved: all of them cost 0.06 degrees, the large ones 0.007


def main(source: Path, target: Path, *sets: str) -> None:
    model, info = load_weights(source)
    save_weights(target, model, info, half=True)
    shipped, _ = load_weights(target)
    measured = {}
    for entry in sets:
        name, path = entry.split("=", 1)
        data = open_pairs(Path(path))
        rows = {
            "network": network_errors(shipped, info, data, batch_size=16, mirror=True),
            "network, one pass": network_errors(shipped, info, data, batch_size=16),
        }
        rows |= baseline_errors(data)
        measured[name] = {method: row.as_dict() for method, row in rows.items()}
        for method, row in rows.items():
            below = " ".join(f"{value:.1f}%" for value in row.below_pct.values())
            print(f"{name}\t{method}\t{row.mean_deg:.2f} +- {row.std_deg:.2f}\t{below}")
    figures = {**info.figures, "measured": measured}
    parts = info.licence.replace(_OURS, "").split("; ")
    licence = _OURS + "; ".join(dict.fromkeys(part for part in parts if part != "unknown"))
    save_weights(target, model, replace(info, licence=licence, figures=figures), half=True)
    twin = target.with_suffix(".onnx")
    export_onnx(load_weights(target)[0], replace(info, licence=licence), twin, raw=True)
    twin.write_bytes(halved(twin.read_bytes()))
    for written in (target, twin):
        print(f"{written}: {written.stat().st_size / 1e6:.2f} MB")


def halved(model_bytes: bytes) -> bytes:
    """The same ONNX model with its large weights in half precision, each followed by a cast."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_from_string(model_bytes)
    casts = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < _LARGE:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
    return bytes(model.SerializeToString())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
