"""The averaged weights that a run ended with, where validation has preferred others.

python scripts/last_weights.py RUN OUT.safetensors
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from fnormal.network.checkpoint import load_weights, save_weights
from fnormal.training.loop import BEST, CHECKPOINT


def main(run: Path, out: Path) -> None:
    """Write the average of the run's checkpoint with what its best weights say of themselves."""
    average = torch.load(run / CHECKPOINT, map_location="cpu", weights_only=True)["average"]
    model, info = load_weights(run / BEST)
    model.load_state_dict({key: average[f"module.{key}"] for key in model.state_dict()})
    save_weights(out, model, info)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
