from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from fnormal.commands.enhance import enhance
from fnormal.enhancement.align import Alignment, align
from fnormal.enhancement.blend import Shown, blend, sample, smooth, vertex_weights
from fnormal.enhancement.coarse import aligned_coarse
from fnormal.enhancement.gltf import Extras, encode_glb
from fnormal.enhancement.outfits import photo_texture
from fnormal.enhancement.topology import landmark_vertices
from fnormal.enhancement.transfer import append_normals, sight_of
from fnormal.enhancement.winding import outward
from fnormal.errors import FNormalError
from fnormal.faces.crop import Crop
from fnormal.geometry.mesh import make_mesh
from fnormal.geometry.meshfile import read_mesh
from fnormal.geometry.normal_maps import read_normals, write_normals
from fnormal.geometry.normals import angular_error_deg, unit
from fnormal.options.enhance import Enhance, MeshOptions
from fnormal.prediction.face_normals import FaceNormals
from fnormal.render.backends import open_renderer
from fnormal.render.camera import rotation_about
from tests.test_faces import circle_landmarks


@pytest.fixture
def face() -> tuple[np.ndarray, np.ndarray]:
    """A face of sorts in a 256-pixel frame (y up): an ellipsoid with a nose, and its 68 landmarks."""
    flat = circle_landmarks() * 0.7 + (22, 22)
    flat[:, 1] = 255 - flat[:, 1]
    rng = np.random.default_rng(0)
    xy = np.concatenate([flat, rng.uniform(60, 195, (400, 2))])
    away = (xy - xy[:68].mean(axis=0)) / 90
    z = 70 * np.sqrt(np.clip(1.3 - (away**2).sum(axis=1), 0.05, None))
    z += 25 * np.exp(-((away / 0.2) ** 2).sum(axis=1))
    vertices = np.column_stack([xy, z]).astype(np.float32)
    return vertices, vertices[:68]


def test_prnets_landmarks_are_where_a_face_has_them(shared_data: Path) -> None:
    mesh = read_mesh(shared_data / "prnet" / "canonical_like_prnet.obj")
    ids = landmark_vertices(len(mesh.vertices))
    assert ids is not None
    points = mesh.vertices[ids]
    assert points[8, 1] < points[57, 1] < points[33, 1] < points[27, 1]
    assert points[36, 0] < points[45, 0]
    assert landmark_vertices(len(mesh.vertices) - 1) is None


def seen(points: np.ndarray, height: int) -> np.ndarray:
    """Landmarks of an aligned mesh as a detector gives them: x, y down."""
    return np.stack([points[:, 0], height - 1 - points[:, 1]], axis=1)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("PRNet", lambda p, h: p),
        ("3DDFA", lambda p, h: p + np.array([0, 1, 0])),
        ("y down", lambda p, h: p * [1, -1, 1] + [0, h - 1, 0]),
        ("scale and shift", lambda p, h: (p - [3, 900, 0]) * 0.3),  # PRNet's bug over 1000 px
        ("scale and shift of axes x,-y,z", lambda p, h: p * [0.5, -0.5, 0.5]),
        ("weak-perspective", lambda p, h: 0.01 * p @ rotation_about(np.array([1, 2, 0.5]), 0.6)),
    ],
)
def test_every_known_way_of_lying_over_a_photo_is_solved(
    face: tuple[np.ndarray, np.ndarray], kind: str, change: object
) -> None:
    vertices, points = face
    height = 300
    rng = np.random.default_rng(0)
    detected = seen(points, height) + rng.normal(0, 0.3, (68, 2))
    change = change
    solved = align(change(points, height).astype(np.float32), detected.astype(np.float32), height)  # type: ignore[operator]
    assert kind in solved.kind
    assert solved.residual_px < 1.2
    back = solved(change(vertices, height).astype(np.float32))  # type: ignore[operator]
    assert np.abs(back[:, :2] - vertices[:, :2]).max() < 3
    assert np.corrcoef(back[:, 2], vertices[:, 2])[0, 1] > 0.999, "nearer stays nearer"


