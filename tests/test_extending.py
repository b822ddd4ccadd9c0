"""A reader, a loss and a command are each one new file and one row of a table (docs/architecture.md)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from fnormal import readers, training
from fnormal.cli.app import COMMANDS, Command, build_app
from fnormal.datasets.hdf5 import Dataset
from fnormal.geometry.normals import angular_error_deg
from fnormal.readers import Source
from fnormal.training.losses import normal_loss
from tests.conftest import write_set

ROOT = Path(__file__).resolve().parents[1]


def written_in_architecture(file: str) -> str:
    """The code block of a file that docs/architecture.md shows."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    blocks = re.findall(r"```python\n(# (\S+)\n.*?)```", text, re.DOTALL)
    return next(code for code, name in blocks if name == file)


@pytest.fixture
def new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules can be imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_reader(new_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (new_file / "balls.py").write_text(written_in_architecture("balls.py"))
    row = Source("balls:Balls", "CC0 1.0", frozenset({"scans"}), brings_own=True)
    monkeypatch.setitem(readers.SCANS, "balls", row)
    out = new_file / "balls.h5"
    arguments = ["render-dataset", "auto", "--dataset", "balls", "--scans", "2", "--views", "1"]
    done = CliRunner().invoke(
        build_app(), [*arguments, "--size", "64", "--mask", "surface", "--backend", "soft", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    data = Dataset(out)
    assert (len(data), data.licence) == (2, "CC0 1.0")
    rows, columns = (np.flatnonzero(data[0].mask.any(axis=axis)) for axis in (1, 0))
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=1), "a ball is round"
    middle = data[0].normals[round(rows.mean()), round(columns.mean())].astype(np.float64)
    assert angular_error_deg(middle, np.array([0, 0, 1])) < 5


def test_a_loss(new_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (new_file / "l1_error.py").write_text(written_in_architecture("l1_error.py"))
    monkeypatch.setitem(training.NORMAL_LOSSES, "l1", "l1_error:l1_error")
    up = torch.tensor([0.0, 0, 1])[None, :, None, None].expand(1, 3, 2, 2)
    right = torch.tensor([5.0, 0, 0])[None, :, None, None].expand(1, 3, 2, 2)
    mask = torch.ones(1, 2, 2, dtype=torch.bool)
    assert float(normal_loss(right, up, mask, "l1")) == pytest.approx(2.0)
    pairs = write_set(new_file / "p.h5", 2, 32)
    done = CliRunner().invoke(
        build_app(),
        ["train", "--pairs", str(pairs), "--arch", "tiny", "--size", "32", "--epochs", "1",
         "--batch-size", "2", "--normal-loss", "l1", "--out", str(new_file / "run")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output


def test_a_command(new_file: Path) -> None:
    (new_file / "count.py").write_text(written_in_architecture("count.py"))
    from count import Count

    app = build_app([*COMMANDS, Command("count", Count, "count:count")])
    pairs = write_set(new_file / "p.h5", 3, 32)
    done = CliRunner().invoke(app, ["count", str(pairs), str(pairs), "--json"])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [f'{{"data": "{pairs}", "samples": 3}}'] * 2
    assert "How many samples" in CliRunner().invoke(app, ["count", "-h"]).output


def test_docs_name_every_reader() -> None:
    text = (ROOT / "docs" / "datasets.md").read_text()
    for name in (*readers.SCANS, *readers.PHOTOS):
        assert f"| `{name}` |" in text
