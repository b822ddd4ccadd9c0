"""predict's work shared out: overlapping stages, shards, workers, a cluster; the same files however done."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from fnormal.errors import FNormalError
from fnormal.files.naming import Guard
from fnormal.geometry.picturefile import read_image
from fnormal.options.faces import PredictOptions
from fnormal.prediction.pictures import Job, PictureStages
from fnormal.prediction.predictor import Predictor
from fnormal.work.overlap import overlapped
from tests.helpers import run


def test_stages_see_the_units_in_order_and_overlap() -> None:
    seen: dict[str, list[int]] = {"first": [], "second": []}
    threads, most = set(), 0
    busy = []

    def stage(name: str, unit: list[int]) -> None:
        nonlocal most
        threads.add(threading.get_ident())
        busy.append(name)
        most = max(most, len(busy))
        time.sleep(0.01)
        seen[name].append(unit[0])
        busy.remove(name)

    taken = []

    def source() -> object:
        for i in range(20):
            taken.append(i)
            yield [i]

    stages = [lambda unit: stage("first", unit), lambda unit: stage("second", unit)]
    for done, unit in enumerate(overlapped(source(), stages)):
        assert unit == [done]
        assert len(taken) - done <= len(stages) + 2  # no more are held
    assert seen == {"first": list(range(20)), "second": list(range(20))}
    assert (len(threads), most) == (2, 2)


def test_a_stage_of_two_threads_works_on_two_units_at_once_and_order_stays() -> None:
    together = threading.Barrier(2, timeout=20)  # breaks unless two units meet in the stage
    seen = []
    units = [[i] for i in range(10)]
    stages = [lambda unit: None, lambda unit: together.wait(), lambda unit: seen.append(unit[0])]
    assert list(overlapped(units, stages, [1, 2, 1])) == units
    assert seen == list(range(10))


def test_what_a_stage_or_the_source_raises_comes_after_the_units_before() -> None:
    def source() -> object:
        yield from ([0], [1], [2])
        raise FNormalError("the file ends here")

    got: list[list[int]] = []
    with pytest.raises(FNormalError, match="ends here"):
        got.extend(overlapped(source(), [lambda unit: None]))
    assert got == [[0], [1], [2]]

    def fails(unit: list[int]) -> None:
        if unit[0] == 2:
            raise ZeroDivisionError

    got = []
    with pytest.raises(ZeroDivisionError):
        got.extend(overlapped(([i] for i in range(9)), [lambda unit: None, fails]))
    assert got == [[0], [1]]


@pytest.fixture(scope="module")
def album(astronaut: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pictures of a face, one of none, one that is none."""
    folder = tmp_path_factory.mktemp("album")
    photo = read_image(astronaut)[..., ::-1]
    for i in range(5):
        cv2.imwrite(str(folder / f"{i}.png"), np.roll(photo, 6 * i, axis=1))
    cv2.imwrite(str(folder / "empty.png"), np.zeros((64, 64, 3), np.uint8))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def whole(album: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a run in this process."""
    out = tmp_path_factory.mktemp("whole")
    code, stdout, stderr = run("predict", album, "--out", out, "--json", "--threads", 1)
    lines = [json.loads(line) for line in stdout.splitlines()]
    assert code == 1
    assert "2 failed" in stderr
    assert [line["ok"] for line in lines] == [True] * 5 + [False] * 2
    assert len(list(out.iterdir())) == 15
    return contents(out)


def test_overlapping_batches_give_what_one_picture_at_a_time_gives(
    album: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    stages = PictureStages(Predictor(threads=1), PredictOptions(), Guard([]))
    jobs = [Job(str(p), tmp_path / "alone" / p.stem) for p in sorted(album.iterdir())]
    alone = [stages.run_one(job) for job in jobs]
    assert contents(tmp_path / "alone") == whole
    together = [Job(job.source, tmp_path / "batch" / job.stem.name) for job in jobs]
    batched = list(stages.run(together, batch=3))
    assert [work.failed for work in batched] == [work.failed for work in alone]
    for name, data in contents(tmp_path / "batch").items():
        if name.endswith("_normals.png"):
            ours, theirs = (cv2.imdecode(np.frombuffer(d, np.uint8), -1) for d in (data, whole[name]))
            assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 16  # of 65535: a sum's order


def test_shards_and_workers_give_the_same_files(album: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    for i in range(2):
        code, _, stderr = run(
            "predict", album, "--out", tmp_path / "shards", "--shard", f"{i}/2", "-q", "--threads", 1
        )
        assert code == 1, stderr
    assert contents(tmp_path / "shards") == whole
    code, stdout, stderr = run("predict", album, "--out", tmp_path / "workers", "--workers", 2, "--json")
    assert code == 1
    assert "2 failed" in stderr
    assert contents(tmp_path / "workers") == whole
    lines = [json.loads(line) for line in stdout.splitlines()]
    assert sorted(line["ok"] for line in lines) == [False] * 2 + [True] * 5
    assert run("predict", album, "--out", tmp_path / "x", "--shard", "2/2")[0] == 1
    assert not (tmp_path / "x").exists()


def test_a_cluster_predicts_into_the_folder_of_the_command(
    album: Path, whole: dict[str, bytes], tmp_path: Path,
    dask_cluster: tuple[str, list[subprocess.Popen[bytes]]],
) -> None:  # fmt: skip
    shutil.copytree(album, tmp_path / "album")
    done = subprocess.run(
        [sys.executable, "-m", "fnormal", "predict", "album", "-o", "out", "--scheduler", dask_cluster[0]],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert len(done.stdout.splitlines()) == 15
    pictures = {k: v for k, v in contents(tmp_path / "out").items() if k.endswith("png")}
    assert pictures == {k: v for k, v in whole.items() if k.endswith("png")}
    assert run("predict", album, "--out", tmp_path / "y", "--scheduler", "nobody")[0] == 1
