"""One way to write a file: whole or not at all, with nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fnormal.cli.console import Follower
from fnormal.datasets.resize import resize_mask
from fnormal.datasets.views import render_views
from fnormal.errors import FNormalError
from fnormal.files.locks import locked
from fnormal.files.writing import atomic, lines_into, partial_name, sweep, write_bytes
from fnormal.geometry.mesh import make_mesh
from fnormal.options.data import RenderOptions
from fnormal.progress import Progress
from fnormal.render.soft import SoftRenderer
from fnormal.scans.scan import Scan


def write_and_fail(path: Path, error: BaseException) -> None:
    with atomic(path) as temporary:
        temporary.write_bytes(b"half")
        raise error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), FNormalError),
        (ValueError("a bug"), ValueError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_what_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: BaseException, told: type[BaseException]
) -> None:
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    with pytest.raises(told):
        write_and_fail(path, error)
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
    assert path.read_bytes() == b"old"


def test_what_succeeds_replaces_the_old_file(tmp_path: Path) -> None:
    write_bytes(tmp_path / "new" / "a.bin", b"old")
    write_bytes(tmp_path / "new" / "a.bin", b"new")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.bin"]
    assert (tmp_path / "new" / "a.bin").read_bytes() == b"new"
    (tmp_path / "file").write_text("x")
    with pytest.raises(FNormalError, match="choose another --out"):
        write_bytes(tmp_path / "file" / "a.bin", b"x")


def test_lines_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lines.jsonl"

    def stopped() -> None:
        with lines_into(path) as add:
            add("one")
            raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        stopped()
    assert list(path.parent.iterdir()) == []
    with lines_into(path):
        pass
    assert not path.exists(), "no line, no file"
    with lines_into(path) as add:
        add("one")
        add("two")
        assert not path.exists()
    assert path.read_text() == "one\ntwo\n"
    assert list(path.parent.iterdir()) == [path]


def test_sweeping_takes_what_dead_processes_left(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mine = partial_name(path)
    abandoned, living = (
        mine.with_name(mine.name.replace(f"-{os.getpid()}.", f"-{pid}.")) for pid in (dead.pid, os.getppid())
    )
    other = tmp_path / abandoned.name.replace("a.bin", "b.bin")
    for leftover in (abandoned, living, other):
        leftover.touch()
    sweep(path)
    assert {p.name for p in tmp_path.iterdir()} == {living.name, other.name}


def test_a_shrunk_mask_has_the_pixels_of_which_more_than_half_was_in() -> None:
    mask = np.zeros((4, 4), bool)
    mask[0, :2] = True  # two of the first four
    mask[2:, :2] = True
    mask[3, 0] = False  # three of the third four
    assert resize_mask(mask, 2).tolist() == [[False, False], [True, False]]


def test_jittered_crops_shift_by_a_share_of_their_jitter() -> None:
    """At 0.3 the middle moves by up to 0.15 x 0.3 of half the crop, 1.44 of 64 px before it grows."""
    turn = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    rim = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1).astype(np.float32)
    square = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    scan = Scan("a", "a", make_mesh(square, np.array([[0, 1, 2], [0, 2, 3]])), rim)
    options = RenderOptions(views=40, modality="normals", max_angle_deg=0, size_px=64, crop_jitter=0.3)
    with SoftRenderer(1) as renderer:
        views = render_views(renderer, scan, (), 0, options)
    points = np.array([view.landmarks for view in views])
    middles = (points.max(axis=1) + points.min(axis=1)) / 2 - 31.5
    sizes = np.ptp(points[..., 0], axis=1)
    assert 1.0 < np.abs(middles).max() < 1.45
    assert 64 / 1.2 / 1.3 - 0.1 < sizes.min() < sizes.max() < 64 / 1.2 + 0.1


def test_long_work_prints_about_twenty_lines_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    steps = (Progress(done=i, total=1000, unit="things", note=f"n{i}") for i in range(1, 1001))
    Follower().follow(steps)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 20
    assert lines[-1] == "things 1000/1000 n1000"
    Follower(quiet=True).follow([Progress(done=1, total=2, unit="things", note="x", warning="w", says="s")])
    assert capsys.readouterr().err == ""


def test_a_lock_is_whole_from_its_first_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is killed while the lock is made leaves none, and never an empty one."""
    path = tmp_path / "writer.lock"
    seen: list[str] = []
    link = os.link

    def watched(source: str, target: str) -> None:
        assert not path.exists()
        link(source, target)
        seen.append(path.read_text())

    monkeypatch.setattr(os, "link", watched)
    with locked(path, tmp_path):
        assert json.loads(seen[0])["pid"] == os.getpid()
        assert sorted(p.name for p in tmp_path.iterdir()) == ["writer.lock"]
    assert not list(tmp_path.iterdir())

    def refused(source: str, target: str) -> None:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", refused)
    with (
        locked(path, tmp_path),
        pytest.raises(FNormalError, match="is being written"),
        locked(path, tmp_path),
    ):
        pass
