"""Take the trunk of weights with a detail head out, to train it alone at half the side, and put it back.

python scripts/trunk.py out WEIGHTS.safetensors TRUNK.safetensors
python scripts/trunk.py in WEIGHTS.safetensors TRUNK.safetensors NEW.safetensors

The trunk of ``fine`` is ``lite``, of ``deep`` ``deep-lite``; a deeper one than was taken out may be put in.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from fnormal.config import ARCHS, Arch
from fnormal.network.checkpoint import load_weights, save_weights
from fnormal.network.model import CrossModalNet


def take_out(source: Path, trunk_path: Path) -> None:
    """Write ``trunk_path``: everything of ``source`` but the detail head."""
    model, info = load_weights(source)
    trunk = CrossModalNet(_named(replace(model.arch, detail=0)), info.ablation)
    state = model.state_dict()
    trunk.load_state_dict({key: state[key] for key in trunk.state_dict()})
    half_px = info.size_px // 2
    save_weights(trunk_path, trunk, replace(info, arch=trunk.arch.name, size_px=half_px, figures={}))


def put_in(source: Path, trunk_path: Path, out: Path) -> None:
    """Write ``out``: ``source`` with another trunk."""
    model, info = load_weights(source)
    trunk, _ = load_weights(trunk_path)
    whole = CrossModalNet(_named(replace(trunk.arch, detail=model.arch.detail)), info.ablation)
    whole.load_state_dict({**model.state_dict(), **trunk.state_dict()})
    save_weights(out, whole, replace(info, arch=whole.arch.name, figures={}))


def _named(arch: Arch) -> str:
    """What an architecture is called."""
    return next(name for name, known in ARCHS.items() if replace(known, name=arch.name) == arch)


if __name__ == "__main__":
    {"out": take_out, "in": put_in}[sys.argv[1]](*map(Path, sys.argv[2:]))
