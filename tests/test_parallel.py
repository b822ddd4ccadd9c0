from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fnormal.errors import FNormalError
from fnormal.options.training import TrainOptions
from fnormal.training.trainer import Trainer
from tests.conftest import write_set
from tests.helpers import open_sets
from tests.parallel_worker import MODALITIES, gradients

ROOT = Path(__file__).resolve().parents[1]


def two_processes(*command: object) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    ranks = [
        subprocess.Popen(
            [sys.executable, *map(str, command)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"},
        )
        for rank in range(2)
    ]  # fmt: skip
    told = [process.communicate(timeout=240) for process in ranks]
    assert all(process.returncode == 0 for process in ranks), told
    assert told[1][0] == b"", "results are told once"


def test_two_processes_have_the_gradients_of_one(tmp_path: Path) -> None:
    """Odd batches, batch norm, masks of unequal size: the mean over processes is not the mean over images."""
    for modality in MODALITIES:
        write_set(tmp_path / f"{modality}.h5", 5, 64, modality)
    alone = gradients(tmp_path)
    two_processes("-m", "tests.parallel_worker", tmp_path)
    shared = torch.load(tmp_path / "shared.pt", weights_only=True)
    assert shared.keys() == alone.keys()
    assert len(alone) > 100
    for name, value in alone.items():
        assert (shared[name] - value).abs().max() < 1e-5 * max(1.0, float(value.abs().max())), name


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_two_processes_train_one_network(tmp_path: Path, precision: str) -> None:
    pairs = write_set(tmp_path / "pairs.h5", 8, 64)
    settings = ("--pairs", pairs, "--val", pairs, "--arch", "tiny", "--size", 64, "--batch-size", 4)
    settings += ("--epochs", 2, "--precision", precision)
    start, later, val_deg = {"fp32": (1e-4, 0.01, 0.05), "bf16": (0.005, 0.05, 0.5)}[precision]
    two_processes("-m", "fnormal", "train", *settings, "--out", tmp_path / "two")
    command = [sys.executable, "-m", "fnormal", "train", *map(str, settings), "--out", str(tmp_path / "one")]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    logs = {}
    for name in ("one", "two"):
        assert (tmp_path / name / "best.safetensors").is_file()
        logs[name] = [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
    assert len(logs["one"]) == len(logs["two"]) == 6
    for one, two in zip(logs["one"], logs["two"], strict=True):
        if "val" in one:
            assert two["val"]["mean_deg"] == pytest.approx(one["val"]["mean_deg"], abs=val_deg)
        else:
            # rounding grows from step to step; the first two have seen almost none
            assert two == pytest.approx(one, rel=start if one["step"] + one["epoch"] == 2 else later)


def test_more_processes_than_samples_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = open_sets([write_set(tmp_path / "p.h5", 4, 64)], [], [])
    monkeypatch.setattr("fnormal.training.parallel.world", lambda: 8)
    with pytest.raises(FNormalError, match="8 processes cannot share a batch of 4"):
        Trainer(TrainOptions(arch="tiny", size_px=64), sets, None)
