"""enhance from the shell and from Python: what it takes, pairs and refuses."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import fnormal
from fnormal.enhancement.coarse import Coarse, aligned_coarse, default_coarse
from fnormal.enhancement.pipeline import Recipe, enhance, enhance_placed
from fnormal.enhancement.placing import Placed
from fnormal.errors import FNormalError
from fnormal.faces.detect import FaceBox
from fnormal.geometry.meshfile import read_mesh
from fnormal.geometry.normal_maps import read_normals
from fnormal.geometry.picturefile import read_image
from fnormal.geometry.videofile import lossless_video
from fnormal.render.backends import open_renderer
from tests.caps import bumpy_normals, cap, exact
from tests.helpers import run


def test_an_obj_keeps_the_given_topology(shared_data: Path, astronaut: Path, tmp_path: Path) -> None:
    given = shared_data / "prnet" / "canonical_like_prnet.obj"
    code, stdout, stderr = run(
        "enhance", astronaut, "--mesh", given, "--bake", "--uv-size", 512, "--out", tmp_path, "--json"
    )
    assert code == 0, stderr
    assert "residual" in stderr
    record = json.loads(stdout.splitlines()[-1])
    assert record["ok"]
    assert record["enhanced_share"] > 0.3
    mesh, before = read_mesh(Path(record["obj"])), read_mesh(given)
    assert mesh.faces.shape == before.faces.shape
    assert len(mesh.vertices) == len(before.vertices)
    assert mesh.uv is not None, "PRNet's own"
    tangent, mask = read_normals(Path(record["tangent"]))
    assert mask.mean() > 0.3
    assert tangent[mask][:, 2].mean() > 0.9
    about = json.loads(Path(record["enhanced"]).read_text())
    placed = before.vertices @ np.array(about["from_mesh_file"])[:3, :3].T
    placed = placed + np.array(about["from_mesh_file"])[:3, 3]
    off = np.linalg.norm(placed[:, :2] - mesh.vertices[:, :2], axis=1)
    assert np.percentile(off, 99) < 1e-4, "the matrix lays the untouched mesh where the enhanced one is"


def test_a_map_in_wrong_axes_is_named(astronaut: Path, tmp_path: Path) -> None:
    assert run("predict", astronaut, "--out", tmp_path, "--mask", "face", "--format", "npy")[0] == 0
    normals = np.load(tmp_path / "astronaut_normals.npy") * np.float32([1, -1, -1])
    np.save(tmp_path / "cv.npy", normals)
    out = tmp_path / "out"
    code, _, stderr = run("enhance", astronaut, "--normals", tmp_path / "cv.npy", "--out", out)
    assert code == 1
    assert "--normals-frame x,-y,-z" in stderr
    assert not out.exists() or not list(out.glob("*.glb")), "nothing half-written"
    code, _, stderr = run(
        "enhance", astronaut, "--normals", tmp_path / "cv.npy", "--normals-frame", "opencv", "--out", out
    )
    assert code == 0, stderr


def test_photos_are_paired_with_meshes_by_their_stems(
    astronaut: Path, shared_data: Path, tmp_path: Path
) -> None:
    meshes = tmp_path / "meshes"
    meshes.mkdir()
    shutil.copy(shared_data / "prnet" / "canonical_like_prnet.obj", meshes / "a.obj")
    for name in ("a.png", "b.png"):
        shutil.copy(astronaut, tmp_path / name)
    code, stdout, stderr = run(
        "enhance",
        tmp_path / "a.png",
        tmp_path / "b.png",
        "--mesh-dir",
        meshes,
        "--out",
        tmp_path / "o",
        "--json",
    )
    assert code == 1
    lines = [json.loads(line) for line in stdout.splitlines()]
    assert [line["ok"] for line in lines] == [True, False]
    assert "b.obj" in lines[1]["error"]
    assert "b.png" in stderr


def test_frames_of_a_video_take_the_meshes_of_a_folder_in_order(astronaut: Path, tmp_path: Path) -> None:
    """The face moves to the right, and so do the meshes, whose numbers have no zeros before them."""
    picture = read_image(astronaut)[:320]
    face = fnormal.Predictor().detect(picture)[0]
    coarse = default_coarse(picture, face, rounds=0).base
    meshes, clip = tmp_path / "meshes", tmp_path / "clip.mkv"
    meshes.mkdir()
    with lossless_video(clip, Fraction(25), {}) as add:
        for i, shift in enumerate((0, 20, 40)):
            add(np.roll(picture, shift, axis=1).astype(np.uint16) * 257)
            lines = [f"v {x + shift} {y} {z}" for x, y, z in coarse.vertices]
            faces = [f"f {a} {b} {c}" for a, b, c in coarse.faces + 1]
            (meshes / f"frame{9 + i}.obj").write_text("\n".join(lines + faces))  # 9, 10, 11
    code, stdout, stderr = run("enhance", clip, "--mesh-dir", meshes, "--out", tmp_path / "o", "--json")
    assert code == 0, stderr
    lines = [json.loads(line) for line in stdout.splitlines()]
    assert [line["frame"] for line in lines] == [0, 1, 2]
    assert [Path(line["mesh"]).stem for line in lines] == ["frame9", "frame10", "frame11"]
    assert all(line["alignment"].startswith("pixels") for line in lines), "each lies in its own frame"
    assert all(line["residual_px"] < 4 for line in lines)
    assert Path(lines[2]["glb"]).name == "clip_000002_enhanced.glb"
    (meshes / "frame12.obj").write_text("v 0 0 0")
    code, _, stderr = run("enhance", clip, "--mesh-dir", meshes, "--out", tmp_path / "p")
    assert code == 1
    assert "3 frames" in stderr
    assert "4 meshes" in stderr
    code, _, stderr = run("enhance", clip, "--depth", meshes / "d.png", "--out", tmp_path / "p")
    assert code == 1
    assert "a video is given" in stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--face", 9), "shows 1 face"),
        (("--frame", "up"), "unknown frame 'up'"),
        (("--face", 1, "--box", "1,2,3,4"), "one of --landmarks, --box and --face"),
        (("--mesh", "a.obj", "--depth", "d.png"), "one of --mesh, --mesh-dir and --depth"),
        (("--normals-frame", "opencv"), "give both"),
        (("--mesh-dir", "nowhere"), "is no folder"),
        (("--bake",), "needs a mesh with texture coordinates"),
    ],
)
def test_options_that_cannot_be_are_one_line(
    astronaut: Path, shared_data: Path, tmp_path: Path, arguments: tuple[object, ...], said: str
) -> None:
    mesh = ("--mesh", shared_data / "prnet" / "canonical_like_prnet.obj") if "--frame" in arguments else ()
    code, stdout, stderr = run("enhance", astronaut, *mesh, *arguments, "--out", tmp_path / "o")
    assert (code, stdout.count(".glb")) == (1, 0)
    assert said in stderr


def test_python_enhances_as_the_command_does(astronaut: Path, shared_data: Path) -> None:
    import fnormal

    mesh = fnormal.read_mesh(shared_data / "prnet" / "canonical_like_prnet.obj")
    done = fnormal.enhance(read_image(astronaut), mesh)
    assert isinstance(done, fnormal.Enhanced)
    assert done.after.vertices.shape == done.after.normals.shape
    assert done.agreeing > 0.5
    shaded = enhance(read_image(astronaut), mesh, recipe=Recipe(mode="shade"))
    assert np.array_equal(shaded.after.vertices, shaded.before.vertices)


def test_a_mesh_beside_the_face_is_refused() -> None:
    result = bumpy_normals(0.0)
    circle = np.linspace(0, 2 * np.pi, 68)
    points = 128 + 80 * np.stack([np.cos(circle), np.sin(circle)], axis=1)
    result = replace(result, face=FaceBox.around(points.astype(np.float32), 1.0))
    away = replace(cap(), vertices=cap().vertices + np.float32([140, 0, 0]))
    coarse: Coarse = aligned_coarse(away, exact(), rounds=0)
    placed = Placed(FaceBox.around(points.astype(np.float32), 1.0), 1, coarse, np.zeros((68, 3)), 1.0, 0.0)
    with open_renderer("soft", supersample=1) as renderer, pytest.raises(FNormalError, match="covers"):
        enhance_placed(renderer, placed, result, Recipe())


# the page


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--bake"], "--bake needs a mesh with texture coordinates"),
        (["--depth", "d.png", "--gif", "--max-shift", "3"], "--max-shift, --gif belongs to a mesh"),
        (["--depth", "d.png", "--mode", "shade"], "--mode belongs to a mesh"),
    ],
)
def test_flags_that_cannot_be_followed_are_refused_before_anything_is_written(
    flags: list[str], says: str, astronaut: Path, tmp_path: Path
) -> None:
    code, stdout, stderr = run("enhance", astronaut, *flags, "--out", tmp_path / "out")
    assert (code, stdout) == (1, "")
    assert says in stderr
    assert not (tmp_path / "out").exists()
