"""Thousands of broken files: one line each, never a traceback, a hang, a crash or nonsense with exit 0."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import fuzz

QUICK, SLOW = 200, 2000


def test_200_broken_files(tmp_path: Path, astronaut: Path) -> None:
    wrong = fuzz(tmp_path, astronaut, QUICK, seed=1)
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_2000_broken_files(tmp_path: Path, astronaut: Path) -> None:
    wrong = fuzz(tmp_path, astronaut, SLOW, seed=2)
    assert not wrong, "\n".join(wrong)
