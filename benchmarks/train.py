"""One paired training step of the paper's network against a plain transcription of the authors' step.

    python -m benchmarks.train [--batch 2] [--size 256] [--rounds 3] [--device cuda]

Same batch, same losses, same Adam; rounds alternate, each one's best counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace

import torch

from benchmarks.authors import Authors, alternate, gigaflop, machine, peak_gflops
from fnormal.batches import Batch
from fnormal.losses import image_loss, normal_loss
from fnormal.options import TrainOptions
from fnormal.trainer import Trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    options = parser.parse_args()
    device = options.device
    settings = TrainOptions(batch_size=options.batch, size_px=options.size, device=device)
    torch.manual_seed(0)
    shape = (options.batch, 3, options.size, options.size)
    image, normals = torch.rand(shape), torch.nn.functional.normalize(torch.randn(shape), dim=1)
    mask = torch.ones(shape[0], *shape[2:], dtype=torch.bool)
    batch = Batch("pairs", mask, image, normals)
    image, normals, mask = image.to(device), normals.to(device), mask.to(device)

    authors = Authors(device)
    adam = torch.optim.Adam(authors.parameters(), lr=1e-4)

    def authors_step() -> None:
        for passes in ("from_normals", "from_image"):
            pred, pred_image = getattr(authors, passes)(normals if passes == "from_normals" else image)
            loss = normal_loss(pred, normals, mask)
            if passes == "from_image":
                loss = loss + image_loss(pred_image, image, mask)
            adam.zero_grad()
            loss.backward()
            adam.step()

    trainer = Trainer(settings, [], None)
    batch = batch.to(trainer.device)
    contenders = {"authors' step": authors_step, "ours": lambda: trainer.iterate(batch, 0.5)}
    if device == "cuda" or torch.backends.cpu.get_cpu_capability() == "AVX512":  # elsewhere emulated
        bf16 = Trainer(replace(settings, precision="bf16"), [], None)
        contenders["ours, bf16"] = lambda: bf16.iterate(batch, 0.5)
    print(machine(device))
    peaks = {name: peak_gflops(device, _dtype(name)) for name in contenders}
    work = {name: gigaflop(run) for name, run in contenders.items()}
    memory = {name: _peak_gib(run) for name, run in contenders.items()} if device == "cuda" else {}
    best = alternate(contenders, options.rounds)
    print(f"batch {options.batch}, {options.size} px")
    first = next(iter(best.values()))
    for name, seconds in best.items():
        share = work[name] / seconds / peaks[name]
        print(
            f"{name}\t{seconds:.3f} s\t{options.batch / seconds:.1f} images/s\t{work[name]:.0f} GFLOP"
            f"\t{share:.0%} of a matrix product's {peaks[name]:.0f} GFLOP/s"
            f"\t{seconds / first:.2f} of the authors' time",
            *([f"\t{memory[name]:.2f} GiB beside what rests"] if memory else []),
        )


def _dtype(name: str) -> torch.dtype:
    return torch.bfloat16 if name.endswith("bf16") else torch.float32


def _peak_gib(run: Callable[[], object]) -> float:
    """Memory of the GPU that a run takes on top of what lies there already."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / 2**30


if __name__ == "__main__":
    main()
