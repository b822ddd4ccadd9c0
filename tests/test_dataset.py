from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from fnormal.datasets.hdf5 import Dataset, DatasetWriter
from fnormal.datasets.sample import ImageSample, NormalsSample
from fnormal.errors import FNormalError
from fnormal.files.writing import is_abandoned, partial_name
from fnormal.geometry.normals import angular_error_deg
from fnormal.training.batches import ResizedSamples, plan_epoch, share_memory
from tests.conftest import make_samples, write_set


@pytest.mark.parametrize("modality", ["pairs", "images", "normals"])
def test_samples_come_back(tmp_path: Path, modality: str) -> None:
    samples = make_samples(3, 32, modality)
    data = Dataset(write_set(tmp_path / "d.h5", 3, 32, modality))
    assert (data.modality, data.size_px, len(data)) == (modality, 32, 3)
    assert data.subjects == ["subject0", "subject1", "subject2"]
    for i, sample in enumerate(samples):
        back = data[i]
        assert np.array_equal(back.mask, sample.mask)
        assert type(back) is type(sample)
        assert isinstance(back, ImageSample) == (modality != "normals")
        assert isinstance(back, NormalsSample) == (modality != "images")
        if isinstance(back, ImageSample):
            assert np.array_equal(back.image, sample.image)
        if isinstance(back, NormalsSample):
            error = angular_error_deg(back.normals, sample.normals)[sample.mask]
            assert error.max() < 0.06, "float16"
    assert [p.name for p in tmp_path.iterdir()] == ["d.h5"]


def test_schema_of_the_file(pairs: Path) -> None:
    with h5py.File(pairs) as file:
        assert dict(file.attrs) | {"config": "", "fnormal_version": ""} == {
            "format": "fnormal-dataset", "version": 1, "modality": "pairs", "frame": "opengl",
            "size": 64, "config": "", "fnormal_version": "", "licence": "test", "failures": "[]",
        }  # fmt: skip
        assert file["normals"].attrs["code"] == "float16"
        assert file["image"].chunks == (1, 64, 64, 3)
        assert set(file) == {"image", "normals", "mask", "subject", "source", "landmarks", "view"}


def test_nothing_is_overwritten(pairs: Path) -> None:
    before = pairs.read_bytes()
    with pytest.raises(FNormalError, match="exists already"):
        DatasetWriter(pairs, "pairs", 64, config={}, licence="")
    assert pairs.read_bytes() == before


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk's end."""
    code = (
        "import resource, sys; from pathlib import Path; from tests.conftest import make_samples;"
        "from fnormal.datasets.hdf5 import DatasetWriter; from fnormal.errors import FNormalError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "writer = DatasetWriter(Path(sys.argv[1]), 'pairs', 256, config={}, licence='')\n"
        "writer.append(make_samples(8, 256))\n"
        "try:\n    writer.finish()\n"
        "except FNormalError as error:\n    print(error); writer.discard()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "d.h5")], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "free some space" in done.stdout
    assert done.stdout.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_partial_files_tell_whether_their_maker_lives(tmp_path: Path) -> None:
    mine = partial_name(tmp_path / "a.h5")
    assert is_abandoned(mine), "this process has let go of it"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    assert is_abandoned(mine.with_name(mine.name.replace(f"-{os.getpid()}.", f"-{dead.pid}.")))
    assert not is_abandoned(mine.with_name(mine.name.replace(f"-{os.getpid()}.", f"-{os.getppid()}.")))
    assert not is_abandoned(tmp_path / "a.h5.elsewhere-1.partial")


@pytest.mark.parametrize("damage", ["missing", "truncated", "text", "foreign", "frame"])
def test_damaged_files_get_one_line(pairs: Path, damage: str) -> None:
    if damage == "missing":
        pairs.unlink()
    elif damage == "truncated":
        pairs.write_bytes(pairs.read_bytes()[:5000])
    elif damage == "text":
        pairs.write_text("hello")
    else:
        with h5py.File(pairs, "r+") as file:
            file.attrs["format" if damage == "foreign" else "frame"] = "opencv"
    with pytest.raises(FNormalError) as caught:
        Dataset(pairs)
    assert str(pairs) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_open_handles_do_not_cross_processes(pairs: Path) -> None:
    data = Dataset(pairs)
    expected = data[1].image
    again = pickle.loads(pickle.dumps(data))
    assert again._handle is None
    assert np.array_equal(again[1].image, expected)


def test_cache_gives_what_the_file_gives(pairs: Path) -> None:
    data = Dataset(pairs)
    cached, plain = ResizedSamples(data, 32), ResizedSamples(data, 32)
    share_memory([cached], 10**9)
    for _ in range(2):
        for i in range(len(data)):
            assert np.array_equal(cached[i].normals, plain[i].normals)
            assert np.array_equal(cached[i].image, plain[i].image)
    assert [s.cache.get(3) is not None for s in (cached, plain)] == [True, False]


def test_every_batch_has_one_modality_and_every_sample_its_turn() -> None:
    plan = plan_epoch([64, 32, 5], 16, seed=0, epoch=0)
    assert sorted(len(indices) for _, indices in plan) == [5, 16, 16, 16, 16, 16, 16]
    for which, size in enumerate([64, 32, 5]):
        seen = np.concatenate([indices for w, indices in plan if w == which])
        assert sorted(seen) == list(range(size))
    again, other = plan_epoch([64, 32, 5], 16, 0, 0), plan_epoch([64, 32, 5], 16, 0, 1)
    assert all(a == b and np.array_equal(i, j) for (a, i), (b, j) in zip(plan, again, strict=True))
    assert any(not np.array_equal(i, j) for (_, i), (_, j) in zip(plan, other, strict=True))