def test_a_mesh_of_something_else_is_refused(face: tuple[np.ndarray, np.ndarray]) -> None:
    _, points = face
    wrong = np.random.default_rng(0).permutation(points)
    with pytest.raises(FNormalError, match=r"does not fit.*px"):
        align(wrong, seen(points, 256).astype(np.float32), 256)


def test_faces_look_at_the_viewer_whoever_wound_them() -> None:
    s = trimesh.creation.icosphere(subdivisions=2)
    vertices, faces = s.vertices.astype(np.float32), s.faces.astype(np.int32)
    half = faces[vertices[faces][..., 2].min(axis=1) > -0.1]
    for given in (faces, half):
        for wound in (given, given[:, ::-1].copy()):
            right = outward(wound, vertices)
            mesh = make_mesh(vertices, right)
            used = np.unique(right)
            assert angular_error_deg(mesh.normals[used], vertices[used]).mean() < 15


def test_samples_are_bilinear_and_zero_outside() -> None:
    y, x = np.mgrid[:40, :50].astype(np.float32)
    picture = np.stack([x, y, x + y], axis=-1)
    xy = np.random.default_rng(0).uniform(1, 38, (50_000, 2)).astype(np.float32)
    assert np.abs(sample(picture, xy)[:, :2] - xy).max() < 0.05
    assert not sample(picture, np.array([[-9, 3], [3, 99]], np.float32)).any()


def test_weights_fall_where_the_photo_does_not_show_the_vertex() -> None:
    mask = np.zeros((100, 100), bool)
    mask[10:90, 10:90] = True
    vertices = np.array([[50, 50, 0], [50, 50, -40], [50, 50, 0], [11, 50, 0], [50, 50, 0], [2, 2, 0]])
    toward = np.array([0, 0, 1.0])
    normals = np.array([toward, toward, unit(np.array([1, 0, 0.1])), toward, toward, toward])
    pred = np.array([toward] * 4 + [unit(np.array([1, 0, 0.2]))] + [toward * 0])
    shown = Shown(
        (vertices[:, :2] * (1, -1) + (0, 99)).astype(np.float32), mask, np.zeros(6, np.float32), 100.0
    )
    arrays = (array.astype(np.float32) for array in (vertices, normals, pred))
    weights, seen = vertex_weights(*arrays, shown)
    assert seen[4] == 1, "a vertex that contradicts is seen all the same"
    assert weights[0] == 1
    assert weights[[1, 2, 4, 5]].tolist() == [0, 0, 0, 0], "hidden, grazing, contradicted, outside"
    assert 0 < weights[3] < 0.7, "fading at the rim"


def test_smoothing_removes_teeth_and_keeps_what_is_even() -> None:
    s = trimesh.creation.icosphere(subdivisions=3)
    even = np.full(len(s.vertices), 0.7, np.float32)
    assert smooth(even, s.faces) == pytest.approx(even, abs=1e-6)
    teeth = (np.random.default_rng(0).random(len(s.vertices)) > 0.5).astype(np.float32)
    calm = smooth(teeth, s.faces)
    assert 0 <= calm.min() <= calm.max() <= 1
    ends = s.edges_unique
    assert np.abs(np.diff(calm[ends], axis=1)).mean() < 0.15 * np.abs(np.diff(teeth[ends], axis=1)).mean()


def test_blending_goes_from_coarse_to_predicted() -> None:
    a, b = unit(np.array([[1.0, 0, 1]] * 3)), unit(np.array([[0.0, 1, 1]] * 3))
    mixed = blend(a, b, np.array([0, 0.5, 1], np.float32))
    assert mixed[[0, 2]] == pytest.approx(np.stack([a[0], b[0]]))
    assert np.linalg.norm(mixed, axis=1) == pytest.approx(1)


