"""The command line as a shell sees it: streams, exit codes, one-line errors, nothing half-written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from fnormal.geometry.normal_maps import read_normals
from fnormal.geometry.picturefile import write_image
from fnormal.network.checkpoint import WeightsInfo, load_weights, save_weights
from fnormal.network.model import CrossModalNet
from tests import forks
from tests.authors_network import random_state
from tests.conftest import write_set

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = (
    "render-dataset", "import-photos", "merge", "inspect", "doctor", "train", "eval", "predict", "enhance",
    "import-weights", "export", "ablate", "sheet",
)  # fmt: skip


def fnormal(*arguments: object, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return forks.run(arguments, stdin=stdin, env={"COLUMNS": "200"})


def refused(*arguments: object) -> str:
    """Run a command that must fail with exit 1, one line on stderr and nothing on stdout."""
    done = fnormal(*arguments)
    text = done.stderr.decode()
    assert done.returncode == 1, text
    assert done.stdout == b""
    assert text.count("\n") == 1, text
    assert text.startswith("fnormal: ")
    return text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_gives_an_example(command: str) -> None:
    done = fnormal(command, "--help")
    assert done.returncode == 0
    assert "Example:" in done.stdout.decode()
    assert f"fnormal {command}" in done.stdout.decode()


def test_help_lists_the_commands_and_is_quick() -> None:
    code = "import sys; from fnormal.cli.app import app; sys.argv = ['fnormal', '--help']\ntry: app()\n"
    code += "finally: sys.exit(len({'torch', 'cv2', 'trimesh'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, "it imported what takes seconds"
    assert all(command in done.stdout.decode() for command in COMMANDS)
    assert fnormal("--version").stdout.strip() == b"0.1.0"


def test_usage_errors_exit_2() -> None:
    assert fnormal("predict").returncode == 2
    assert fnormal("train", "--out", "x", "--arch", "huge").returncode == 2


def test_bad_input_is_one_line(tmp_path: Path, pairs: Path) -> None:
    blank, text, out = tmp_path / "blank.png", tmp_path / "text.png", tmp_path / "out"
    write_image(blank, np.full((200, 200, 3), 90, np.uint8))
    text.write_text("hello")
    pairs.write_bytes(pairs.read_bytes()[:4000])
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"x" * 100)
    assert "no such picture" in refused("predict", tmp_path / "none.jpg", "--out", out)
    assert "no face found" in refused("predict", blank, "--out", out)
    assert "cannot read" in refused("predict", text, "--out", out)
    assert "not a readable safetensors" in refused("predict", blank, "--weights", weights, "--out", out)
    assert "no face found" in refused("enhance", blank, "--out", out)
    assert "truncated or not HDF5" in refused("eval", pairs)
    assert "no such data set" in refused("train", "--pairs", tmp_path / "none.h5", "--out", out)
    assert "weights_only" in refused("import-weights", text, "--out", out / "w.safetensors")
    assert "no such scans" in refused(
        "render-dataset", tmp_path / "none", "--dataset", "folder", "--out", out / "d.h5"
    )
    assert "three signed axes" in refused("predict", blank, "--no-crop", "--frame", "gl", "--out", out)
    if not torch.cuda.is_available():
        assert "no CUDA GPU" in refused("predict", blank, "--out", out, "--device", "cuda")
    left = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert {p.name for p in left} == {"blank.png", "text.png", "pairs.h5", "w.safetensors"}


@pytest.mark.gl
def test_meshes_that_do_not_fit_are_one_line(astronaut: Path, tmp_path: Path) -> None:
    trimesh.creation.box().export(tmp_path / "box.obj")
    (tmp_path / "broken.obj").write_text("v 0 0\nf 1 2 9\n")
    out = tmp_path / "out"
    assert "no face is seen on" in refused("enhance", astronaut, "--mesh", tmp_path / "box.obj", "--out", out)
    assert "broken.obj" in refused("enhance", astronaut, "--mesh", tmp_path / "broken.obj", "--out", out)
    assert "no such mesh" in refused("enhance", astronaut, "--mesh", tmp_path / "none.obj", "--out", out)
    assert not out.exists()


def test_one_bad_picture_does_not_stop_the_others(astronaut: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "face.png").write_bytes(astronaut.read_bytes())
    (tmp_path / "in" / "bad.png").write_text("x")
    done = fnormal("predict", tmp_path / "in", "--out", tmp_path / "out", "--json")
    assert done.returncode == 1
    assert b"bad.png" in done.stderr
    good, bad = sorted((json.loads(line) for line in done.stdout.splitlines()), key=lambda r: not r["ok"])
    assert bad.keys() == {"ok", "input", "error"}
    assert bad["input"].endswith("bad.png")
    written = [Path(good[name]) for name in ("normals", "mask", "json")]
    assert written == [tmp_path / "out" / "deep" / f"face{s}" for s in ("_normals.png", "_mask.png", ".json")]
    assert good["seconds"].keys() == {"read", "detect", "network", "write"}
    about = json.loads(written[2].read_text())
    assert about["landmarks"] == good["landmarks"]
    assert (about["frame"], about["height_px"], about["width_px"]) == ("opengl", 512, 512)
    assert 0 < about["mean_confidence"] <= 1


def test_a_pipeline_carries_one_map(astronaut: Path, tmp_path: Path) -> None:
    done = fnormal("predict", "-", "--out", "-", stdin=astronaut.read_bytes())
    assert done.returncode == 0, done.stderr
    (tmp_path / "n.png").write_bytes(done.stdout)
    normals, mask = read_normals(tmp_path / "n.png")
    fnormal("predict", astronaut, "--out", tmp_path)
    same, same_mask = read_normals(tmp_path / "astronaut_normals.png")
    assert np.array_equal(mask, same_mask)
    assert np.array_equal(normals, same)


def test_crops_keep_their_pixels_and_every_frame_is_stated(astronaut: Path, tmp_path: Path) -> None:
    with Image.open(astronaut) as picture:
        picture.crop((150, 40, 300, 190)).save(tmp_path / "crop.png")
    done = fnormal(
        "predict", tmp_path / "crop.png", "--no-crop", "--frame", "opencv", "--out", tmp_path / "o"
    )
    assert done.returncode == 0, done.stderr
    normals, mask = read_normals(tmp_path / "o" / "crop_normals.png")
    assert mask.shape == (150, 150)
    assert mask.all()
    assert normals[60:90, 60:90, 2].mean() > 0.6, "read back from opencv by its own text chunk"


def test_train_and_eval_compose(tmp_path: Path) -> None:
    data = write_set(tmp_path / "p.h5", 4, 64)
    run = tmp_path / "run"
    done = fnormal(
        "train", "--pairs", data, "--val", data, "--arch", "tiny", "--size", 64, "--epochs", 1,
        "--batch-size", 2, "--out", run,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().split() == [str(run / "best.safetensors"), str(run / "last.ckpt")]
    table = fnormal("eval", data, "--weights", run / "best.safetensors", "--json")
    rows = [json.loads(line) for line in table.stdout.splitlines()]
    assert [r["method"] for r in rows] == ["best", "constant normal", "mean face of others"]
    assert all(0 < r["mean_deg"] < 90 and r["images"] == 4 for r in rows)
    plain = fnormal("eval", data, "--weights", run / "best.safetensors")
    assert plain.stdout.decode().splitlines()[0].startswith(f"best\t{rows[0]['mean_deg']:.2f}\t")
    assert "wrong" not in refused("train", "--pairs", data, "--arch", "tiny", "--size", 64, "--out", run)


def test_authors_weights_go_all_the_way_to_a_prediction(astronaut: Path, tmp_path: Path) -> None:
    torch.save(random_state(), tmp_path / "model.pth")
    weights = tmp_path / "authors.safetensors"
    assert fnormal("import-weights", tmp_path / "model.pth", "--out", weights).stdout.split() == [
        str(weights).encode()
    ]
    assert "CC BY-NC" in load_weights(weights)[1].licence
    assert fnormal("predict", astronaut, "--weights", weights, "--out", tmp_path / "o").returncode == 0


def test_weights_of_another_network_are_one_line(tmp_path: Path, pairs: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, CrossModalNet("tiny"), WeightsInfo("lite"))
    assert "does not fit" in refused("eval", pairs, "--weights", path)
