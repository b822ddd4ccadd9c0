"""One paired training step of the paper's network against a plain transcription of the authors' step.

    python -m benchmarks.train [--batch 2] [--size 256] [--rounds 3]

Same batch, same losses, same Adam; rounds alternate, each one's best counts.
"""

from __future__ import annotations

import argparse
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
    options = parser.parse_args()
    torch.manual_seed(0)
    shape = (options.batch, 3, options.size, options.size)
    image, normals = torch.rand(shape), torch.nn.functional.normalize(torch.randn(shape), dim=1)
    mask = torch.ones(shape[0], *shape[2:], dtype=torch.bool)
    batch = Batch("pairs", mask, image, normals)

    authors = Authors()
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

    settings = TrainOptions(batch_size=options.batch, size_px=options.size)
    trainer = Trainer(settings, [], None)
    batch = batch.to(trainer.device)
    contenders = {"authors' step": authors_step, "ours": lambda: trainer.iterate(batch, 0.5)}
    if torch.backends.cpu.get_cpu_capability() == "AVX512":  # elsewhere bf16 is emulated
        bf16 = Trainer(replace(settings, precision="bf16"), [], None)
        contenders["ours, bf16"] = lambda: bf16.iterate(batch, 0.5)
    print(machine())
    peak = peak_gflops()
    print(f"a matrix product reaches {peak:.0f} GFLOP/s; batch {options.batch}, {options.size} px")
    work = {name: gigaflop(run) for name, run in contenders.items()}
    best = alternate(contenders, options.rounds)
    first = next(iter(best.values()))
    for name, seconds in best.items():
        print(
            f"{name}\t{seconds:.2f} s\t{work[name]:.0f} GFLOP\t{work[name] / seconds / peak:.0%} of peak"
            f"\t{seconds / first:.2f} of the authors' time"
        )


if __name__ == "__main__":
    main()
