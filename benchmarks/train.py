"""One paired training step of the paper's network against a plain transcription of the authors' step.

    python -m benchmarks.train [--batch 2] [--size 256] [--rounds 3] [--device cuda]

Same batch, same losses, same Adam; every contender in a process of its own, ours as `fnormal train` sets it
up. Rounds alternate, each one's best counts.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection

import torch
from torch.nn.functional import normalize

from benchmarks.authors import Authors, alternate, gigaflop, machine, peak_gflops
from fnormal.datasets.batch import PairBatch
from fnormal.network.memory import keep_freed_memory
from fnormal.options.training import Precision, TrainOptions
from fnormal.training.losses import image_loss, normal_loss
from fnormal.training.trainer import Trainer


def authors_step(image: torch.Tensor, normals: torch.Tensor, mask: torch.Tensor) -> Callable[[], object]:
    """Their two passes and updates."""
    authors = Authors(str(image.device))
    adam = torch.optim.Adam(authors.parameters(), lr=1e-4)

    def step() -> None:
        for passes in ("from_normals", "from_image"):
            pred, pred_image = getattr(authors, passes)(normals if passes == "from_normals" else image)
            loss = normal_loss(pred, normals, mask)
            if passes == "from_image":
                loss = loss + image_loss(pred_image, image, mask)
            adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()

    return step


def contender(name: str, batch: int, size: int, device: str) -> Callable[[], object]:
    """A step on made-up faces."""
    torch.manual_seed(0)
    image, normals = torch.rand(batch, 3, size, size), normalize(torch.randn(batch, 3, size, size), dim=1)
    mask = torch.ones(batch, size, size, dtype=torch.bool)
    if name.startswith("authors"):
        return authors_step(image.to(device), normals.to(device), mask.to(device))
    keep_freed_memory()
    precision: Precision = "bf16" if name.endswith("bf16") else "fp32"
    options = TrainOptions(batch_size=batch, size_px=size, precision=precision)
    trainer = Trainer(options, [], None, device=device)
    faces = PairBatch(mask=mask, image=image, normals=normals).to(trainer.device)
    return lambda: trainer.iterate(faces, 0.5)


def serve(pipe: Connection, name: str, batch: int, size: int, device: str) -> None:
    """Send the work and memory of a step, then take one whenever asked."""
    step = contender(name, batch, size, device)
    work = gigaflop(step)
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    step()
    pipe.send((work, (torch.cuda.max_memory_allocated() - before) / 2**30 if device == "cuda" else 0.0))
    while pipe.recv():
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        pipe.send(None)


def ask(pipe: Connection) -> None:
    """Have a step taken."""
    pipe.send(True)
    pipe.recv()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    options = parser.parse_args()
    names = ["authors' step", "ours"]
    if options.device == "cuda" or torch.backends.cpu.get_cpu_capability() == "AVX512":  # elsewhere emulated
        names.append("ours, bf16")
    print(machine(options.device))
    types = {name: torch.bfloat16 if name.endswith("bf16") else torch.float32 for name in names}
    peaks = {kind: peak_gflops(options.device, kind) for kind in set(types.values())}
    pipes, facts = {}, {}
    spawn = multiprocessing.get_context("spawn")
    for name in names:
        pipes[name], theirs = spawn.Pipe()
        given = (theirs, name, options.batch, options.size, options.device)
        spawn.Process(target=serve, args=given, daemon=True).start()
        facts[name] = pipes[name].recv()
    best = alternate({name: partial(ask, pipe) for name, pipe in pipes.items()}, options.rounds)
    for pipe in pipes.values():
        pipe.send(False)
    print(f"batch {options.batch}, {options.size} px")
    for name, seconds in best.items():
        (work, memory_gib), peak = facts[name], peaks[types[name]]
        print(
            f"{name}\t{seconds:.3f} s\t{options.batch / seconds:.1f} images/s\t{work:.0f} GFLOP"
            f"\t{work / seconds / peak:.0%} of a matrix product's {peak:.0f} GFLOP/s"
            f"\t{seconds / best[names[0]]:.2f} of the authors' time",
            *([f"\t{memory_gib:.2f} GiB beside what rests"] if memory_gib else []),
        )


if __name__ == "__main__":
    main()
