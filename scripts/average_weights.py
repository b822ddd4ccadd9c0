"""The weighted mean of two weights files of one network.

python scripts/average_weights.py FIRST.safetensors SECOND.safetensors SHARE_OF_SECOND OUT.safetensors
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from fnormal.network.checkpoint import load_weights, save_weights


def main(first: Path, second: Path, share: float, out: Path) -> None:
    """Write ``(1 - share) * first + share * second``; what counts batches is the first's."""
    model, info = load_weights(first)
    other = load_weights(second)[0].state_dict()
    mixed = {
        key: torch.lerp(value, other[key], share) if value.is_floating_point() else value
        for key, value in model.state_dict().items()
    }
    model.load_state_dict(mixed)
    save_weights(out, model, info)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
