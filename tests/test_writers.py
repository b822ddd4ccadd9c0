"""Where results go: one writer at a time, closed and full streams."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from fnormal.errors import FNormalError
from fnormal.files.locks import locked
from tests.helpers import run
from tests.test_hostile import refused

ROOT = Path(__file__).resolve().parents[1]


def test_a_run_whose_folder_is_a_file_is_one_line(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    settings = ("--arch", "tiny", "--size", 32, "--epochs", 1, "--out", tmp_path / "file")
    assert "file" in refused("train", "--pairs", pairs, *settings)


# one writer


def test_a_second_writer_is_refused_and_a_dead_one_forgotten(tmp_path: Path) -> None:
    lock = tmp_path / "writer.lock"
    with locked(lock, tmp_path):
        with pytest.raises(FNormalError, match=f"process {os.getpid()} on"), locked(lock, tmp_path):
            pass
        assert lock.is_file()
    assert not lock.exists()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for text in (json.dumps({"pid": dead.pid, "host": os.uname().nodename}),):
        lock.write_text(text)
        with locked(lock, tmp_path):
            assert json.loads(lock.read_text())["pid"] == os.getpid()
    lock.write_text("{")
    with pytest.raises(FNormalError, match="remove"), locked(lock, tmp_path):
        pass


def test_two_runs_do_not_share_a_folder(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    settings = ("--pairs", pairs, "--arch", "tiny", "--size", 32, "--batch-size", 2, "--out", out)
    command = [sys.executable, "-m", "fnormal", "train", *map(str, settings), "--epochs", "10000"]
    first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not ((out / "writer.lock").is_file() and (out / "writer.lock").stat().st_size):
            assert first.poll() is None
        first.send_signal(signal.SIGSTOP)  # it lives, and writes no checkpoint that the last run would meet
        assert "is being written" in refused("train", *settings, "--epochs", 1)
    finally:
        first.kill()
        first.wait()
    code, _, stderr = run("train", *settings, "--epochs", 1)
    assert code == 0, stderr


# streams


def test_a_full_stdout_and_closed_streams_are_no_traceback(pairs: Path) -> None:
    for redirection, code in (("> /dev/full", 1), (">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0)):
        line = f"{sys.executable} -m fnormal inspect {pairs} {redirection}"
        done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == code, (redirection, done.stderr)
        assert "Traceback" not in done.stderr
        assert done.stderr.count("\n") <= 1


def test_the_cause_of_an_error_is_shown_on_request(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00\xff")
    photo = tmp_path / "a.png"
    Image.new("RGB", (64, 64)).save(photo)
    arguments = ("predict", photo, "--landmarks", tmp_path / "a.npy", "--out", tmp_path / "o")
    assert "Traceback" not in run(*arguments)[2]
    code, _, _ = run(*arguments, "--debug")
    assert code == 1
