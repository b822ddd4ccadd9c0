"""Train the two branches that image-to-normals does not pass, normal encoder and image decoder, alone.

    python scripts/other_branches.py LITE.safetensors OUT.safetensors SET.h5 [SET.h5 ...] [--batches 420]

Runs with --cross-modal-every 1000000 leave them behind. Take the trunk of `fine` weights out first
(trunk.py): normals and decoded pictures do not pass the detail head.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from fnormal.datasets.batch import PairBatch
from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.sample import Sample
from fnormal.network.checkpoint import load_weights, save_weights
from fnormal.network.fast.layers import accelerate
from fnormal.network.model import CrossModalNet
from fnormal.options.training import TrainOptions
from fnormal.training.batches import EpochBatches, ResizedSamples, loader, share_memory
from fnormal.training.losses import image_loss, mean_error_deg, normal_loss
from fnormal.training.optimizer import learning_rate, make_optimizer

OPTIONS = TrainOptions(
    optimizer="muon", schedule="one-cycle", learning_rate=2e-3, batch_size=48, normal_loss="angle"
)
SAYS_EVERY = 50  # batches


def only_others_learn(model: CrossModalNet) -> None:
    """Whatever takes part in image-to-normals keeps its weights and its batch norms' means."""
    model.train()
    model.image_encoder.eval()
    for part in (model.image_encoder, model.normal_decoder):
        part.requires_grad_(requires_grad=False)


def losses(model: CrossModalNet, batch: PairBatch) -> tuple[Tensor, Tensor, Tensor]:
    """Of the normals and of the picture, each through its latent; and the normals' mean error in degrees."""
    assert model.image_decoder is not None, "the whole network"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        raw = model.normals_to_normals(batch.normals)
        with torch.no_grad():
            latent, _ = model.image_encoder(batch.image)
        picture = model.image_decoder(latent)
    return (
        normal_loss(raw, batch.normals, batch.mask, OPTIONS.normal_loss),
        image_loss(picture, batch.image, batch.mask),
        mean_error_deg(raw, batch.normals, batch.mask),
    )


def shuffled(sets: list[Path], size_px: int, count: int) -> Iterator[PairBatch]:
    """So many batches of the sets' pairs in their stored light, framed anew; the sets again and again."""
    data = [ResizedSamples(Dataset[Sample](path), size_px, whole=True) for path in sets]
    share_memory(data, 2**32)
    plans = (
        EpochBatches(data, batch_size=OPTIONS.batch_size, seed=0, epoch=epoch, reframe_share=0.4)
        for epoch in itertools.count()
    )
    endless = (batch for plan in plans for batch in loader(plan, 1))
    for batch in itertools.islice(endless, count):
        assert isinstance(batch, PairBatch), "pairs have both"
        yield batch.to(torch.device("cpu"))


def main(weights: Path, out: Path, sets: list[Path], batches: int) -> None:
    """Train and write ``out``."""
    model, info = load_weights(weights)
    accelerate(model)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = make_optimizer(model, OPTIONS)
    only_others_learn(model)
    for done, batch in enumerate(shuffled(sets, info.size_px, batches)):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(OPTIONS, done / batches)
        normals, picture, error_deg = losses(model, batch)
        optimizer.zero_grad()
        (normals + picture).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if done % SAYS_EVERY == 0 or done == batches - 1:
            off = float(picture.detach()) ** 0.5
            sys.stderr.write(f"{done + 1}/{batches} {float(error_deg):.2f} degrees, picture {off:.3f}\n")
    save_weights(out, model, info)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--batches", type=int, default=420)
    options = parser.parse_args()
    main(options.weights, options.out, options.sets, options.batches)
