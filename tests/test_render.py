from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest
import trimesh
from scipy.ndimage import binary_erosion

from fnormal.config import LIGHT_INTENSITY_MAX, MAX_ANGLE_DEG
from fnormal.errors import FNormalError
from fnormal.geometry.mesh import make_mesh
from fnormal.geometry.normals import angular_error_deg
from fnormal.render.backends import open_renderer
from fnormal.render.camera import Camera, frame_face, random_rotation, rotation_about
from fnormal.render.drawing import Renderer
from fnormal.render.gl import GLRenderer
from fnormal.render.lighting import Lighting, headlight, paper_lighting

BACKENDS = ["soft", pytest.param("gl", marks=pytest.mark.gl)]
EYE = np.eye(3, dtype=np.float32)


@pytest.fixture(scope="module", params=BACKENDS)
def renderer(request: pytest.FixtureRequest) -> Iterator[Renderer]:
    with open_renderer(request.param) as renderer:
        yield renderer


def sphere_scene(size: int, rotation: np.ndarray = EYE) -> tuple[object, Camera, np.ndarray, np.ndarray]:
    """An icosphere, its camera, and the analytic normals [H, W, 3] and mask [H, W]."""
    s = trimesh.creation.icosphere(subdivisions=5)
    camera = frame_face(s.vertices.astype(np.float32), rotation, size)
    row, column = np.mgrid[:size, :size]
    x = (column - (size - 1) / 2) / camera.px_per_unit
    y = ((size - 1) / 2 - row) / camera.px_per_unit
    inside = x**2 + y**2 < 1
    normals = np.stack([x, y, np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))], axis=-1)
    return make_mesh(s.vertices, s.faces), camera, normals, inside


def test_sphere_has_its_analytic_normals_mask_and_depth(renderer: Renderer) -> None:
    rotation = rotation_about(np.array([1.0, 2, 3]), 0.7)
    mesh, camera, normals, inside = sphere_scene(256, rotation)
    renderer.load(mesh)
    drawn = renderer.render(camera, headlight())
    inner = binary_erosion(inside)  # away from the outline pixel
    error = angular_error_deg(drawn.normals, normals)[inner]
    assert error.mean() < 0.5
    assert error.max() < 1.5
    assert drawn.mask[inner].all()
    assert not (drawn.mask & ~inside).any()
    assert np.abs(np.linalg.norm(drawn.normals, axis=-1) - drawn.mask).max() < 1e-5, "never blended"
    assert np.abs(drawn.z - normals[..., 2])[inner].max() < 0.01, "orthographic depth, near to far"


def test_pictures_are_lambertian_under_the_light_and_say_where_it_is(renderer: Renderer) -> None:
    mesh, camera, normals, inside = sphere_scene(128)
    toward = np.array([0.6, 0.0, 0.8], np.float32)
    light = Lighting(toward[None], np.array([[1.5, 1, 0.5]], np.float32), np.zeros(3, np.float32))
    renderer.load(mesh)
    drawn = renderer.render(camera, light)
    srgb = 0.6  # the default albedo
    linear = ((srgb + 0.055) / 1.055) ** 2.4 * np.clip(normals @ toward, 0, 1)[..., None] * (1.5, 1, 0.5)
    code = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    inner = binary_erosion(inside, iterations=3)
    assert np.abs(drawn.image / 255 - code)[inner].max() < 0.03
    assert not drawn.image[~inside & (drawn.alpha == 0)].any()


def test_texture_and_vertex_colours_land_where_they_should(renderer: Renderer) -> None:
    """A square with four differently coloured quarters, by texture and by vertices."""
    vertices = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32, :32], picture[:32, 32:] = (250, 0, 0), (0, 250, 0)
    picture[32:, :32], picture[32:, 32:] = (0, 0, 250), (250, 250, 0)
    light = Lighting(
        np.array([[0, 0, 1.0]], np.float32), np.ones((1, 3), np.float32), np.zeros(3, np.float32)
    )
    camera = Camera(EYE, (0.0, 0.0), 1.0, 64, 64)
    renderer.load(make_mesh(vertices, faces, uv=uv, texture=picture))
    drawn = renderer.render(camera, light)
    for row in (12, 52):
        for column in (12, 52):
            assert np.abs(drawn.image[row, column].astype(int) - picture[row, column]).max() < 8
    colors = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]], np.float32)
    renderer.load(make_mesh(vertices, faces, colors=colors))
    drawn = renderer.render(camera, light)
    assert drawn.image[62, 32].argmax() == 0, "red below"
    assert drawn.image[1, 32].argmax() == 1, "green above"


def test_the_inside_of_an_open_mesh_is_no_face(renderer: Renderer) -> None:
    mesh, camera, _, inside = sphere_scene(64)
    bowl = make_mesh(mesh.vertices, mesh.faces[mesh.vertices[mesh.faces][..., 2].max(axis=1) < 0.1])
    renderer.load(bowl)
    drawn = renderer.render(camera, headlight())
    assert drawn.alpha[inside].min() > 0
    assert drawn.mask.mean() < 0.02


def test_projection_agrees_with_what_is_drawn(renderer: Renderer) -> None:
    spot = trimesh.creation.icosphere(subdivisions=2, radius=0.05)
    rotation = rotation_about(np.array([0.2, 1, 0.1]), 0.5)
    at = np.array([0.3, -0.2, 0.4])
    renderer.load(make_mesh(spot.vertices + at, spot.faces))
    camera = Camera(rotation, (0.05, 0.02), 0.8, 200, 150)
    drawn = renderer.render(camera, headlight())
    rows, columns = np.nonzero(drawn.mask)
    x, y, _ = camera.project(at.astype(np.float32)[None])[0]
    assert (columns.mean(), rows.mean()) == (pytest.approx(x, abs=0.3), pytest.approx(y, abs=0.3))


def test_one_renderer_draws_many_meshes_and_sizes(renderer: Renderer) -> None:
    results = []
    for size in (64, 96, 64):
        mesh, camera, _, _ = sphere_scene(size)
        renderer.load(mesh)
        results.append(renderer.render(camera, headlight()))
    assert np.array_equal(results[0].image, results[2].image)
    assert results[1].image.shape == (96, 96, 3)


def test_protocol_of_section_4_2() -> None:
    rng = np.random.default_rng(0)
    angles, intensities, directions = [], [], []
    for _ in range(2000):
        rotation = random_rotation(rng, MAX_ANGLE_DEG)
        assert rotation @ rotation.T == pytest.approx(EYE, abs=1e-5)
        angles.append(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))
        light = paper_lighting(rng)
        intensities.append(float(light.intensities[0, 0]))
        directions.append(light.directions[0])
        assert not light.ambient.any()
    assert MAX_ANGLE_DEG == 45
    assert max(angles) <= 45.001
    assert np.mean(angles) == pytest.approx(22.5, abs=1)
    assert 0 <= min(intensities) < 0.01
    assert LIGHT_INTENSITY_MAX >= max(intensities) > 1.99
    assert min(d[2] for d in directions) > 0
    assert np.mean(directions, axis=0) == pytest.approx([0, 0, 0.5], abs=0.04), "uniform on the half sphere"


def test_missing_opengl_names_the_debian_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrender", None)  # what an ImportError inside it looks like
    with pytest.raises(FNormalError, match=r"libegl1 libgl1-mesa-dri libgl1 libxrender1"):
        GLRenderer()
