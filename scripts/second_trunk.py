"""Join `fine` weights and the trunk of others to `quality` ones, whose answer is the mean of both.

python scripts/second_trunk.py FINE.safetensors LITE.safetensors QUALITY.safetensors PAIRS.h5
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch

from fnormal.datasets.batch import PairBatch, collate
from fnormal.datasets.hdf5 import open_pairs
from fnormal.datasets.resize import resize_sample
from fnormal.network.checkpoint import load_weights, save_weights
from fnormal.network.model import CrossModalNet
from fnormal.network.vectors import length


@torch.no_grad()
def main(fine: Path, lite: Path, out: Path, pairs: Path) -> None:
    """Both raw normals get half of the length that those of ``fine`` have on ``pairs`` on the mean."""
    first, info = load_weights(fine)
    other, _ = load_weights(lite)
    data = open_pairs(pairs)
    batch = collate("pairs", [resize_sample(data[i], info.size_px // 2) for i in data.spread(64)]).to(
        torch.device("cpu")
    )
    assert isinstance(batch, PairBatch)
    x = batch.image
    trunk = first.normal_decoder(*first.image_encoder(x))
    long = length(trunk)[batch.mask].mean() / length(other.image_to_normals(x))[batch.mask].mean()
    joined = CrossModalNet("quality", info.ablation)
    assert joined.second is not None, "quality has one"
    state = {**joined.state_dict(), **first.state_dict()}
    for name, part in (("encoder", other.image_encoder), ("decoder", other.normal_decoder)):
        state |= {f"second.{name}.{key}": value for key, value in part.state_dict().items()}
    joined.load_state_dict(state)
    for decoder, share in ((joined.normal_decoder, 0.5), (joined.second.decoder, 0.5 * long)):
        for parameter in decoder.last.parameters():
            parameter *= share
    save_weights(out, joined, replace(info, arch="quality", figures={}))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
