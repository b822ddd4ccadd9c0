"""Write the weights that a run began with: those of --init, with the head that its seed gave it.

    python scripts/start_of_run.py RUN/best.safetensors INIT.safetensors OUT.safetensors SET.h5 [SET.h5 ...]

For an average of a run's weights with those before it where the run has added a detail head. The sets are the
run's own, in its order: the first pairs set the length of the raw normals.
"""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path

from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.sample import Sample
from fnormal.network.checkpoint import load_weights, save_weights
from fnormal.options.training import TrainOptions
from fnormal.training.trainer import Trainer


def main(run: Path, init: Path, out: Path, *sets: str) -> None:
    """Build the run's trainer and keep its first weights."""
    _, info = load_weights(run)
    known = {field.name for field in fields(TrainOptions)}
    options = TrainOptions(**{k: v for k, v in info.figures["options"].items() if k in known})
    data = [Dataset[Sample](Path(path)) for path in sets]
    trainer = Trainer(replace(options, mix="size", environments=None), data, init)
    save_weights(out, trainer.model, replace(info, figures={}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
