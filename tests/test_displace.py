"""Displaced vertices, baked maps and files that other programs read as they are meant."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

import fnormal
from fnormal.enhancement.align import Alignment
from fnormal.enhancement.bake import bake, in_tangent_space, residual_map
from fnormal.enhancement.coarse import Coarse, aligned_coarse, default_coarse
from fnormal.enhancement.displace import displacements
from fnormal.enhancement.gltf import Extras, encode_glb, orthographic
from fnormal.enhancement.outfits import Scene, photo_texture
from fnormal.enhancement.pipeline import Recipe, enhance, enhance_placed
from fnormal.enhancement.placing import Placed
from fnormal.enhancement.reconcile import reconciled_with_mesh
from fnormal.enhancement.solving import conjugate_gradients
from fnormal.enhancement.transfer import Enhanced, append_normals, displace, sight_of
from fnormal.enhancement.viewer import encode_page, viewer_program
from fnormal.errors import FNormalError
from fnormal.faces.crop import Crop
from fnormal.faces.detect import FaceBox
from fnormal.geometry.mesh import Mesh, make_mesh, vertex_normals, vertex_tangents
from fnormal.geometry.meshfile import read_mesh
from fnormal.geometry.normal_maps import read_normals
from fnormal.geometry.normals import angular_error_deg, unit
from fnormal.geometry.picturefile import read_image
from fnormal.geometry.videofile import lossless_video
from fnormal.prediction.face_normals import FaceNormals
from fnormal.render.backends import open_renderer
from fnormal.render.camera import rotation_about
from fnormal.render.uvmap import at_texels, bled
from tests.test_readers import run

SIZE = 256


def cap(step: float = 2.0, bumps: float = 0.0) -> Mesh:
    """A ball's front in a photo of 256 pixels, with waves of so many pixels' height on it."""
    y, x = np.mgrid[28 : 228 + step : step, 28 : 228 + step : step].astype(np.float32)
    away = (x - 128) ** 2 + (y - 128) ** 2
    z = np.sqrt(np.maximum(150.0**2 - away, 0)) + bumps * np.sin(x / 5) * np.cos(y / 6)
    n = x.shape[0]
    corner = np.arange(n * n).reshape(n, n)[:-1, :-1].reshape(-1)
    faces = np.concatenate([
        np.stack([corner, corner + 1, corner + n], axis=1),
        np.stack([corner + 1, corner + n + 1, corner + n], axis=1),
    ])  # fmt: skip
    vertices = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    return make_mesh(vertices, faces, uv=((vertices[:, :2] - 28) / 200).astype(np.float32))


def bumpy_normals(bumps: float) -> FaceNormals:
    """The true normals of :func:`cap` as a prediction in the photo's pixels."""
    row, column = np.mgrid[:SIZE, :SIZE]
    x, y = column, SIZE - 1 - row
    z = np.sqrt(np.maximum(150.0**2 - (x - 128) ** 2 - (y - 128) ** 2, 1))
    dx = -(x - 128) / z + bumps / 5 * np.cos(x / 5) * np.cos(y / 6)
    dy = -(y - 128) / z - bumps / 6 * np.sin(x / 5) * np.sin(y / 6)
    normals = unit(np.stack([-dx, -dy, np.ones_like(z)], axis=-1))
    mask = (x - 128) ** 2 + (y - 128) ** 2 < 90**2
    return FaceNormals(normals * mask[..., None], mask, mask.astype(np.float32), Crop(16, 16, 224), None)


def exact() -> Alignment:
    return Alignment("exact", np.eye(3), np.zeros(3), 0.0, 200.0, is_written=True)


def enhanced_cap(mode: str, bumps: float = 0.8, mesh: Mesh | None = None) -> tuple[Enhanced, FaceNormals]:
    coarse, result = aligned_coarse(mesh or cap(), exact(), rounds=0), bumpy_normals(bumps)
    with open_renderer("soft", supersample=1) as renderer:
        done = append_normals(sight_of(renderer, coarse, result), coarse, result, 1.0)
    return (displace(done, 20.0, 8.0) if mode == "displace" else done), result


def inner(mesh: Mesh) -> np.ndarray:
    return np.linalg.norm(mesh.vertices[:, :2] - 128, axis=1) < 70


def test_displaced_vertices_take_the_shape_of_the_normals() -> None:
    """A smooth ball and the normals of a bumpy one: nine tenths of the bumps appear, and x and y stay."""
    done, _ = enhanced_cap("displace")
    truth = cap(bumps=0.8)
    some = inner(truth)
    assert np.array_equal(done.after.vertices[:, :2], done.before.vertices[:, :2])
    wanted = (truth.vertices - done.before.vertices)[some, 2]
    got = (done.after.vertices - done.before.vertices)[some, 2]
    assert np.sqrt((wanted**2).mean()) > 0.35
    assert np.sqrt(((got - wanted) ** 2).mean()) < 0.1
    own = vertex_normals(done.after.vertices, done.after.faces)
    assert angular_error_deg(own[some], truth.normals[some]).mean() < 1.2


def test_what_agrees_already_does_not_move() -> None:
    done, _ = enhanced_cap("displace", bumps=0.0)
    assert np.abs(done.after.vertices - done.before.vertices).max() < 0.05
    shaded, _ = enhanced_cap("shade")
    assert np.array_equal(shaded.after.vertices, shaded.before.vertices), "the paper's: normals alone"


def test_no_vertex_moves_farther_than_it_may() -> None:
    mesh = cap()
    tilted = unit(mesh.normals + np.float32([0.5, 0, 0]))
    assert np.abs(displacements(mesh, tilted, 200.0, 1.5)).max() <= 1.5
    assert np.abs(displacements(mesh, tilted, 200.0, 1e6)).max() > 3


