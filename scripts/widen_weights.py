"""Weights of a wider network that start as what narrower ones say.

    python scripts/widen_weights.py fine.safetensors quality one-way wide.safetensors

The channels of the narrow network are the first of the wide one's; in the normal decoder, whose last channels
meet the skips, they are the first of those that pass and the first of those that meet. New channels read what
is there by random weights, and nothing reads them yet: their outgoing weights are 0.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from fnormal.config import Arch
from fnormal.network.checkpoint import load_weights, save_weights
from fnormal.network.model import CrossModalNet


def decoded(arch: Arch, level: int) -> tuple[int, int]:
    """Channels that enter the normal decoder's convolution: those that pass, those that meet the skip."""
    width = (arch.latent_up, *arch.normal_decoder)[level]
    meets = arch.skips[level] if level < len(arch.skips) else 0
    return width - meets, meets


def places(narrow: Arch, wide: Arch, level: int) -> Tensor:
    """Where the narrow network's channels of a level lie among the wide one's."""
    passing, meeting = decoded(narrow, level)
    return torch.cat([torch.arange(passing), decoded(wide, level)[0] + torch.arange(meeting)])


def channels(name: str, narrow: Arch, wide: Arch) -> tuple[Tensor | None, Tensor | None]:
    """Places of a parameter's outputs and inputs in the decoder; None: they are the first ones."""
    part = name.split(".")
    if part[:2] == ["normal_decoder", "latent"]:
        return places(narrow, wide, 0), None
    if part[:2] == ["normal_decoder", "convs"]:
        level = int(part[2])
        return places(narrow, wide, level + 1), places(narrow, wide, level)
    return None, None


def widened(name: str, old: Tensor, new: Tensor, narrow: Arch, wide: Arch) -> Tensor:
    """``new`` with ``old`` inside: its outputs read as before, and from no new channel."""
    if old.ndim == 0:
        return old
    outputs, inputs = channels(name, narrow, wide)
    rows = torch.arange(len(old)) if outputs is None else outputs
    result = new.clone()
    if old.ndim == 1:
        result[rows] = old
        return result
    columns = torch.arange(old.shape[1]) if inputs is None else inputs
    fresh = torch.ones(new.shape[1], dtype=torch.bool)
    fresh[columns] = False
    result[rows[:, None], fresh.nonzero()[:, 0]] = 0
    result[rows[:, None], columns] = old
    return result


def main(source: Path, arch: str, ablation: str, out: Path) -> None:
    """Write the wide weights, if they say what the narrow ones do."""
    torch.manual_seed(0)
    old, info = load_weights(source)
    model = CrossModalNet(arch, ablation)
    small, state = old.state_dict(), model.state_dict()
    for name, value in state.items():
        state[name] = widened(name, small[name], value, old.arch, model.arch)
    model.load_state_dict(state)
    check(old, model.eval())
    save_weights(out, model, replace(info, arch=arch, ablation=ablation))


@torch.no_grad()
def check(old: nn.Module, new: nn.Module) -> None:
    """See that the wide network says what the narrow one does."""
    picture = torch.rand(1, 3, 128, 128)
    off = (old("image_to_normals", picture) - new("image_to_normals", picture)).abs().max()
    if off > 1e-3:
        raise SystemExit(f"the wide network is off by {off:.3g}: the channels do not lie where they should")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))
