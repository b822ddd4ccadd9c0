"""Shards, workers and resuming: the same arrays whoever makes them and whatever is killed."""

from __future__ import annotations

import hashlib
import shutil
import socket
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from fnormal.commands.render_dataset import RenderRecipe, build_views
from fnormal.datasets import build, shards
from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.shards import ShardPlan, join_shards, plan_shards
from fnormal.errors import FNormalError
from fnormal.options.data import RenderOptions
from fnormal.options.shared import BuildOptions
from fnormal.work import cluster
from tests.conftest import write_set
from tests.helpers import render_recipe

OPTIONS = RenderOptions(views=2, size_px=64, mask="surface", backend="soft", lighting="rich")


ONE, FIRST, SECOND = BuildOptions(), BuildOptions(shard="0/2"), BuildOptions(shard="1/2")


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_SAMPLES", 4)  # two scans a shard


@pytest.fixture(scope="module")
def recipe(makehuman: Path) -> RenderRecipe:
    return render_recipe(makehuman, "anny", 5, OPTIONS)


def content(path: Path) -> str:
    """A hash of every array, whatever file each lies in."""
    digest = hashlib.sha256()
    with h5py.File(path) as file:
        for name in sorted(file):
            values = file[name][:]
            digest.update(name.encode() + repr(values.shape).encode())
            digest.update(repr(list(values)).encode() if values.dtype == object else values.tobytes())
    return digest.hexdigest()


def test_shards_depend_on_the_data_set_alone() -> None:
    plan = plan_shards(Path("d.h5"), 345, 25, 256)
    assert plan.ranges[0][0] == 0
    assert plan.ranges[-1][1] == 345
    assert all(a[1] == b[0] for a, b in zip(plan.ranges, plan.ranges[1:], strict=False))
    assert max(b - a for a, b in plan.ranges) * 25 <= 128
    assert plan.paths() == sorted(plan.paths())
    large = plan_shards(Path("d.h5"), 345, 1, 2048)
    assert (large.ranges[0][1]) * 10 * 2048**2 <= 400e6, "made in memory"


def test_a_plain_file_that_does_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tmp_path / "a.h5", 2, 32)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(FNormalError, match="GB free"):
        join_shards([tmp_path / "a.h5"], tmp_path / "new" / "x.h5", virtual=False)


@pytest.mark.usefixtures("small_shards")
def test_one_process_a_job_array_and_a_merge_give_the_same_arrays(
    recipe: RenderRecipe, tmp_path: Path
) -> None:
    list(build_views(recipe, tmp_path / "one.h5", ONE))
    assert [p.name for p in tmp_path.iterdir()] == ["one.h5"], "one plain file and nothing else"
    array = tmp_path / "array.h5"
    list(build_views(recipe, array, SECOND))
    assert not array.exists(), "the other member is not done"
    steps = list(build_views(recipe, array, FIRST))
    assert steps[-1].written == (array,)
    assert len(list((tmp_path / "array.h5.shards").glob("*.h5"))) == 3
    join_shards([array], tmp_path / "merged.h5", virtual=False)
    assert content(tmp_path / "one.h5") == content(array) == content(tmp_path / "merged.h5")
    shutil.rmtree(tmp_path / "array.h5.shards")
    assert len(Dataset(tmp_path / "merged.h5")) == 10
    with pytest.raises(FNormalError, match="lacks its shard"):
        Dataset(array)


@pytest.mark.usefixtures("small_shards")
def test_a_stopped_run_goes_on_to_the_same_arrays(recipe: RenderRecipe, tmp_path: Path) -> None:
    list(build_views(recipe, tmp_path / "whole.h5", ONE))
    cut = tmp_path / "cut.h5"
    steps = build_views(recipe, cut, ONE)
    next(steps)
    steps.close()
    finished = sorted((tmp_path / "cut.h5.shards").glob("*.h5"))
    before = [path.stat().st_mtime_ns for path in finished]
    assert len(finished) == 1
    (tmp_path / "cut.h5.shards" / "0000002-0000004.h5.host-1.partial").write_bytes(b"half a shard")
    made: list[int] = []
    original = build.make_shard

    def spy(job: build.Job) -> build.FinishedShard:
        made.append(job.first)
        assert [path.stat().st_mtime_ns for path in finished] == before
        return original(job)

    build.make_shard = spy  # type: ignore[assignment]
    try:
        list(build_views(recipe, cut, ONE))
    finally:
        build.make_shard = original
    assert made == [2, 4], "what was finished is not made again"
    assert content(cut) == content(tmp_path / "whole.h5")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cut.h5", "whole.h5"]
    assert next(build_views(recipe, cut, BuildOptions(resume=True))).written == (cut,)
    with pytest.raises(FNormalError, match="exists already"):
        list(build_views(recipe, cut, ONE))


@pytest.mark.usefixtures("small_shards")
def test_shards_of_other_settings_are_not_mixed_in(recipe: RenderRecipe, tmp_path: Path) -> None:
    list(build_views(recipe, tmp_path / "d.h5", FIRST))
    other = replace(recipe, options=replace(recipe.options, seed=1))
    with pytest.raises(FNormalError, match="other settings"):
        list(build_views(other, tmp_path / "d.h5", FIRST))


