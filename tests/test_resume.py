"""Runs that die: by Ctrl-C, by kill -9, on a full disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests import forks
from tests.conftest import write_set

ROOT = Path(__file__).resolve().parents[1]
STEPS = 60
SETTINGS = (
    "--arch", "tiny", "--size", 32, "--batch-size", 2, "--epochs", 3, "--lr", 1e-3, "--optimizer", "muon",
    "--ema", 0.9, "--rotate", 10, "--mix", "2,1", "--save-every", 7, "--threads", 1,
)  # fmt: skip


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("sets")
    return write_set(folder / "p.h5", 24, 32), write_set(folder / "n.h5", 16, 32, "normals", 1)


def arguments(sets: tuple[Path, Path], out: Path, *more: object) -> list[str]:
    parts = ("train", "--pairs", sets[0], "--normals", sets[1], "--out", out, *SETTINGS, *more)
    return [*map(str, parts)]


def command(sets: tuple[Path, Path], out: Path, *more: object) -> list[str]:
    return [sys.executable, "-m", "fnormal", *arguments(sets, out, *more)]


def finish(sets: tuple[Path, Path], out: Path, *more: object) -> None:
    forks.run(arguments(sets, out, *more)).check_returncode()


@pytest.fixture(scope="module")
def whole(sets: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    finish(sets, out)
    return out


def records(out: Path) -> list[str]:
    return (out / "log.jsonl").read_text().splitlines()


def same_state(one: object, other: object) -> bool:
    if isinstance(one, dict):
        assert isinstance(other, dict)
        return one.keys() == other.keys() and all(same_state(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return all(same_state(a, b) for a, b in zip(one, other, strict=True))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_run_cut_at_step_25_ends_bitwise_like_a_whole_one(
    how: signal.Signals, sets: tuple[Path, Path], whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process = subprocess.Popen(
        command(sets, out), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    while not (out / "log.jsonl").is_file() or len(records(out)) < 25:
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.002)
    os.kill(process.pid, how)
    _, told = process.communicate()
    assert (process.returncode == -9) if how == signal.SIGKILL else (process.returncode == 130), told
    assert len(records(out)) < STEPS, "it was cut"
    finish(sets, out, "--resume")
    ends = [torch.load(folder / "last.ckpt", weights_only=True) for folder in (whole, out)]
    assert same_state(ends[0], ends[1])
    assert [json.loads(line) for line in records(out)] == [json.loads(line) for line in records(whole)]
    assert len(records(out)) == STEPS
    assert (out / "best.safetensors").read_bytes() == (whole / "best.safetensors").read_bytes()


def test_a_full_disk_is_one_line_and_leaves_the_last_checkpoint(
    sets: tuple[Path, Path], whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process = subprocess.Popen(command(sets, out), cwd=ROOT, stderr=subprocess.DEVNULL)
    while not (out / "last.ckpt").is_file():
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.wait()
    before = (out / "last.ckpt").read_bytes()
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    limited += "from fnormal.cli.app import app; app()"
    resumed = arguments(sets, out, "--resume")
    done = subprocess.run([sys.executable, "-c", limited, *resumed], cwd=ROOT, capture_output=True)
    told = [line for line in done.stderr.decode().splitlines() if line.startswith("fnormal: ")]
    assert done.returncode == 1, done.stderr
    assert len(told) == 1
    assert "cannot write" in told[0]
    assert "last.ckpt" in told[0]
    assert "Traceback" not in done.stderr.decode()
    assert (out / "last.ckpt").read_bytes() == before
    assert not list(out.glob("*.partial")), "nothing half-written"
    finish(sets, out, "--resume")
    assert (out / "best.safetensors").read_bytes() == (whole / "best.safetensors").read_bytes()


def test_a_signal_to_every_process_of_a_job_saves_too(sets: tuple[Path, Path], tmp_path: Path) -> None:
    """As batch systems send it: the reader must not die before the batch is finished and saved."""
    out = tmp_path / "run"
    process = subprocess.Popen(
        command(sets, out, "--workers", 1), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    while not (out / "log.jsonl").is_file() or len(records(out)) < 5:
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert b"Traceback" not in told
    assert (out / "last.ckpt").is_file()
