"""What Blender makes of our files: its own shading normals are the photo's.

Needs a Python with Blender in it: ``python3.11 -m venv v && v/bin/pip install bpy``, then
``FNORMAL_BPY=v/bin/python pytest tests/test_blender.py``.
"""

from __future__ import annotations

import os
import subprocess
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from fnormal.enhancement.bake import bake
from fnormal.enhancement.coarse import aligned_coarse
from fnormal.enhancement.gltf import Extras, encode_glb
from fnormal.enhancement.outfits import Scene, obj_of
from fnormal.enhancement.transfer import Enhanced, append_normals, sight_of
from fnormal.geometry.normals import angular_error_deg, encode_rgb
from fnormal.geometry.picturefile import write_image
from fnormal.prediction.face_normals import FaceNormals
from fnormal.render.backends import open_renderer
from tests.caps import SIZE, bumpy_normals, cap, dressed, exact

SCRIPT = Path(__file__).parents[1] / "examples" / "blender_normals.py"


@pytest.fixture(scope="module")
def blender() -> str:
    if "FNORMAL_BPY" not in os.environ:
        pytest.skip("no Blender: set FNORMAL_BPY to a Python that has the package bpy")
    return os.environ["FNORMAL_BPY"]


@lru_cache(maxsize=1)
def bumpy() -> tuple[Enhanced, FaceNormals]:
    """A cap of vertices 8 pixels apart under normals of waves of 30."""
    result = bumpy_normals(0.8)
    with open_renderer("soft", supersample=1) as renderer:
        coarse = aligned_coarse(cap(step=8.0), exact(), rounds=0)
        return append_normals(sight_of(renderer, coarse, result), coarse, result, 1.0), result


def rendered(blender: str, *arguments: object) -> np.ndarray:
    """Blender's normals in our axes. [H, W, 3]"""
    exr = pytest.importorskip("OpenEXR")
    command = [blender, str(SCRIPT), *map(str, arguments), "--width", str(SIZE), "--height", str(SIZE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    with exr.File(str(arguments[1]), separate_channels=True) as file:
        channels = {name: part.pixels for layer in file.parts for name, part in layer.channels.items()}
    x, y, z = (next(v for k, v in channels.items() if k.endswith(f"Normal.{axis}")) for axis in "XYZ")
    return np.stack([x, z, -y], axis=-1)


def off_deg(found: np.ndarray, result: FaceNormals) -> float:
    """Mean angle in the middle of the cap."""
    row, column = np.mgrid[:SIZE, :SIZE]
    some = np.hypot(row - SIZE / 2, column - SIZE / 2) < 60
    return float(angular_error_deg(found[some], result.normals[some]).mean())


def placed(done: Enhanced) -> Scene:
    return Scene(0.001, done.after.vertices.mean(axis=0).astype(np.float64), SIZE, SIZE)


def test_blender_shades_a_glb_with_the_photos_normals(blender: str, tmp_path: Path) -> None:
    done, result = bumpy()
    mesh, left = dressed(done)
    scene = placed(done)
    off = {}
    for name, normal_map in (("with", left), ("without", None)):
        extras = Extras({}, normal_map, None, scene.lens(), scene.eye(scene(mesh)))
        (tmp_path / f"{name}.glb").write_bytes(encode_glb(scene(mesh), extras))
        off[name] = off_deg(rendered(blender, tmp_path / f"{name}.glb", tmp_path / f"{name}.exr"), result)
    assert left.shape == (512, 512, 3)
    assert off["with"] < 1.0
    assert off["without"] > 1.5, "without the map the vertices are too coarse for the waves"


def test_a_baked_map_makes_the_untouched_mesh_the_enhanced_one(blender: str, tmp_path: Path) -> None:
    done, result = bumpy()
    base, scene = done.coarse.base, placed(done)
    assert base.uv is not None
    maps = bake(done, 1024)
    write_image(tmp_path / "map.png", encode_rgb(maps.tangent, np.ones(maps.tangent.shape[:2], bool), 16))
    obj, _ = obj_of(scene(base), "base", "none.jpg")
    (tmp_path / "base.obj").write_bytes(obj)
    extras = Extras({}, None, None, scene.lens(), scene.eye(scene(base)))
    (tmp_path / "base.glb").write_bytes(encode_glb(scene(base), extras))
    bare = off_deg(rendered(blender, tmp_path / "base.glb", tmp_path / "bare.exr"), result)
    mapped = rendered(
        blender, tmp_path / "base.glb", tmp_path / "map.exr", "--mesh", tmp_path / "base.obj", "--map",
        tmp_path / "map.png",
    )  # fmt: skip
    assert off_deg(mapped, result) < 1.5
    assert bare > 4, "the untouched mesh is smooth"
