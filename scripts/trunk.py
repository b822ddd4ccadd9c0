"""Take the trunk of `fine` weights out as `lite` ones, to train it alone at half the side, and put it back.

python scripts/trunk.py out FINE.safetensors LITE.safetensors
python scripts/trunk.py in FINE.safetensors LITE.safetensors NEW_FINE.safetensors
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from fnormal.network.checkpoint import load_weights, save_weights
from fnormal.network.model import CrossModalNet


def take_out(fine: Path, lite: Path) -> None:
    """Write ``lite``: everything of ``fine`` but the detail head."""
    model, info = load_weights(fine)
    trunk = CrossModalNet("lite", info.ablation)
    state = model.state_dict()
    trunk.load_state_dict({key: state[key] for key in trunk.state_dict()})
    save_weights(lite, trunk, replace(info, arch="lite", size_px=info.size_px // 2, figures={}))


def put_in(fine: Path, lite: Path, out: Path) -> None:
    """Write ``out``: ``fine`` with the trunk of ``lite``."""
    model, info = load_weights(fine)
    model.load_state_dict({**model.state_dict(), **load_weights(lite)[0].state_dict()})
    save_weights(out, model, replace(info, figures={}))


if __name__ == "__main__":
    {"out": take_out, "in": put_in}[sys.argv[1]](*map(Path, sys.argv[2:]))
