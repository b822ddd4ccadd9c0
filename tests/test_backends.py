"""The two back ends against each other and against what can be worked out: lights, shadows, maps, lenses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, binary_erosion

from fnormal.errors import FNormalError
from fnormal.geometry.images import linear_to_srgb, srgb_to_linear
from fnormal.geometry.mesh import Mesh, make_mesh, turn_mesh, vertex_tangents
from fnormal.geometry.normals import angular_error_deg, frame_matrix, unit
from fnormal.render.backends import open_renderer, resolve_backend
from fnormal.render.camera import Camera, frame_face, random_rotation, rotation_about
from fnormal.render.drawing import Renderer
from fnormal.render.environment import evaluate
from fnormal.render.lighting import Lighting, headlight, paper_lighting, rich_lighting
from fnormal.render.soft import SoftRenderer
from fnormal.render.textures import Textures
from tests.test_render import BACKENDS, EYE, sphere_scene


@pytest.fixture(scope="module", params=BACKENDS)
def renderer(request: pytest.FixtureRequest) -> Iterator[Renderer]:
    with open_renderer(request.param) as renderer:
        yield renderer


def bumpy(*, maps: bool = False, space: str = "tangent") -> Mesh:
    """A closed egg with a lathe's texture coordinates, and random maps where asked for."""
    sphere = trimesh.creation.uv_sphere(count=[60, 60])
    p = np.asarray(sphere.vertices)
    vertices = p * [0.8, 1, 0.9] * (1 + 0.05 * np.sin(7 * p[:, :1]) * np.sin(9 * p[:, 1:2]))
    if not maps:
        return make_mesh(vertices, sphere.faces, colors=(0.5 + 0.4 * p).astype(np.float32))
    uv = np.stack([0.5 + 0.45 * p[:, 0], 0.5 + 0.45 * p[:, 1]], axis=1).astype(np.float32)
    rng = np.random.default_rng(0)
    smooth = cv2.resize(rng.uniform(0, 1, (8, 8, 3)), (128, 128), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    bend = unit(np.concatenate([smooth[..., :2] - 0.5, np.ones((128, 128, 1))], axis=-1))
    if space == "object":
        bend = unit(smooth - 0.5 + [0, 0, 1])
    return make_mesh(
        vertices, sphere.faces, uv=uv, texture=np.uint8(255 * smooth),
        normal_map=np.rint((bend + 1) * 32767.5).astype(np.uint16), normal_space=space,
        specular=np.uint8(255 * smooth[..., 0]),
    )  # fmt: skip


@pytest.mark.gl
@pytest.mark.parametrize("look", ["colours", "tangent maps", "object maps"])
@pytest.mark.parametrize("distance", [math.inf, 2.0])
def test_both_back_ends_draw_the_same(look: str, distance: float) -> None:
    mesh = bumpy(maps="maps" in look, space=look.split()[0] if "maps" in look else "tangent")
    rng = np.random.default_rng(3)
    with open_renderer("gl") as gl, open_renderer("soft") as soft:
        gl.load(mesh)
        soft.load(mesh)
        for light in (paper_lighting(rng), replace(rich_lighting(rng), shadow=1.0, specular=1.5)):
            camera = frame_face(mesh.vertices, random_rotation(rng, 45), 128, distance=distance)
            a, b = gl.render(camera, light), soft.render(camera, light)
            both = a.mask & b.mask
            error = angular_error_deg(a.normals, b.normals)[both]
            assert np.quantile(error, 0.999) < 0.01
            assert error.max() < 0.1, "a face beside the one meant, at most"
            for one, other in ((a.mask, b.mask), (b.mask, a.mask)):
                assert not (one & ~binary_dilation(other)).any(), "a pixel of outline"
            assert np.abs(a.z - b.z)[both].max() < 2e-3
            difference = np.abs(a.image.astype(int) - b.image).max(axis=-1)
            assert difference.mean() < 1.5
            assert np.quantile(difference, 0.99) < 20


def test_the_software_back_end_repeats_itself_bit_by_bit() -> None:
    mesh, rng = bumpy(maps=True), np.random.default_rng(0)
    light, camera = rich_lighting(rng), frame_face(bumpy().vertices, EYE, 96, distance=3.0)
    pictures = []
    for other_first in (False, True):
        with SoftRenderer() as renderer:
            if other_first:
                renderer.load(bumpy())
                renderer.render(camera, headlight())
            renderer.load(mesh)
            drawn = renderer.render(camera, light)
            pictures.append([drawn.image.tobytes(), drawn.normals.tobytes(), drawn.z.tobytes()])
    assert pictures[0] == pictures[1]


def test_a_near_sphere_is_seen_in_perspective(renderer: Renderer) -> None:
    """Rays from the eye meet the sphere where the camera says, and the far side is out of sight."""
    mesh, _, _, _ = sphere_scene(128)
    camera = Camera(EYE, (0.0, 0.0), 1.3, 129, 129, distance=3.0)
    renderer.load(mesh)
    drawn = renderer.render(camera, headlight())
    row, column = np.nonzero(binary_erosion(drawn.mask, iterations=2))
    at = camera.unproject(np.stack([column, row], axis=1).astype(np.float32), drawn.z[row, column])
    assert np.abs(np.linalg.norm(at, axis=1) - 1).max() < 3e-3
    assert angular_error_deg(drawn.normals[row, column], at).max() < 1.0
    # the tangent cone of a unit sphere from distance 3: z >= 1/3
    assert drawn.z[drawn.mask].min() == pytest.approx(1 / 3, abs=0.05)
    back = camera.project(at)
    assert np.abs(back[:, :2] - np.stack([column, row], axis=1)).max() < 1e-2


@given(distance=st.floats(1.2, 50), seed=st.integers(0, 2**31))
def test_the_crop_holds_the_points_in_perspective_too(distance: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(68, 3)).astype(np.float32)
    camera = frame_face(points, random_rotation(rng, 45), 256, distance=distance * 2)
    flat = camera.project(points)[:, :2]
    assert np.ptp(flat, axis=0).max() == pytest.approx(256 / 1.2, rel=5e-3)
    assert (flat.max(0) + flat.min(0)) / 2 == pytest.approx([127.5, 127.5], abs=1.0)


def test_a_ball_casts_its_shadow_where_geometry_says(renderer: Renderer) -> None:
    """A ball of radius 0.3, one above a plane, under a light at 45 degrees: an ellipse at x = 1."""
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.3)
    raised = ball.vertices + np.array([0, 0, 1])
    vertices = np.concatenate([raised, [[-2, -2, 0], [3, -2, 0], [3, 2, 0], [-2, 2, 0]]])
    n = len(ball.vertices)
    faces = np.concatenate([ball.faces, [[n, n + 1, n + 2], [n, n + 2, n + 3]]])
    renderer.load(make_mesh(vertices, faces))
    camera = Camera(EYE, (0.5, 0.0), 2.0, 200, 200)
    light = Lighting(
        np.array([[-1, 0, 1]], np.float32) / np.float32(math.sqrt(2)), np.ones((1, 3), np.float32),
        np.zeros(3, np.float32), shadow=1.0,
    )  # fmt: skip
    drawn = renderer.render(camera, light)
    row, column = np.mgrid[:200, :200].astype(np.float32)
    at = camera.unproject(np.stack([column, row], axis=-1), np.zeros((200, 200), np.float32))
    plane = drawn.z < 0.01
    dark = (drawn.image.max(axis=-1) == 0) & plane
    # the light's cylinder of radius 0.3 around (t, 0, 1 - t) meets z = 0
    inside = ((at[..., 0] - 1) / math.sqrt(2)) ** 2 + at[..., 1] ** 2 < 0.3**2
    wrong = (dark != (inside & plane)) & plane
    rim = binary_dilation(inside, iterations=3) & ~binary_erosion(inside, iterations=3)
    assert not (wrong & ~rim).any()
    assert dark.sum() > 0.8 * (inside & plane).sum()
    unshadowed = renderer.render(camera, replace(light, shadow=0.0))
    assert (unshadowed.image[plane].max(axis=-1) > 0).all()


