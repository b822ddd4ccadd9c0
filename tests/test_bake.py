"""Normal maps on a mesh: baked, in tangent space, inside a GLB."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fnormal.enhancement.bake import bake, in_tangent_space
from fnormal.enhancement.coarse import aligned_coarse
from fnormal.enhancement.transfer import append_normals, sight_of
from fnormal.errors import FNormalError
from fnormal.geometry.meshfile import read_mesh
from fnormal.geometry.normals import angular_error_deg, unit
from fnormal.render.backends import open_renderer
from fnormal.render.camera import rotation_about
from fnormal.render.uvmap import at_texels, bled
from tests.caps import bumpy_normals, cap, dressed, enhanced_cap, exact, glb_of_cap, undone


def test_values_reach_their_texels() -> None:
    mesh = cap()
    assert mesh.uv is not None
    texels, mask = at_texels(mesh.faces, mesh.uv, mesh.vertices, 100, 50)
    assert mask.mean() > 0.98
    row, column = np.nonzero(mask)
    wanted = np.stack([28 + 200 * (column + 0.5) / 100, 28 + 200 * (1 - (row + 0.5) / 50)], axis=1)
    assert texels[mask][:, :2] == pytest.approx(wanted, abs=0.02)


def test_islands_bleed_over_their_rims() -> None:
    mask = np.zeros((20, 20), bool)
    mask[5:10, 5:10] = True
    texels = np.where(mask[..., None], 7.0, 0.0)
    out = bled(texels, mask, 3)
    assert out[7, 12, 0] == 7
    assert out[7, 14, 0] == 0


@pytest.mark.parametrize("mirrored", [False, True])
def test_baked_maps_are_the_wanted_normals_on_the_untouched_mesh(mirrored: bool) -> None:
    """Through a turned frame, through a mirrored UV island: tangent and object space agree to 0.5 degrees."""
    mesh = cap(step=4.0)
    assert mesh.uv is not None
    if mirrored:
        mesh = replace(mesh, uv=np.asarray(mesh.uv * (-1, 1) + (1, 0), np.float32))
    done, result = enhanced_cap("displace", mesh=mesh)
    turn = rotation_about(np.array([1.0, 2, 0.5]), 0.7).astype(np.float64)
    alignment = replace(exact(), linear=2.0 * turn)
    done = replace(done, coarse=replace(done.coarse, alignment=alignment))
    maps = bake(done, 300)
    rebuilt, _, wanted, some = undone(done.coarse.base, maps.tangent, result)
    assert angular_error_deg(rebuilt[some], wanted[some]).mean() < 0.5
    assert angular_error_deg((maps.object @ turn.T)[some], wanted[some]).mean() < 0.5


def test_baking_without_texture_coordinates_says_what_to_do() -> None:
    done, _ = enhanced_cap("shade", mesh=replace(cap(), uv=None))
    with pytest.raises(FNormalError, match="needs a mesh with texture coordinates"):
        bake(done, 64)


def test_the_residual_map_adds_what_vertices_are_too_coarse_for() -> None:
    """Vertices 8 pixels apart miss waves of 30: with the map the normals are the photo's to a degree."""
    coarse = aligned_coarse(cap(step=8.0), exact(), rounds=0)
    result = bumpy_normals(0.8)
    with open_renderer("soft", supersample=1) as renderer:
        done = append_normals(sight_of(renderer, coarse, result), coarse, result, 1.0)
    mesh, left = dressed(done)
    with_map, normal, wanted, some = undone(mesh, left, result)
    bare = angular_error_deg(normal[some], wanted[some]).mean()
    assert angular_error_deg(with_map[some], wanted[some]).mean() < min(1.0, bare / 2)


def test_tangent_space_is_undone_by_its_own_frame() -> None:
    rng = np.random.default_rng(0)
    normals, wanted = unit(rng.normal(size=(50, 3))), unit(rng.normal(size=(50, 3)))
    tangents = rng.normal(size=(50, 3)).astype(np.float32)
    sign = np.where(rng.random(50) > 0.5, 1.0, -1.0).astype(np.float32)
    parts = in_tangent_space(wanted, normals, tangents, sign)
    along = unit(tangents - normals * np.sum(normals * tangents, axis=1, keepdims=True))
    across = np.cross(normals, along) * sign[:, None]
    back = parts[:, :1] * along + parts[:, 1:2] * across + parts[:, 2:] * normals
    assert angular_error_deg(back, wanted).max() < 0.01


# files


def test_khronos_validator_finds_nothing(tmp_path: Path) -> None:
    validator = next(
        (p for p in (Path("/tmp/gv/node_modules"), Path(__file__).parents[1] / "viewer" / "node_modules")
         if (p / "gltf-validator").is_dir()), None,
    )  # fmt: skip
    if validator is None or shutil.which("node") is None:
        pytest.skip("no gltf-validator: npm install --prefix viewer gltf-validator")
    glb_of_cap(tmp_path / "cap.glb")
    script = (
        f"const v=require({json.dumps(str(validator / 'gltf-validator'))});"
        "v.validateBytes(new Uint8Array(require('fs').readFileSync(process.argv[1])))"
        ".then(r=>console.log(JSON.stringify(r.issues)))"
    )
    done = subprocess.run(
        ["node", "-e", script, tmp_path / "cap.glb"], capture_output=True, text=True, check=True
    )
    issues = json.loads(done.stdout)
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]


def test_a_glb_holds_map_camera_and_hidden_part(tmp_path: Path) -> None:
    done, _ = glb_of_cap(tmp_path / "cap.glb")
    raw = (tmp_path / "cap.glb").read_bytes()
    document = json.loads(raw[20 : 20 + int.from_bytes(raw[12:16], "little")])
    seen, unseen = document["meshes"][0]["primitives"]
    assert "TANGENT" in seen["attributes"]
    assert "TEXCOORD_0" not in unseen["attributes"], "neither texture nor map where the photo saw nothing"
    assert "normalTexture" in document["materials"][0]
    assert document["cameras"][0]["orthographic"]["xmag"] == 0.128
    assert document["nodes"][1]["translation"] == [0.0, 0.0, 0.5]
    assert read_mesh(tmp_path / "cap.glb").faces.shape == done.after.faces.shape
