"""What commands write: where they were told, over nothing, and results alone on stdout."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from fnormal.errors import FNormalError
from fnormal.files.naming import Guard, unused
from fnormal.prediction.files import is_own_output
from tests.conftest import write_set
from tests.helpers import run
from tests.test_contract import ROOT


def test_names_say_what_is_written_or_are_refused(pairs: Path, tmp_path: Path) -> None:
    code, _, stderr = run("sheet", pairs, "--count", 1, "--size", 32, "--out", tmp_path / "s.jpg")
    assert code == 0, stderr
    with Image.open(tmp_path / "s.jpg") as picture:
        assert picture.format == "JPEG"
    for arguments in (
        ("sheet", pairs, "--out", tmp_path / "s.gif"),
        ("inspect", pairs, "--sheet", tmp_path / "s"),
        ("export", "--out", tmp_path / "x.onnx", "--format", "torchscript"),
        ("export", "--out", tmp_path / "x.zip"),
        ("merge", pairs, "--out", tmp_path / "m.zip"),
        ("import-weights", pairs, "--out", tmp_path / "w.pth"),
    ):
        code, stdout, stderr = run(*arguments)
        assert (code, stdout) == (1, ""), arguments
        assert stderr.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pairs.h5", "s.jpg"]


# 6. stdout and stderr


def test_nothing_is_boxed_or_coloured_in_a_pipe(pairs: Path) -> None:
    for arguments in (("eval", pairs), ("eval", "-h"), ("eval",), ("merge", "--nonsense")):
        _, stdout, stderr = run(*arguments)
        assert not re.search("[│╭─┃━\x1b]", stdout + stderr), arguments


def test_quiet_says_results_and_errors_alone(pairs: Path, tmp_path: Path) -> None:
    code, stdout, stderr = run("eval", pairs, "--quiet", "--report", tmp_path / "page")
    assert (code, stderr) == (0, "")
    assert stdout.splitlines()[-1] == str(tmp_path / "page" / "index.html"), "results of every kind"


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    pairs = write_set(tmp_path / "p.h5", 60, 32)
    command = f"{sys.executable} -m fnormal inspect {pairs} --images {tmp_path / 'out'} | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1


# 7. re-running


def test_predict_does_not_feed_on_its_own_results(astronaut: Path, tmp_path: Path) -> None:
    shutil.copy(astronaut, tmp_path / "a.png")
    shutil.copy(astronaut, tmp_path / "b_mask.png")  # a photo of that name, no result
    code, first, stderr = run("predict", tmp_path, "--out", tmp_path)
    assert code == 0, stderr
    assert is_own_output(tmp_path / "a_mask.png")
    assert not is_own_output(tmp_path / "b_mask.png")
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    code, second, stderr = run("predict", tmp_path, "--out", tmp_path)
    assert (code, second) == (0, first)
    assert "left out 4 results of fnormal" in stderr
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before
    code, third, _ = run("predict", tmp_path, "--out", tmp_path, "--skip-existing")
    assert (code, third) == (0, "")


def test_no_output_may_be_an_input(astronaut: Path, tmp_path: Path) -> None:
    photo, mask = tmp_path / "a.png", tmp_path / "a_mask.png"
    shutil.copy(astronaut, photo)
    shutil.copy(astronaut, mask)
    (tmp_path / "link.png").symlink_to(photo)
    before = mask.read_bytes()
    for arguments in (
        ("predict", photo, mask, "--out", tmp_path),
        ("sheet", photo, "--out", photo),
        ("sheet", photo, "--out", tmp_path / "link.png"),
    ):
        code, stdout, stderr = run(*arguments)
        assert (code, stdout) == (1, "")
        assert "would overwrite the input" in stderr
    assert mask.read_bytes() == photo.read_bytes() == before
    (tmp_path / "maps").mkdir()
    theirs = tmp_path / "maps" / "a.png"
    theirs.write_bytes(before)
    code, _, stderr = run("sheet", photo, "--predictions", tmp_path / "maps", "--out", theirs)
    assert (code, "would overwrite the input" in stderr, theirs.read_bytes() == before) == (1, True, True)
    with pytest.raises(FNormalError, match="would overwrite"):
        Guard([photo]).check([tmp_path / "x" / ".." / "a.png"])


def test_unused_names_count_up(tmp_path: Path) -> None:
    assert unused(tmp_path / "run") == tmp_path / "run"
    (tmp_path / "run").mkdir()
    (tmp_path / "run-2").mkdir()
    assert unused(tmp_path / "run") == tmp_path / "run-3"


# 8. empty variables