def test_surroundings_light_as_their_harmonics_say(renderer: Renderer) -> None:
    mesh, camera, normals, inside = sphere_scene(96)
    sky = np.zeros((9, 3), np.float32)
    sky[0], sky[1] = (0.5, 0.4, 0.3), (0.3, 0.2, 0.1)
    dark = np.zeros((0, 3), np.float32)
    renderer.load(mesh)
    drawn = renderer.render(camera, Lighting(dark, dark, np.zeros(3, np.float32), environment=sky))
    albedo = srgb_to_linear(np.float32(0.6))
    expected = linear_to_srgb((albedo * evaluate(normals, sky)).astype(np.float32))
    assert np.abs(drawn.image / 255 - expected)[binary_erosion(inside, iterations=3)].max() < 0.02


@pytest.mark.parametrize("space", ["tangent", "object"])
def test_a_normal_map_turns_the_normals_it_says(renderer: Renderer, space: str) -> None:
    """A square that faces the viewer, its map tilted by 30 degrees to the right, the square turned."""
    vertices = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    faces, uv = np.array([[0, 1, 2], [0, 2, 3]]), np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    tilt = np.array([math.sin(math.radians(30)), 0, math.cos(math.radians(30))])
    code = np.rint((np.tile(tilt, (16, 16, 1)) + 1) * 32767.5).astype(np.uint16)
    renderer.load(make_mesh(vertices, faces, uv=uv, normal_map=code, normal_space=space))
    turn = rotation_about(np.array([0, 1.0, 0.3]), 0.4)
    drawn = renderer.render(Camera(turn, (0.0, 0.0), 1.2, 64, 64), headlight())
    error = angular_error_deg(drawn.normals, turn @ tilt)[binary_erosion(drawn.mask)]
    assert error.max() < 0.01


