"""Commands killed at random moments: run again they give the same files, and nothing else lies about."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import write_set

ROOT = Path(__file__).resolve().parents[1]
KILLS = 12  # of each command


def content(folder: Path) -> dict[str, str]:
    """A word for each file of a run that changes with what it says."""
    words = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name, digest = path.relative_to(folder).as_posix(), hashlib.sha256()
        if path.suffix == ".h5":
            with h5py.File(path) as file:
                for key in sorted(file):
                    values = file[key][:]
                    digest.update(repr(list(values)).encode() if values.dtype == object else values.tobytes())
        elif path.suffix == ".safetensors":
            for key, value in sorted(load_file(path).items()):
                digest.update(key.encode() + value.numpy().tobytes())
        elif path.suffix == ".ckpt":
            state = torch.load(path, weights_only=True)["model"]
            for key, value in sorted(state.items()):
                digest.update(key.encode() + value.numpy().tobytes())
        elif path.suffix == ".jsonl":
            digest.update(json.dumps([json.loads(line) for line in path.read_text().splitlines()]).encode())
        else:
            digest.update(path.read_bytes())
        words[name] = digest.hexdigest()
    return words


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, astronaut: Path, makehuman: Path) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "photos").mkdir()
    for number in range(6):
        shutil.copy(astronaut, folder / "photos" / f"{number}.png")
    write_set(folder / "p.h5", 24, 32)
    write_set(folder / "big.h5", 60, 128)
    (folder / "makehuman").symlink_to(makehuman)
    return folder


def commands(inputs: Path, out: Path) -> dict[str, list[object]]:
    return {
        "predict": ["predict", inputs / "photos", "--threads", 1, "--out", out],
        "enhance": ["enhance", inputs / "photos" / "0.png", "--threads", 1, "--out", out],
        "render": ["render-dataset", inputs / "makehuman", "--dataset", "anny", "--scans", 30, "--views", 4,
                   "--size", 64, "--backend", "soft", "--out", out / "d.h5"],
        "merge": ["merge", inputs / "big.h5", inputs / "big.h5", "--out", out / "m.h5"],
        "train": ["train", "--pairs", inputs / "p.h5", "--arch", "tiny", "--size", 32, "--batch-size", 2,
                  "--epochs", 3, "--save-every", 5, "--threads", 1, "--out", out],
    }  # fmt: skip


def start(arguments: list[object]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "fnormal", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def whole(arguments: list[object]) -> float:
    """Run a command to its end; its seconds."""
    begun = time.monotonic()
    process = start(arguments)
    _, told = process.communicate()
    assert process.returncode == 0, told
    return time.monotonic() - begun


@pytest.mark.slow
@pytest.mark.parametrize("name", ["predict", "enhance", "render", "merge", "train"])
def test_killed_at_random_moments_nothing_is_lost(name: str, inputs: Path, tmp_path: Path) -> None:
    seconds = whole(commands(inputs, tmp_path / "whole")[name])
    expected, chance = content(tmp_path / "whole"), random.Random(name)
    for number in range(KILLS):
        out = tmp_path / f"cut{number}"
        arguments = commands(inputs, out)[name]
        process = start(arguments)
        time.sleep(chance.uniform(0.3, 1.0) * seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if name == "train" and (out / "last.ckpt").is_file():
            arguments = [*arguments, "--resume"]
        if name in ("render", "merge") and (out / ("d.h5" if name == "render" else "m.h5")).is_file():
            assert content(out) == expected, "it was killed after its last file"
            continue
        whole(arguments)
        assert content(out) == expected
        shutil.rmtree(out)
