"""What a user types works as it is documented; what goes wrong is one line. A test for each kind."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from fnormal.datasets.hdf5 import Dataset
from fnormal.errors import FNormalError
from fnormal.faces.detect import FaceBox, order_faces
from fnormal.geometry.normals import compose_frames, frame_matrix, signed_permutations
from fnormal.geometry.picturefile import find_images, read_image
from fnormal.network.device import free_cores, set_up
from fnormal.prediction.files import doubt
from tests.conftest import write_set
from tests.helpers import run
from tests.test_evaluate import write_maps

ROOT = Path(__file__).resolve().parents[1]


# 1. the user's own commands


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.gl
def test_enhance_needs_no_out_and_writes_over_nothing(here: Path, astronaut: Path, shared_data: Path) -> None:
    shutil.copy(astronaut, "face.png")
    shutil.copy(shared_data / "prnet" / "canonical_like_prnet.obj", "prn.obj")
    code, stdout, stderr = run("enhance", "face.png", "--mesh", "prn.obj")
    assert code == 0, stderr
    assert {Path(line).parent.as_posix() for line in stdout.splitlines()} == {"enhanced"}
    code, _, stderr = run("enhance", "face.png", "--mesh", "prn.obj")
    assert (code, "exists already" in stderr) == (1, True)


def test_train_takes_the_sets_in_data_by_what_they_hold(here: Path) -> None:
    code, _, stderr = run("train", "--epochs", 1)
    assert (code, "no data sets in data/" in stderr) == (1, True)
    assert "render-dataset" in stderr, "the remedy"
    (here / "data").mkdir()
    write_set(Path("data/p.h5"), 2, 32)
    write_set(Path("data/n.h5"), 2, 32, "normals")
    write_set(Path("data/val.h5"), 2, 32)
    settings = ("--arch", "tiny", "--size", 32, "--batch-size", 2)
    code, stdout, stderr = run("train", "--epochs", 1, *settings)
    assert code == 0, stderr
    assert "pairs: data/p.h5; normals: data/n.h5; validating on data/val.h5" in stderr
    first, _ = stdout.split()
    assert re.fullmatch(r"runs/\d{4}-\d\d-\d\d-tiny/best\.safetensors", first)
    code, stdout, _ = run("train", "--epochs", 2, *settings, "--resume")
    assert (code, stdout.split()[0]) == (0, first), "the newest run continues, with more epochs"
    assert Path(first).with_name("log.jsonl").read_text().count('"val"') == 2
    code, stdout, _ = run("train", "--epochs", 1, *settings)
    assert stdout.split()[0] == first.replace("-tiny/", "-tiny-2/"), "never over what exists"


def test_render_dataset_needs_no_out(here: Path, makehuman: Path) -> None:
    arguments = ("render-dataset", makehuman, "--dataset", "anny", "--scans", 1, "--views", 1, "--size", 32)
    code, stdout, stderr = run(*arguments)
    assert (code, stdout.strip()) == (0, "data/anny.h5"), stderr
    assert run(*arguments)[0] == 1, "never over what exists"


@pytest.mark.parametrize("command", ["render-dataset", "predict", "eval", "import-weights"])
def test_what_is_missing_is_shown_by_an_example(command: str) -> None:
    code, _, stderr = run(command)
    assert code == 2
    assert f"Example: fnormal {command}" in stderr


def test_short_flags(pairs: Path, here: Path) -> None:
    assert "Example" in run("merge", "-h")[1]
    assert run("merge", pairs, "-o", "m.h5")[1].strip() == "m.h5"


# 2. one face rule


def test_faces_are_ordered_by_score_and_size() -> None:
    """The mission patch: twice as wide, and hardly believed."""
    points = np.zeros((68, 2), np.float32)
    patch, face = FaceBox((0, 0, 200, 200), points, 0.04), FaceBox((0, 0, 100, 100), points, 1.56)
    small = FaceBox((0, 0, 50, 50), points, 1.7)
    assert order_faces([patch, small, face]) == [face, small, patch]
    assert "0.04" in doubt("a.jpg", patch)
    assert doubt("a.jpg", face) == ""


def test_number_of_faces_and_score_are_told(astronaut: Path, tmp_path: Path) -> None:
    code, stdout, stderr = run("predict", astronaut, "--out", tmp_path, "--json")
    assert code == 0, stderr
    record = json.loads(stdout.splitlines()[0])
    about = json.loads((tmp_path / "astronaut.json").read_text())
    assert (record["face"], record["faces"]) == (about["face"], about["faces"]) == (1, 1)
    assert record["score"] == about["score"] > 0.8


# 3. devices


@pytest.mark.parametrize("device", ["meta", "mps", "xla", "gpu", "cuda:99", ""])
def test_a_device_that_is_not_there_is_one_line(device: str) -> None:
    with pytest.raises(FNormalError, match=r"--device") as raised:
        set_up(device, None)
    assert "\n" not in str(raised.value)


def test_auto_is_a_device_that_answers() -> None:
    assert set_up("auto", None) in ("cpu", "cuda")


def test_free_cores_leave_those_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    for load, cores in (
        ("0.10 0 0 1/99 7", 8),
        ("3.2 0 0 4/99 7", 5),
        ("3.2 0 0 1/99 7", 8),
        ("50 0 0 60/99 7", 1),
    ):
        monkeypatch.setattr(Path, "read_text", lambda self, load=load: load)
        assert free_cores() == cores


# 4. eval and predict speak to each other


def test_eval_takes_what_predict_wrote(pairs: Path, tmp_path: Path) -> None:
    run("inspect", pairs, "--images", tmp_path / "in")
    code, _, stderr = run(
        "predict", tmp_path / "in", "--no-crop", "--frame", "opencv", "--out", tmp_path / "out"
    )
    assert code == 0, stderr
    code, stdout, stderr = run("eval", pairs, "--predictions", tmp_path / "out")
    assert code == 0, stderr
    code, direct, _ = run("eval", pairs, "--mirror")
    mean = [float(text.split("\t")[1]) for text in (stdout, direct)]
    assert mean[0] == pytest.approx(mean[1], abs=0.3), "the same network, by way of files"


@pytest.mark.parametrize("given", ["opengl", "opencv", "z,x,y"])
def test_the_advice_on_axes_can_be_followed_whatever_was_given(
    pairs: Path, tmp_path: Path, given: str
) -> None:
    folder = write_maps(Dataset(pairs), tmp_path / "maps", "x,-y,z")
    code, _, stderr = run("eval", pairs, "--predictions", folder, "--frame", given)
    assert code == 0
    advice = re.search(r"try --frame (\S+)", stderr)
    assert advice is not None
    code, stdout, stderr = run("eval", pairs, "--predictions", folder, "--frame", advice[1])
    assert float(stdout.split("\t")[1]) < 0.1
    assert "warning" not in stderr


def test_composed_frames_read_one_after_the_other() -> None:
    for inner in signed_permutations()[::5]:
        for outer in signed_permutations()[::7]:
            expected = frame_matrix(outer) @ frame_matrix(inner)
            assert np.array_equal(frame_matrix(compose_frames(inner, outer)), expected)


# 5. pictures


@pytest.mark.parametrize("kind", ["png", "tiff", "float"])
def test_deep_grey_is_scaled_and_not_cut_off(tmp_path: Path, kind: str) -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (32, 1))
    if kind == "float":
        path = tmp_path / "a.tiff"
        Image.fromarray((ramp / 65535).astype(np.float32)).save(path)
    else:
        path = tmp_path / f"a.{kind}"
        cv2.imwrite(str(path), ramp)
    picture = read_image(path)
    assert picture.shape == (32, 64, 3)
    assert np.abs(picture[..., 0] - ramp / 257).max() <= 0.51
    if kind == "float":
        Image.fromarray(ramp.astype(np.float32)).save(path)
        with pytest.raises(FNormalError, match="outside 0 to 1"):
            read_image(path)


def test_what_a_folder_leaves_out_is_told(tmp_path: Path) -> None:
    for name in ("a.png", "b.txt", "c.txt", "d.raw", "noending"):
        (tmp_path / name).write_bytes(b"x")
    listing = find_images(tmp_path)
    assert [p.name for p in listing.paths] == ["a.png"]
    assert "2 .txt" in listing.skipped
    assert "1 no ending" in listing.skipped


def test_apples_pictures_are_read_or_name_their_remedy(
    tmp_path: Path, astronaut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    picture = read_image(astronaut)
    path = tmp_path / "a.heic"
    pillow_heif.from_pillow(Image.fromarray(picture)).save(path, quality=95)
    assert np.abs(read_image(path).astype(int) - picture).mean() < 2
    path.write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(FNormalError, match=r"pip install 'fnormal\[heic\]'"):
        read_image(path)


@pytest.mark.parametrize("arguments", [("predict", ""), ("predict", "--out=", "x.png"), ("inspect", "")])
def test_an_empty_argument_does_not_stand_for_this_folder(here: Path, arguments: tuple[str, ...]) -> None:
    (here / "a.png").write_bytes(b"x")
    code, stdout, stderr = run(*arguments)
    assert (code, stdout) == (2, "")
    assert "shell variable unset" in stderr
    assert [p.name for p in here.iterdir()] == ["a.png"]


def test_a_number_that_is_none_is_told_by_the_flag_that_was_typed(pairs: Path, tmp_path: Path) -> None:
    code, _, stderr = run("train", "--pairs", pairs, "--lr", "nan", "--out", tmp_path / "run")
    assert code != 0
    assert "--lr" in stderr
    assert "learning-rate" not in stderr


@pytest.mark.parametrize("has", [True, False])
def test_bfloat16_that_this_cpu_lacks_is_told(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has: bool
) -> None:
    monkeypatch.setattr("fnormal.commands.train.multiplies_bf16", lambda: has)
    settings = ("--arch", "tiny", "--size", 32, "--epochs", 1, "--batch-size", 2, "--device", "cpu")
    code, _, stderr = run(
        "train", "--pairs", pairs, *settings, "--precision", "bf16", "--out", tmp_path / "run"
    )
    assert (code, "ten times as long" in stderr) == (0, not has), stderr