def test_the_photo_lands_on_the_mesh_where_it_shows_it() -> None:
    y, x = np.mgrid[:200, :300]
    picture = np.stack([x % 256, y, 0 * x], axis=-1).astype(np.uint8)
    rng = np.random.default_rng(0)
    vertices = rng.uniform((40, 30, 0), (190, 150, 9), (500, 3)).astype(np.float32)
    uv, part = photo_texture(vertices, picture)
    assert part.shape[0] < 125, "not the whole photo"
    row, column = (1 - uv[:, 1]) * part.shape[0] - 0.5, uv[:, 0] * part.shape[1] - 0.5
    color = sample(part.astype(np.float32), np.stack([column, row], axis=1))
    assert color[:, 0] == pytest.approx(vertices[:, 0], abs=0.05)
    assert color[:, 1] == pytest.approx(199 - vertices[:, 1], abs=0.05)


@pytest.mark.gl
def test_appended_normals_are_the_photos_and_only_where_it_sees() -> None:
    """A flat sheet in front of a hidden one, under a map of known normals: 0.1 degrees, and untouched."""
    y, x = np.mgrid[40:216:2, 40:216:2].astype(np.float32)
    front = np.stack([x, y, 0 * x], axis=-1).reshape(-1, 3)
    corner = np.arange(88 * 88).reshape(88, 88)[:-1, :-1].reshape(-1)
    faces = np.concatenate([
        np.stack([corner, corner + 1, corner + 88], axis=1),
        np.stack([corner + 1, corner + 89, corner + 88], axis=1),
    ])  # fmt: skip
    behind = front - [0, 0, 50]
    mesh = make_mesh(np.concatenate([front, behind]), np.concatenate([faces, faces + len(front)]))
    row, column = np.mgrid[:256, :256]
    wanted = unit(np.stack([0.3 * np.sin(column / 30), 0.3 * np.cos(row / 25), 1 + 0 * row], axis=-1))
    mask = np.ones((256, 256), bool)
    result = FaceNormals(wanted, mask, mask.astype(np.float32), Crop(0, 0, 256), None)
    with open_renderer("auto", supersample=1) as renderer:
        exact = Alignment("exact", np.eye(3), np.zeros(3), 0.0, 1.0, is_written=True)
        coarse = aligned_coarse(mesh, exact, rounds=0)
        done = append_normals(sight_of(renderer, coarse, result), coarse, result, 1.0)
    n = len(front)
    expected = wanted[255 - front[:, 1].astype(int), front[:, 0].astype(int)]
    assert angular_error_deg(done.after.normals[:n], expected).max() < 0.1
    assert np.array_equal(done.after.normals[n:], mesh.normals[n:])


def test_glb_opens_elsewhere_with_its_normals(tmp_path: Path) -> None:
    s = trimesh.creation.icosphere(subdivisions=2)
    bent = unit(s.vertices + np.array([0.3, 0, 0]))
    uv = np.random.default_rng(0).uniform(0, 1, (len(s.vertices), 2)).astype(np.float32)
    picture = np.random.default_rng(1).integers(0, 255, (16, 16, 3), np.uint8)
    for parts in ({"uv": uv, "texture": picture}, {"colors": np.full((len(uv), 3), 0.5, np.float32)}, {}):
        mesh = make_mesh(s.vertices, s.faces, normals=bent, **parts)
        path = tmp_path / "m.glb"
        path.write_bytes(encode_glb(mesh, Extras({"to_photo_px": [[1]]})))
        back = trimesh.load(path, process=False, force="mesh")
        assert back.vertices == pytest.approx(mesh.vertices, abs=1e-6)
        assert back.faces.tolist() == mesh.faces.tolist()
        (geometry,) = trimesh.load(path, process=False).geometry.values()
        assert geometry.vertex_normals == pytest.approx(bent, abs=1e-5)
        again = read_mesh(path)
        assert again.normals == pytest.approx(bent, abs=1e-5)
        if "uv" in parts:
            assert again.uv == pytest.approx(uv, abs=1e-6)
            assert np.array_equal(again.texture, picture)
        raw = path.read_bytes()
        size = int.from_bytes(raw[12:16], "little")
        assert json.loads(raw[20 : 20 + size])["scenes"][0]["extras"] == {"to_photo_px": [[1]]}
        assert int.from_bytes(raw[8:12], "little") == len(raw)


