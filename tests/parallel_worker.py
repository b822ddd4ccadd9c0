"""One of several processes: the gradients of one batch of each modality, written by the first."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path

import torch

from fnormal.options.training import TrainOptions
from fnormal.training import parallel
from fnormal.training.trainer import Trainer
from tests.helpers import open_sets

MODALITIES = ("pairs", "images", "normals")


def gradients(folder: Path) -> dict[str, torch.Tensor]:
    """Of the first batch of each modality, and the running statistics that it leaves.

    In double: torch's own batch norm is 2e-5 off in single precision, in one process.
    """
    torch.set_default_dtype(torch.float64)
    found = {}
    options = TrainOptions(batch_size=5, arch="tiny", size_px=64, gradient_weight=0.3, cross_modal_every=2)
    for i, modality in enumerate(MODALITIES):
        files = [[folder / f"{m}.h5"] if m == modality else [] for m in MODALITIES]
        trainer = Trainer(options, open_sets(*files), None)
        trainer.paired_steps = 1  # image-to-normals alone: one update, whose gradients stay
        batch = trainer.batches()[0].to(trainer.device)
        parts = {f.name: getattr(batch, f.name) for f in fields(batch) if f.name != "mask"}
        batch = replace(batch, **{name: values.double() for name, values in parts.items()})
        losses = trainer.iterate(batch, 0.5)
        found |= {f"{i}.loss.{k}": torch.tensor(v) for k, v in losses.items()}
        for name, parameter in trainer.model.named_parameters():
            if parameter.grad is not None and parameter.grad.any():
                found[f"{i}.{name}"] = parameter.grad
        found |= {f"{i}.{k}": v for k, v in trainer.model.named_buffers() if v.is_floating_point()}
    torch.set_default_dtype(torch.float32)
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    assert parallel.start("cpu") == "cpu"
    result = gradients(Path(sys.argv[1]))
    if parallel.rank() == 0:
        torch.save(result, Path(sys.argv[1]) / "shared.pt")
    torch.distributed.destroy_process_group()
