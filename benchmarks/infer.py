"""Image-to-normals for one crop against a plain transcription of the authors' forward.

    python -m benchmarks.infer [--rounds 5] [--batch 1] [--device cuda]

The authors' forward also decodes the image. The paper's network and lite at 256 px, lite also at the size
it was trained for; torch and (on a CPU, one image) ONNX Runtime. Rounds alternate, each one's best counts.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.authors import Authors, alternate, gigaflop, machine, peak_gflops
from fnormal.network.checkpoint import WeightsInfo, load_weights
from fnormal.network.exported import OnnxNetwork, export_onnx
from fnormal.network.model import CrossModalNet
from fnormal.network.torch_runner import TorchRunner


def networks(
    folder: Path, batch: int, device: str
) -> tuple[dict[str, Callable[[], Tensor]], dict[str, float]]:
    """What is timed, and the work of those that torch can count."""
    torch.manual_seed(0)
    authors, image = Authors(device), torch.rand(batch, 3, 256, 256, device=device)
    authors.training = False
    first = "authors' forward"
    contenders: dict[str, Callable[[], Tensor]] = {first: lambda: authors.from_image(image)[0]}
    work = {first: gigaflop(contenders[first])}
    shipped, info = load_weights(None)
    for name, model, size_px in (
        ("paper", CrossModalNet("paper"), 256),
        (info.arch, shipped, info.size_px),
        ("lite", CrossModalNet("lite"), 128),
    ):
        picture = torch.rand(batch, 3, size_px, size_px, device=device)
        picture = picture.to(memory_format=torch.channels_last)
        network = TorchRunner(model, device, None).model
        label = f"{name}, {size_px} px"
        contenders[label] = partial(network.image_to_normals, picture)
        work[label] = gigaflop(contenders[label])
        if device == "cuda" or batch > 1:
            continue
        file = folder / f"{name}{size_px}.onnx"
        export_onnx(model, WeightsInfo(model.arch.name, size_px=size_px), file)
        runtime = OnnxNetwork(file)
        contenders[f"{label}, ONNX"] = partial(runtime.image_to_normals, picture)
        direct = copy.deepcopy(model).double()  # in double no convolution takes a short cut
        runs = partial(direct.image_to_normals, picture.double())
        work[f"{label}, ONNX"] = gigaflop(runs)
    return contenders, work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    options = parser.parse_args()
    print(machine(options.device))
    peak = peak_gflops(options.device)
    print(f"a matrix product reaches {peak:.0f} GFLOP/s")
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        contenders, work = networks(Path(folder), options.batch, options.device)
        best = alternate(contenders, options.rounds)
    first = next(iter(best.values()))
    for name, seconds in best.items():
        print(
            f"{name}\t{1000 * seconds:.1f} ms\t{options.batch / seconds:.1f} images/s\t{work[name]:.1f} GFLOP"
            f"\t{work[name] / seconds / peak:.0%} of peak"
            f"\t{seconds / first:.3f} of the authors' time (1/{first / seconds:.0f})"
        )


if __name__ == "__main__":
    main()