def test_conjugate_gradients_solve_what_a_direct_solver_solves() -> None:
    from scipy.sparse import diags
    from scipy.sparse.linalg import spsolve

    rng = np.random.default_rng(0)
    matrix = diags([-np.ones(199), 2.2 + rng.random(200), -np.ones(199)], [-1, 0, 1]).tocsc()
    right = rng.normal(size=200)
    found = conjugate_gradients(matrix.tocsr(), right, tolerance=1e-10)
    assert found == pytest.approx(spsolve(matrix, right), abs=1e-8)


def test_wide_forms_go_over_to_the_mesh_and_fine_ones_stay() -> None:
    """A prediction that is tilted by 12 degrees: with all of the share none of the tilt is left."""
    mesh, result = cap(), bumpy_normals(0.8)
    turn = rotation_about(np.array([0.0, 1, 0]), np.radians(12.0))
    tilted = replace(result, part_normals=np.asarray(result.part_normals @ turn.T, np.float32))
    with open_renderer("soft", supersample=1) as renderer:
        whole = reconciled_with_mesh(renderer, mesh, tilted, 1.0, 15.0, 1.0)
        none = reconciled_with_mesh(renderer, mesh, tilted, 1.0, 15.0, 0.0)
    some = cv2.erode(result.part_mask.astype(np.uint8), np.ones((31, 31))) > 0

    def error(other: FaceNormals) -> float:
        return float(angular_error_deg(other.part_normals[some], result.part_normals[some]).mean())

    assert error(none) == pytest.approx(12, abs=1.5)
    assert error(whole) < 2


# pictures in texture coordinates


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


def undone(
    mesh: Mesh, tangent_map: np.ndarray, result: FaceNormals
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What a renderer makes of a tangent-space map: normals with and without it, the photo's, and where."""
    assert mesh.uv is not None
    values = np.concatenate([mesh.vertices, mesh.normals, vertex_tangents(mesh)], axis=1)
    texels, mask = at_texels(mesh.faces, mesh.uv, values, *tangent_map.shape[1::-1])
    some = mask & (np.linalg.norm(texels[..., :2] - 128, axis=-1) < 60)
    normal, along = unit(texels[..., 3:6]), texels[..., 6:9]
    along = unit(along - normal * np.sum(normal * along, axis=-1, keepdims=True))
    across = np.cross(normal, along) * np.sign(texels[..., 9:])
    with_map = tangent_map[..., :1] * along + tangent_map[..., 1:2] * across + tangent_map[..., 2:] * normal
    column, row = texels[..., 0], SIZE - 1 - texels[..., 1]
    return with_map, normal, cv2.remap(result.part_normals, column, row, cv2.INTER_LINEAR), some


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


def dressed(done: Enhanced) -> tuple[Mesh, np.ndarray]:
    """The cap with a photo, and what is left of the normals over its coarse vertices."""
    picture = np.full((SIZE, SIZE, 3), 128, np.uint8)
    uv, part = photo_texture(done.after.vertices, picture)
    mesh = replace(done.after, uv=uv, texture=part)
    left = residual_map(done, mesh, mesh.faces, 512, 512)
    return mesh, left


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


def glb_of_cap(path: Path) -> tuple[Enhanced, FaceNormals]:
    done, result = enhanced_cap("displace")
    mesh, left = dressed(done)
    hidden = np.zeros(len(mesh.faces), bool)
    hidden[:40] = True
    scene = Scene(0.001, mesh.vertices.mean(axis=0).astype(np.float64), SIZE, SIZE)
    extras = Extras({"a": 1}, left, hidden, orthographic(0.128, 0.128), (0.0, 0.0, 0.5))
    path.write_bytes(encode_glb(scene(mesh), extras))
    return done, result


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


@pytest.fixture
def viewer() -> None:
    try:
        viewer_program()
    except FNormalError:
        pytest.skip("the viewer was not built: make viewer")


@pytest.mark.usefixtures("viewer")
def test_the_page_holds_all_it_needs() -> None:
    done, _ = enhanced_cap("displace")
    scene = Scene(0.001, np.zeros(3), SIZE, SIZE)
    page = encode_page(done, np.full((SIZE, SIZE, 3), 99, np.uint8), scene, "a<b").decode()
    assert "a&lt;b" in page
    assert "src=" not in page.split("<script")[0]
    data = json.loads(page.split('type="application/json">')[1].split("</script>")[0])
    after = np.frombuffer(base64.b64decode(data["after"]), "<f4").reshape(-1, 3)
    assert after == pytest.approx(done.after.vertices * 0.001, abs=1e-6)
    codes = np.frombuffer(base64.b64decode(data["normals"]["displaced"]), "<i2").reshape(-1, 3)
    assert angular_error_deg(codes / 32767, done.after.normals).max() < 0.01


@pytest.mark.usefixtures("viewer")
def test_the_page_draws_in_a_browser_without_network(tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium: apt-get install chromium")
    done, _ = enhanced_cap("displace")
    page = tmp_path / "face.html"
    scene = Scene(0.001, done.after.vertices.mean(axis=0).astype(np.float64), SIZE, SIZE)
    page.write_bytes(encode_page(done, np.full((SIZE, SIZE, 3), 99, np.uint8), scene, "face"))
    picture = tmp_path / "shot.png"
    subprocess.run(
        [chromium, "--headless=new", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader",
         "--enable-unsafe-swiftshader", "--hide-scrollbars", "--window-size=640,640",
         f"--user-data-dir={tmp_path}/c", "--timeout=4000", f"--screenshot={picture}", page.as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    shot = read_image(picture)
    middle = shot[250:390, 250:390].astype(float)
    assert middle.mean() > 80, "a lit face, not the background"
    assert middle.std() > 5, "with shading"


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
