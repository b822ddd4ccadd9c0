"""ablate: the four networks of Fig. 6 on the same data, over several seeds, and Fig. 7's table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fnormal.commands.evaluate import network_errors, open_pairs
from fnormal.commands.train import train
from fnormal.config import ABLATIONS
from fnormal.datasets.hdf5 import Dataset
from fnormal.errors import FNormalError
from fnormal.evaluation.metrics import ErrorSummary
from fnormal.network.checkpoint import load_weights
from fnormal.options import Ablation, TrainOptions
from fnormal.progress import Progress

NAMES: dict[Ablation, str] = {
    "no-skip": "w/o skip co. (Fig. 6b)",
    "no-normal-encoder": "w/o E_N (Fig. 6c)",
    "plain": "w/o E_N, D_I (Fig. 6d)",
    "full": "ours (Fig. 6a)",
}


@dataclass(frozen=True)
class Result:
    """What one network reached over its seeds.

    Attributes:
        mean: Every figure averaged over the seeds.
        seed_means_deg: Mean error of each seed.
    """

    mean: ErrorSummary
    seed_means_deg: tuple[float, ...]

    def seeds_text(self) -> str:
        """The seeds' means, and their standard deviation."""
        means = ", ".join(f"{value:.2f}" for value in self.seed_means_deg)
        return f"{means} (std {np.std(self.seed_means_deg):.2f})"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self.mean.as_dict(), "seed_means_deg": list(self.seed_means_deg)}


def check_sets(sets: Sequence[Dataset], tests: Sequence[Path]) -> None:
    """Before hours of training: there are pairs to train on, and pairs to compare on.

    Raises:
        FNormalError: There are none.
    """
    if not any(data.modality == "pairs" for data in sets):
        raise FNormalError("two of the four networks learn from pairs alone: give --pairs")
    for path in tests:
        open_pairs(path)


def usable(sets: Sequence[Dataset], ablation: Ablation) -> list[Dataset]:
    """The sets that a network has the branches for; all four see the same pairs, equally often."""
    parts = ABLATIONS[ablation]
    useless = {"normals": not parts.normal_encoder, "images": not parts.image_decoder}
    return [data for data in sets if not useless.get(data.modality, False)]


def train_all(
    sets: Sequence[Dataset], out: Path, options: TrainOptions, seeds: int, encoder_weights: str | None = None
) -> Iterator[Progress]:
    """Train each network with each seed into ``out/<network>-<seed>``; what is there goes on or is kept.

    Raises:
        FNormalError: See :func:`commands.train.train`.
    """
    for seed in range(seeds):
        for ablation in NAMES:
            folder = _folder(out, ablation, seed)
            how = replace(options, ablation=ablation, seed=seed)
            begun = (folder / "last.ckpt").is_file()
            runs = train(usable(sets, ablation), folder, how, encoder_weights=encoder_weights, resume=begun)
            for step in runs:
                yield replace(step, unit=f"{folder.name} {step.unit}", written=())


def compare(out: Path, test: Path, seeds: int, batch_size: int, device: str) -> dict[str, Result]:
    """What each network of :func:`train_all` reached on a set, by its name in Fig. 7."""
    data, results = open_pairs(test), {}
    for ablation, name in NAMES.items():
        found = []
        for seed in range(seeds):
            model, info = load_weights(_folder(out, ablation, seed) / "best.safetensors")
            found.append(network_errors(model.to(device), data, info.size_px, batch_size=batch_size))
        results[name] = Result(_mean(found), tuple(one.mean_deg for one in found))
    return results


def _folder(out: Path, ablation: Ablation, seed: int) -> Path:
    return out / f"{ablation}-{seed}"


def _mean(found: Sequence[ErrorSummary]) -> ErrorSummary:
    def mean(name: str) -> Any:
        values = [getattr(one, name) for one in found]
        if isinstance(values[0], dict):
            return {key: float(np.mean([value[key] for value in values])) for key in values[0]}
        return float(np.mean(values))

    return ErrorSummary(**{**found[0].as_dict(), **{k: mean(k) for k in found[0].as_dict() if k != "images"}})