def test_a_flat_normal_map_changes_nothing(renderer: Renderer) -> None:
    mesh = bumpy(maps=True)
    flat = np.zeros((4, 4, 3), np.uint16)
    flat[:] = (32768, 32768, 65535)
    camera = frame_face(mesh.vertices, rotation_about(np.array([1.0, 1, 0]), 0.5), 96)
    drawn = []
    for normal_map in (None, flat):
        renderer.load(replace(mesh, normal_map=normal_map))
        drawn.append(renderer.render(camera, headlight()))
    assert angular_error_deg(drawn[0].normals, drawn[1].normals)[drawn[0].mask].max() < 0.01


def test_a_black_specular_map_takes_the_highlight_away(renderer: Renderer) -> None:
    mesh, camera, _, _ = sphere_scene(64)
    uv = (0.5 + 0.4 * mesh.vertices[:, :2]).astype(np.float32)
    light = replace(headlight(), specular=2.0, roughness=0.3)
    images = []
    for level in (0, 128, 255):
        specular = np.full((8, 8), level, np.uint8)
        renderer.load(replace(mesh, uv=uv, specular=specular))
        images.append(renderer.render(camera, light).image.astype(int).max())
    renderer.load(mesh)
    assert images[0] == renderer.render(camera, headlight()).image.max()
    assert images[0] < images[1] <= images[2]
    assert renderer.render(camera, light).image.max() == pytest.approx(images[1], abs=1)


def test_tangents_follow_u() -> None:
    mesh = bumpy(maps=True)
    tangents = vertex_tangents(mesh)
    assert np.abs(np.linalg.norm(tangents[:, :3], axis=1) - 1).max() < 1e-5
    assert np.abs(np.sum(tangents[:, :3] * mesh.normals, axis=1)).max() < 1e-5
    front = mesh.vertices[:, 2] > 0.3  # u is x there, v is y
    assert (tangents[front, 0] > 0.1).all()
    assert (tangents[front, 3] == 1).all()
    behind = mesh.vertices[:, 2] < -0.3  # seen from outside, u runs to the left: mirrored
    assert (tangents[behind, 3] == -1).all()


def test_turning_a_mesh_turns_its_maps(renderer: Renderer) -> None:
    """A signed permutation of the axes, mirrored ones too, is the same as turning what was drawn."""
    mesh = bumpy(maps=True, space="object")
    matrix = frame_matrix("y,-x,z")
    renderer.load(turn_mesh(mesh, matrix))
    a = renderer.render(Camera(EYE, (0.0, 0.0), 1.2, 96, 96), headlight())
    renderer.load(mesh)
    b = renderer.render(Camera(matrix, (0.0, 0.0), 1.2, 96, 96), headlight())
    both = a.mask & b.mask
    assert both.sum() > 0.98 * a.mask.sum()
    assert np.quantile(angular_error_deg(a.normals, b.normals)[both], 0.99) < 0.1


def test_textures_shrink_to_the_picture() -> None:
    mesh = replace(bumpy(maps=True), texture=np.full((1024, 1024, 3), 7, np.uint8))
    textures = Textures(mesh)
    near, far = textures.level(400.0), textures.level(20.0)
    assert near.albedo.shape[0] > far.albedo.shape[0] >= 16
    assert (far.albedo == 7).all()
    assert textures.level(20.0) is far


def test_rich_light_exposes_faces_and_repeats_itself() -> None:
    means = []
    mesh, camera, _, _ = sphere_scene(48)
    with open_renderer("soft") as renderer:
        renderer.load(mesh)
        for seed in range(60):
            light = rich_lighting(np.random.default_rng(seed))
            again = rich_lighting(np.random.default_rng(seed))
            assert all(np.array_equal(getattr(light, k), getattr(again, k)) for k in ("gain", "environment"))
            assert 1 <= len(light.directions) <= 4
            assert (np.diff(light.intensities.sum(axis=1)) < 0.3).all(), "the strongest first, but for tints"
            drawn = renderer.render(camera, light)
            means.append(drawn.image[drawn.mask].mean())
    assert np.quantile(means, 0.05) > 25
    assert np.quantile(means, 0.95) < 215
    assert np.std(means) > 15


@pytest.mark.gl
def test_closing_a_context_leaves_the_others_alone() -> None:
    mesh, camera, _, _ = sphere_scene(32)
    with open_renderer("gl") as first:
        first.load(mesh)
        before = first.render(camera, headlight()).image
        with open_renderer("gl") as second:
            second.load(bumpy())
        assert np.array_equal(first.render(camera, headlight()).image, before)


def test_auto_takes_the_software_where_no_gpu_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    from fnormal.render import backends, gl

    def nothing(*_: object) -> None:
        raise FNormalError("no OpenGL here")

    monkeypatch.setattr(gl.GLRenderer, "__init__", nothing)
    backends._auto.cache_clear()
    assert resolve_backend("auto") == "soft"
    backends._auto.cache_clear()
    with pytest.raises(FNormalError, match="no OpenGL"):
        open_renderer("gl")
