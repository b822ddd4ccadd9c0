"""ablate: the four networks of Fig. 6 on the same data, over several seeds, and Fig. 7's table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fnormal.config import ABLATIONS
from fnormal.datasets.hdf5 import Dataset, open_pairs
from fnormal.datasets.sample import Pair, Sample
from fnormal.datasets.sets import open_sets
from fnormal.errors import FNormalError
from fnormal.evaluation.metrics import ErrorSummary
from fnormal.evaluation.scores import network_errors
from fnormal.evaluation.tables import summary_table, table_results
from fnormal.network.checkpoint import load_weights
from fnormal.network.device import set_up
from fnormal.options.training import Ablate, Ablation
from fnormal.progress import Progress
from fnormal.training.loop import BEST, CHECKPOINT, train

NAMES: dict[Ablation, str] = {
    "no-skip": "w/o skip co. (Fig. 6b)",
    "no-normal-encoder": "w/o E_N (Fig. 6c)",
    "plain": "w/o E_N, D_I (Fig. 6d)",
    "full": "ours (Fig. 6a)",
}


def ablate(options: Ablate) -> Iterator[Progress]:
    """Train each network with each seed into ``out/<network>-<seed>``, then compare them.

    What is there continues, or is kept.

    Raises:
        FNormalError: There are no pairs; see also :func:`fnormal.training.loop.train`.
    """
    device = set_up(options.compute.device, options.compute.threads)
    sets, tests = open_sets(options.sets), [open_pairs(path) for path in options.test]
    if not any(data.modality == "pairs" for data in sets):
        raise FNormalError("two of the four networks learn from pairs alone: give --pairs")
    out = options.out or Path("runs/ablation")
    yield from _train_all(sets, out, options, device)
    for data in tests:
        yield from _compare(out, data, options, device)


def usable(sets: Sequence[Dataset[Sample]], ablation: Ablation) -> list[Dataset[Sample]]:
    """The sets that a network has the branches for; all four see the same pairs, equally often."""
    parts = ABLATIONS[ablation]
    useless = {"normals": not parts.normal_encoder, "images": not parts.image_decoder}
    return [data for data in sets if not useless.get(data.modality, False)]


def _train_all(
    sets: Sequence[Dataset[Sample]], out: Path, options: Ablate, device: str
) -> Iterator[Progress]:
    for seed in range(options.seeds):
        for ablation in NAMES:
            folder = _folder(out, ablation, seed)
            begun = (folder / CHECKPOINT).is_file()
            steps = train(
                usable(sets, ablation), folder, replace(options.training, ablation=ablation, seed=seed),
                encoder_weights=options.encoder_weights, resume=begun, device=device,
            )  # fmt: skip
            for step in steps:
                yield replace(step, unit=f"{folder.name} {step.unit}", written=())


@dataclass(frozen=True)
class Reached:
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


def _compare(out: Path, data: Dataset[Pair], options: Ablate, device: str) -> Iterator[Progress]:
    """Fig. 7's table on a set, over the seeds."""
    reached = {}
    for ablation, name in NAMES.items():
        summaries = []
        for seed in range(options.seeds):
            model, info = load_weights(_folder(out, ablation, seed) / BEST)
            model.to(device)
            summaries.append(network_errors(model, info, data, batch_size=options.training.batch_size))
        reached[name] = Reached(_mean(summaries), tuple(one.mean_deg for one in summaries))
    means = {name: one.mean for name, one in reached.items()}
    yield Progress(table=summary_table(str(data.path), means))
    for name, one in reached.items():
        yield Progress(says=f"{data.path.name}: {name}: mean of each seed {one.seeds_text()}")
    records: dict[str, dict[str, Any]] = {
        name: {
            "data": str(data.path), "network": name, **one.mean.as_dict(),
            "seed_means_deg": list(one.seed_means_deg),
        }
        for name, one in reached.items()
    }  # fmt: skip
    yield Progress(results=table_results(means, options.style, records))


def _folder(out: Path, ablation: Ablation, seed: int) -> Path:
    return out / f"{ablation}-{seed}"


def _mean(summaries: Sequence[ErrorSummary]) -> ErrorSummary:
    def mean(name: str) -> Any:
        values = [getattr(one, name) for one in summaries]
        if isinstance(values[0], dict):
            return {key: float(np.mean([value[key] for value in values])) for key in values[0]}
        return float(np.mean(values))

    first = summaries[0].as_dict()
    return ErrorSummary(**{**first, **{name: mean(name) for name in first if name != "images"}})
