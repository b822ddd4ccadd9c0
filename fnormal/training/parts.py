"""Which parts of the network learn: all of them, or those that --only names; the others stay bit for bit."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.sample import Sample
from fnormal.errors import FNormalError
from fnormal.network.model import CrossModalNet
from fnormal.options.training import TrainOptions

# what each pass goes through (Fig. 2)
_ON_THE_WAY = {
    "image_to_normals": ("image_encoder", "normal_decoder", "detail"),
    "image_to_image": ("image_encoder", "image_decoder"),
    "normals_to_normals": ("normal_encoder", "normal_decoder"),
}
_NOT_NEEDED = {"detail"}  # a pass goes on without it


def freeze_others(model: CrossModalNet, only: str | None) -> None:
    """Let the parts ``only`` learn, comma-separated as in ``image-encoder,normal-decoder``; None: all.

    Raises:
        FNormalError: The network has no such part.
    """
    if only is None:
        return
    parts = {name.replace("_", "-"): part for name, part in model.named_children()}
    wanted = [word.strip() for word in only.split(",")]
    for word in wanted:
        if word not in parts:
            raise FNormalError(f"--only {only}: this network has no '{word}'; use {', '.join(parts)}")
    for name, part in parts.items():
        part.requires_grad_(name in wanted)


def learning_passes(model: CrossModalNet) -> set[str]:
    """Names of the passes that change something in the network."""
    learns = {name: _learns(part) for name, part in model.named_children()}
    return {
        name
        for name, way in _ON_THE_WAY.items()
        if learns.keys() >= set(way) - _NOT_NEEDED and any(learns.get(part) for part in way)
    }


def set_modes(model: CrossModalNet) -> None:
    """Training for the parts that learn; the batch norms of the others keep their statistics."""
    model.train()
    for part in model.children():
        part.train(_learns(part))


def check_sets(sets: Sequence[Dataset[Sample]], passes: set[str], options: TrainOptions) -> None:
    """See that every set teaches the parts that learn something.

    Raises:
        FNormalError: One does not.
    """
    photos = "image_to_normals" if options.consistency_weight else "image_to_image"
    teaches = {"pairs": passes, "images": passes & {photos}, "normals": passes & {"normals_to_normals"}}
    for data in sets:
        if not teaches[data.modality]:
            who = f"the '{options.ablation}' network" if options.only is None else f"--only {options.only}"
            raise FNormalError(
                f"{data.path.name}: {who} learns nothing from {data.modality} alone; leave the set out"
            )


def _learns(part: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in part.parameters())