@pytest.mark.usefixtures("small_shards")
def test_what_failed_is_tried_again(makehuman: Path, tmp_path: Path) -> None:
    from tests import heads

    scans = tmp_path / "scans"
    for name in ("a", "b", "c"):
        heads.write_textured_obj(scans / f"{name}.obj", heads.head_mesh(makehuman))
    whole = (scans / "b.obj").read_text()
    (scans / "b.obj").write_text("v 0 0 nan\nf 1 1 1\n")
    recipe = render_recipe(scans, "folder", None, OPTIONS)
    steps = list(build_views(recipe, tmp_path / "d.h5", FIRST))
    assert sum(bool(step.failed) for step in steps) == 1
    assert not (tmp_path / "d.h5").exists()
    steps = list(build_views(recipe, tmp_path / "d.h5", SECOND))
    assert Dataset(tmp_path / "d.h5").failures[0].startswith(str(scans / "b.obj"))
    (tmp_path / "d.h5").unlink()
    (scans / "b.obj").write_text(whole)
    untouched = (tmp_path / "d.h5.shards" / "0000002-0000003.h5").stat().st_mtime_ns
    steps = list(build_views(recipe, tmp_path / "d.h5", replace(FIRST, shard="0/1")))
    assert not any(step.failed for step in steps)
    assert Dataset(tmp_path / "d.h5").subjects == ["a", "a", "b", "b", "c", "c"]
    assert (tmp_path / "d.h5.shards" / "0000002-0000003.h5").stat().st_mtime_ns == untouched


@pytest.mark.parametrize("text", ["2/2", "a/b", "1", "-1/2", "0/0"])
def test_members_of_an_array_are_checked(text: str) -> None:
    with pytest.raises(FNormalError, match="give i/N"):
        BuildOptions(shard=text).shard_of()


def test_sets_that_differ_are_not_joined(tmp_path: Path) -> None:
    write_set(tmp_path / "a.h5", 2, 32)
    write_set(tmp_path / "b.h5", 2, 64)
    write_set(tmp_path / "c.h5", 3, 32, seed=1)
    with pytest.raises(FNormalError, match="sets that differ"):
        join_shards([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "x.h5", virtual=False)
    join_shards([tmp_path / "a.h5", tmp_path / "c.h5"], tmp_path / "x.h5", virtual=False)
    joined = Dataset(tmp_path / "x.h5")
    assert len(joined) == 5
    assert np.array_equal(joined[3].image, Dataset(tmp_path / "c.h5")[1].image)
    assert joined.config == [{"seed": 0}, {"seed": 1}]
    with pytest.raises(FNormalError, match="exists already"):
        join_shards([tmp_path / "a.h5"], tmp_path / "x.h5", virtual=False)
    assert not list(tmp_path.glob("*.partial"))


def test_sets_of_older_files_join_too(tmp_path: Path) -> None:
    """Without landmarks, with fewer fields in /view, with another compression."""
    write_set(tmp_path / "old.h5", 2, 32)
    write_set(tmp_path / "new.h5", 2, 32, seed=1)
    with h5py.File(tmp_path / "old.h5", "r+") as file:
        del file["landmarks"]
        masks, seeds = file["mask"][:], file["view"]["seed"]
        del file["mask"], file["view"]
        file.create_dataset("mask", data=masks)
        seeds[:] = 7
        view = np.zeros(2, [("seed", np.int64, (3,))])
        view["seed"] = seeds
        file.create_dataset("view", data=view)
    join_shards([tmp_path / "new.h5", tmp_path / "old.h5"], tmp_path / "x.h5", virtual=False)
    with h5py.File(tmp_path / "x.h5") as file:
        assert np.isnan(file["landmarks"][2:]).all()
        assert np.array_equal(file["mask"][2:], masks)
        assert (file["view"]["seed"][2:] == 7).all()


def test_without_dask_workers_say_what_to_install(
    recipe: RenderRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(FNormalError, match=r"fnormal\[cluster\]"):
        list(build_views(recipe, tmp_path / "d.h5", BuildOptions(workers=2)))


def test_a_scheduler_that_is_not_there_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    original = cluster._TIMEOUT_S
    cluster._TIMEOUT_S = 1
    try:
        with pytest.raises(FNormalError, match="no dask scheduler answers"):
            list(cluster.run_jobs(str, [1], workers=0, scheduler=f"127.0.0.1:{port}"))
    finally:
        cluster._TIMEOUT_S = original


def test_plans_point_beside_their_output(tmp_path: Path) -> None:
    plan = ShardPlan(tmp_path / "d.h5", ((0, 2),))
    assert plan.paths() == [tmp_path / "d.h5.shards" / "0000000-0000002.h5"]


@pytest.mark.usefixtures("small_shards")
def test_shards_outlive_a_join_that_cannot_be_written(
    recipe: RenderRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk at the last step must not cost the hours before it."""
    out = tmp_path / "d.h5"
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
        with pytest.raises(FNormalError, match="GB free"):
            list(build_views(recipe, out, ONE))
    made = sorted(tmp_path.glob("d.h5.shards/*.h5"))
    assert made
    rendered = []
    with monkeypatch.context() as patch:
        patch.setattr(build, "make_shard", rendered.append)
        list(build_views(recipe, out, ONE))
    assert not rendered, "nothing is rendered again"
    assert len(Dataset(out)) == 10