@pytest.mark.gl
@pytest.mark.parametrize("kind", ["facemesh", "prnet"])
def test_the_main_job_on_a_real_photo(
    request: pytest.FixtureRequest, astronaut: Path, tmp_path: Path, kind: str
) -> None:
    mesh = None
    if kind == "prnet":
        mesh = request.getfixturevalue("shared_data") / "prnet" / "canonical_like_prnet.obj"
    steps = list(enhance(Enhance(photos=[astronaut], out=tmp_path, mesh=MeshOptions(mesh=mesh))))
    paths = [Path(result.text) for step in steps for result in step.results]
    paths += [path for step in steps for path in step.written]
    assert {p.name for p in paths} == {
        "astronaut_normals.png", "astronaut_mask.png", "astronaut.json", "astronaut_enhanced.glb",
        "astronaut_enhanced.ply", "astronaut_enhanced.json", "astronaut_before_after.png",
        "astronaut_enhanced.obj", "astronaut_enhanced.mtl", "astronaut_enhanced_color.jpg",
    }  # fmt: skip
    assert {p.name for p in tmp_path.iterdir()} == {p.name for p in paths}
    normals, mask = read_normals(tmp_path / "astronaut_normals.png")
    assert normals[mask].mean(axis=0)[2] > 0.5, "a face looks at the viewer"
    about = json.loads((tmp_path / "astronaut_enhanced.json").read_text())
    assert about["enhanced_share"] > 0.3
    assert 2 < about["mean_change_deg"] < 30
    glb = trimesh.load(tmp_path / "astronaut_enhanced.glb", process=False, force="mesh")
    assert 0.1 < np.ptp(glb.vertices[:, 0]) < 0.25, "metres"
    corners = glb.vertices @ np.array(about["to_photo_px"])[:2, :3].T + np.array(about["to_photo_px"])[:2, 3]
    landmarks = np.array(json.loads((tmp_path / "astronaut.json").read_text())["landmarks"])
    assert corners.min(axis=0) == pytest.approx(landmarks.min(axis=0), abs=40), "back on the photo"


def test_what_was_written_before_a_failure_is_told(astronaut: Path, tmp_path: Path) -> None:
    (tmp_path / "astronaut_enhanced.ply").mkdir()
    told, steps = list[str](), enhance(Enhance(photos=[astronaut], out=tmp_path))
    with pytest.raises(FNormalError, match=r"astronaut_enhanced\.ply"):
        told.extend(Path(result.text).name for step in steps for result in step.results)
    assert sorted([*told, "astronaut_enhanced.ply"]) == sorted(p.name for p in tmp_path.iterdir())
    assert "astronaut_enhanced.glb" in told


@pytest.mark.gl
def test_given_normals_replace_the_prediction(astronaut: Path, tmp_path: Path) -> None:
    toward = np.zeros((512, 512, 3), np.float32)
    toward[..., 2] = 1
    path = tmp_path / "flat.png"
    write_normals(path, toward, np.ones((512, 512), bool), frame="opencv", format="png16", note={})
    list(enhance(Enhance(photos=[astronaut], out=tmp_path / "out", normals=path)))
    normals, mask = read_normals(tmp_path / "out" / "astronaut_normals.png")
    assert angular_error_deg(normals[mask], np.array([0, 0, 1])).max() < 0.01
    write_normals(path, toward[:99], np.ones((99, 512), bool), frame="opengl", format="png16", note={})
    with pytest.raises(FNormalError, match="512x99, the photo 512x512"):
        list(enhance(Enhance(photos=[astronaut], out=tmp_path / "out", normals=path)))
