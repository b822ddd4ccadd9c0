"""The fast twin of the shipped weights: 8-bit integers in all layers but those that make the output.

    python -m benchmarks.quantize fnormal/data/fine.onnx fnormal/data/fine_int8.onnx PHOTOS.h5 \
        NAME=DATA.h5 ...

The layers' ranges are those of crops of the photos (``import-photos --crop-scale 2``) at several scales and
exposures. Prints what the twin costs: degrees on sets with normals, from both passes and one, and time.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.framings import paper
from fnormal.arrays import F32
from fnormal.datasets.hdf5 import Dataset, open_pairs
from fnormal.datasets.sample import ImageSample
from fnormal.faces.crop import crop_around
from fnormal.faces.masks import hull_mask
from fnormal.geometry.normals import angular_error_deg, unit
from fnormal.geometry.showing import shown
from fnormal.network.serving import Served

_CROPS = 96
_PERCENTILE = 99.999  # of a layer's values lie in its range
_ROUNDS = 15


def main(source: Path, target: Path, photos: Path, *sets: str) -> None:
    exact = Served(source, 1)
    write_twin(source, target, crops(photos, exact.size_px))
    runners = {"exact": exact, "fast": Served(target, 1)}
    for entry in sets:
        name, path = entry.split("=", 1)
        cells = [f"{name}\t{kind}\t{errors(runner, Path(path))}" for kind, runner in runners.items()]
        print("\n".join(cells), flush=True)
    times: dict[str, list[float]] = {kind: [] for kind in runners}
    picture = next(crops(photos, exact.size_px)).transpose(0, 2, 3, 1)
    for _ in range(_ROUNDS):
        for kind, runner in runners.items():
            started = time.perf_counter()
            runner.mean(picture, mirror=True)
            times[kind].append(1000 * (time.perf_counter() - started))
    middle = {kind: median(values) for kind, values in times.items()}
    print(f"both passes on one thread: {middle['exact']:.1f} ms, fast {middle['fast']:.1f} ms")
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB")


def crops(photos: Path, size_px: int) -> Iterator[F32]:
    """Crops of photos as the network sees them. [1, 3, S, S]"""
    data, rng = Dataset[ImageSample](photos), np.random.default_rng(0)
    for sample in (data[index] for index in data.spread(_CROPS)):
        assert sample.landmarks is not None
        height, width = sample.mask.shape
        crop = crop_around(sample.landmarks, height, width, scale=rng.uniform(1.0, 1.6), size_px=size_px)
        image = np.clip(crop.cut(sample.image.astype(np.float32) / 255) * rng.uniform(0.4, 1.2), 0, 1)
        face = hull_mask(crop.from_picture(sample.landmarks), size_px, size_px)
        view = shown(image.astype(np.float32), face)
        yield np.ascontiguousarray(view.transpose(2, 0, 1)[None])


def write_twin(source: Path, target: Path, images: Iterator[F32]) -> None:
    """Quantize a raw image-to-normals network; its metadata stay."""
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Images(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, F32] | None:
            image = next(images, None)
            return None if image is None else {"image": image}

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        graph = onnx.load(prepared).graph
        quantize_static(
            prepared, target, Images(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            nodes_to_exclude=output_nodes(graph), extra_options={"CalibPercentile": _PERCENTILE},
        )  # fmt: skip
    model = onnx.load(target)
    del model.metadata_props[:]
    model.metadata_props.extend(onnx.load(source).metadata_props)
    onnx.save(model, target)


def output_nodes(graph: Any) -> list[str]:
    """The last convolutions and what follows: of 8 bits their steps would be seen in the normals."""
    makers = {output: node for node in graph.node for output in node.output}
    waiting, names = [output.name for output in graph.output], list[str]()
    while waiting:
        node = makers.get(waiting.pop())
        if node is not None:
            names.append(node.name)
            waiting += [] if node.op_type == "Conv" else node.input
    return names


def errors(runner: Served, path: Path) -> str:
    """Mean angular errors on a set, from both passes and from one."""
    data, found = open_pairs(path), []
    for sample in (data[i] for i in range(len(data))):
        image, normals, mask = paper(sample)
        view = shown(image, mask)[None]
        answers = [unit(runner.mean(view, mirror=mirror)[0]) for mirror in (True, False)]
        found.append([angular_error_deg(answer, normals)[mask].mean() for answer in answers])
    both, one = np.mean(found, axis=0)
    return f"{both:.3f}\t{one:.3f}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
