"""Thousands of broken files: one line each, never a traceback, a hang, a crash or nonsense with exit 0."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from fnormal.faces.ladder import find_all_faces
from tests.fuzz import Seed, mutate, run, verdict, write_seeds

QUICK, SLOW = 200, 2000


def fuzz(folder: Path, photo: Path, count: int, seed: int) -> list[str]:
    """What went wrong, with what it takes to see it again."""
    seeds = ready_seeds(folder, photo)
    wrong = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        chosen = seeds[number % len(seeds)]
        data = mutate((folder / "seeds" / chosen.name).read_bytes(), rng)
        if told := verdict(chosen, data, folder / "case"):
            (folder / f"case-{number}-{chosen.name}").write_bytes(data)
            wrong.append(f"{number} {chosen.name} {chosen.command[0]}: {told}")
    return wrong


def ready_seeds(folder: Path, photo: Path) -> list[Seed]:
    """Seeds, and a process that has imported and loaded what else each of its forks would."""
    import fnormal.commands.ablate
    import fnormal.commands.enhance
    import fnormal.commands.predict
    import fnormal.commands.render_dataset  # noqa: F401

    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    seeds = write_seeds(folder / "seeds", photo)
    assert run(["inspect", str(folder / "seeds" / "pairs.h5")]) == 0
    assert not find_all_faces(np.zeros((64, 64, 3), np.uint8))  # takes every detector
    return seeds


def test_healthy_seeds_pass(tmp_path: Path, astronaut: Path) -> None:
    """The driver itself: what is not broken is taken, or refused for what it is."""
    seeds = ready_seeds(tmp_path, astronaut)
    refused = ("enhance", "import-weights")  # a ball is no face, and four numbers no network
    for seed in seeds:
        if seed.command[0] not in refused:
            assert verdict(seed, (tmp_path / "seeds" / seed.name).read_bytes(), tmp_path / "case") == "", seed


def test_200_broken_files(tmp_path: Path, astronaut: Path) -> None:
    wrong = fuzz(tmp_path, astronaut, QUICK, seed=1)
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_2000_broken_files(tmp_path: Path, astronaut: Path) -> None:
    wrong = fuzz(tmp_path, astronaut, SLOW, seed=2)
    assert not wrong, "\n".join(wrong)
