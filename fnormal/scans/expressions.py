"""Faces that people make: expressions of ARKit's shapes, alone and combined to extremes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fnormal.arrays import Array

# by name without its side; the largest weight of each
_EXTREMES: dict[str, dict[str, float]] = {
    "laugh": {"mouthSmile": 1.0, "jawOpen": 0.6, "cheekSquint": 0.9, "eyeSquint": 0.7, "mouthUpperUp": 0.4},
    "smile": {"mouthSmile": 0.9, "cheekSquint": 0.5, "mouthUpperUp": 0.35, "mouthLowerDown": 0.25},
    "shout": {"jawOpen": 1.0, "mouthStretch": 0.6, "browDown": 0.8, "noseSneer": 0.5},
    "puff": {"cheekPuff": 1.0, "mouthPress": 0.5},
    "purse": {"mouthPucker": 1.0, "mouthFunnel": 0.5},
    "squint": {"eyeSquint": 1.0, "browDown": 0.8, "noseSneer": 0.4},
    "closed": {"eyeBlink": 1.0},
    "surprise": {"browInnerUp": 1.0, "browOuterUp": 1.0, "eyeWide": 1.0, "jawOpen": 0.6},
    "frown": {"mouthFrown": 0.9, "browDown": 0.9, "mouthShrugLower": 0.5},
    "talk": {"jawOpen": 0.4, "mouthFunnel": 0.5, "mouthLowerDown": 0.4, "mouthUpperUp": 0.3},
}
_ONE_EYE_SHARE, _LIDS_STREAM, _MOUTH_STREAM = 0.1, 3, 4
_LEAST_OPEN = 0.45
_EXTREME_SHARE, _WINK_SHARE, _GAZE_SHARE = 0.55, 0.06, 0.4


def sample_expression(names: Sequence[str], rng: np.random.Generator) -> Array:
    """Weights 0..1 of the shapes ``names`` (``..._L`` and ``..._R`` are sides). [E]

    Half of the faces make one expression, most are about the same on both sides, eyes look about.
    """
    weights = np.zeros(len(names))
    if rng.random() < _EXTREME_SHARE:
        chosen = _EXTREMES[str(rng.choice(list(_EXTREMES)))]
        strength = np.sqrt(rng.random())
        for name, top in chosen.items():
            _add(weights, names, name, strength * top * rng.uniform(0.6, 1), rng)
    stems = sorted({name.removesuffix("_L").removesuffix("_R") for name in names})
    for stem in rng.choice(stems, int(rng.integers(0, 5)), replace=False):
        if not stem.startswith(("eyeLook", "PupilDilate", "eyeBlink")):
            _add(weights, names, str(stem), rng.uniform(0, 0.6), rng)
    if rng.random() < _WINK_SHARE and "eyeBlink_L" in names:
        weights[names.index(f"eyeBlink_{rng.choice(['L', 'R'])}")] = 1
    if rng.random() < _GAZE_SHARE:
        _look(weights, names, rng)
    return np.clip(weights, 0, 1)


def sample_lids(share: float, seed: tuple[int, int]) -> tuple[float, float] | None:
    """How far the right and the left eye of a head are closed, 0..1; None for all but a ``share`` of heads.

    Sampled expressions nearly always leave eyes open, and a network that knew no others took lids for
    eyeballs. ``seed`` alone chooses: the numbers that shapes and skins are made of stay the same.
    """
    rng = np.random.default_rng(np.random.SeedSequence([*seed, _LIDS_STREAM]))
    if rng.random() >= share:
        return None
    both = float(np.sqrt(rng.random()))  # rather closed than open
    if rng.random() < _ONE_EYE_SHARE:
        return (both, 0.0) if rng.random() < 0.5 else (0.0, both)
    right, left = np.clip(both * np.exp(rng.normal(0, 0.05, 2)), 0, 1)
    return float(right), float(left)


def sample_mouth(share: float, seed: tuple[int, int]) -> float | None:
    """How far a head opens its mouth, 1 being the family's widest; None for all but a ``share`` of heads.

    One in twenty-five sampled faces opens its mouth wide, and a network that saw no more was 3 degrees worse
    on these. As in `sample_lids`, ``seed`` alone chooses.
    """
    rng = np.random.default_rng(np.random.SeedSequence([*seed, _MOUTH_STREAM]))
    return None if rng.random() >= share else float(rng.uniform(_LEAST_OPEN, 1))


def _add(weights: Array, names: Sequence[str], stem: str, amount: float, rng: np.random.Generator) -> None:
    """Add ``amount`` on both sides, not quite alike."""
    for name in (stem, f"{stem}_L", f"{stem}_R"):
        if name in names:
            weights[names.index(name)] += amount * np.exp(rng.normal(0, 0.15))


def _look(weights: Array, names: Sequence[str], rng: np.random.Generator) -> None:
    """Turn both eyes the same way."""
    aside, up = rng.uniform(-0.8, 0.8), rng.uniform(-0.5, 0.5)
    turns = {
        "eyeLookOut_L": aside, "eyeLookIn_R": aside, "eyeLookIn_L": -aside, "eyeLookOut_R": -aside,
        "eyeLookUp_L": up, "eyeLookUp_R": up, "eyeLookDown_L": -up, "eyeLookDown_R": -up,
    }  # fmt: skip
    for name, amount in turns.items():
        if name in names:
            weights[names.index(name)] = max(amount, 0)
