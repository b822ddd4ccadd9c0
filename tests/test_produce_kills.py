"""Rendering that is killed at random and goes on to the same arrays."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.test_produce import content


def command(makehuman: Path, out: Path, *extra: str, scans: int = 48) -> list[str]:
    """48 scans of 8 views are three shards."""
    return [
        sys.executable, "-m", "fnormal", "render-dataset", str(makehuman), "--dataset", "anny",
        "--scans", str(scans), "--views", "8", "--size", "32", "--backend", "soft", "--out", str(out), *extra,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(makehuman: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("whole") / "d.h5"
    subprocess.run(command(makehuman, out), check=True, capture_output=True)
    return content(out)


def kill_and_go_on(makehuman: Path, out: Path, kills: int, latest_s: float) -> None:
    """Start, kill -9 the whole family at a random moment, and again; at last let it finish."""
    rng = random.Random(kills)
    for _ in range(kills):
        family = subprocess.Popen(
            command(makehuman, out, "--workers", "2"), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(rng.uniform(0.2, latest_s))
        os.killpg(family.pid, signal.SIGKILL)
        family.wait()
        if out.exists():  # it was quicker than the killer
            shutil.rmtree(out.with_name(out.name + ".shards"))
            out.unlink()
    done = subprocess.run(
        command(makehuman, out, "--workers", "2"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(out)
    names = sorted(p.name for p in out.parent.rglob("*") if p.is_file())
    assert len(names) == 5, f"the file, three shards, run.json, and no orphans: {names}"


def test_two_workers_killed_at_random_leave_the_same_arrays(
    makehuman: Path, tmp_path: Path, undisturbed: str
) -> None:
    kill_and_go_on(makehuman, tmp_path / "d.h5", kills=2, latest_s=9)
    assert content(tmp_path / "d.h5") == undisturbed


@pytest.mark.slow
def test_thirty_kills(makehuman: Path, tmp_path: Path, undisturbed: str) -> None:
    kill_and_go_on(makehuman, tmp_path / "d.h5", kills=30, latest_s=12)
    assert content(tmp_path / "d.h5") == undisturbed


def test_a_cluster_loses_a_worker_half_way(
    makehuman: Path, tmp_path: Path, undisturbed: str,
    dask_cluster: tuple[str, list[subprocess.Popen[bytes]]],
) -> None:  # fmt: skip
    address, workers = dask_cluster
    out = tmp_path / "out" / "d.h5"
    run = subprocess.Popen(
        command(makehuman, Path("out/d.h5"), "--scheduler", address), cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while len(list(out.parent.rglob("*.partial"))) < 2:
        assert time.monotonic() < deadline, "no worker began"
        assert run.poll() is None
        time.sleep(0.02)
    workers[0].kill()
    stdout, stderr = run.communicate(timeout=180)
    assert run.returncode == 0, stderr
    assert stdout.decode().strip() == "out/d.h5"
    assert content(out) == undisturbed
    assert not list(out.parent.rglob("*.partial"))
