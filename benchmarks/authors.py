"""The authors' step as their release's forward implies it: single precision, contiguous, nothing left out.

A plain transcription for the benchmarks: whatever the input, both decoders run, so do the dead
full-resolution convolutions of the normal encoder; skips by concatenation and maximum, autograd's gradients.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tests.authors_network import Reference, random_state


class Authors(Reference):
    """The network, trainable."""

    def __init__(self, device: str = "cpu") -> None:
        state = {k: v for k, v in random_state().items() if not k.startswith("base_model.")}
        super().__init__({k: v.to(device) for k, v in state.items()})
        self.training = True

    def parameters(self) -> list[Tensor]:
        """Leaves that an optimiser moves."""
        leaves = [v for k, v in self.state.items() if v.is_floating_point() and "running" not in k]
        return [leaf.requires_grad_() for leaf in leaves]

    def from_image(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Normals and image of an image."""
        latent, skips = self.encode_image(x)
        return self.decode_normals(latent, skips), self.decode_image(latent)

    def from_normals(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Normals and image of normals."""
        self.full(x, "_2")
        latent = self.encode(x, "_2")[-1]
        return self.decode_normals(latent, None), self.decode_image(latent)


def alternate(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Best seconds of each over ``rounds`` that alternate, after one that is not counted."""
    best = dict.fromkeys(contenders, float("inf"))
    for number in range(rounds + 1):
        for name, run in contenders.items():
            time.sleep(0.1)  # threads of the one before spin on for a while
            started = time.perf_counter()
            run()
            if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
                torch.cuda.synchronize()
            if number:
                best[name] = min(best[name], time.perf_counter() - started)
    return best


def gigaflop(run: Callable[[], object]) -> float:
    """Of one run, a multiplication and an addition counted as two."""
    with FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops()) / 1e9


def peak_gflops(device: str = "cpu", dtype: torch.dtype = torch.float32) -> float:
    """What a large matrix product reaches here: the peak that shares are of. On CUDA single means TF32."""
    torch.backends.cuda.matmul.allow_tf32 = True  # as torch's convolutions do unasked
    side = 8192 if device == "cuda" else 2048
    a, b = torch.rand(2, side, side, device=device, dtype=dtype)
    return 2 * side**3 / 1e9 / alternate({"product": lambda: a @ b}, 5)["product"]


def machine(device: str = "cpu") -> str:
    """Processor, threads, GPU, torch."""
    with open("/proc/cpuinfo") as file:
        models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    name = models[0] if models else platform.processor()
    capability = torch.backends.cpu.get_cpu_capability()
    threads = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads"
    gpu = f", {torch.cuda.get_device_name()}" if device == "cuda" else ""
    return f"{name}, {threads}, {capability}{gpu}, torch {torch.__version__}"
