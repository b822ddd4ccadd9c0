from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from fnormal.errors import FNormalError
from fnormal.geometry import mesh
from fnormal.geometry.mesh import encode_ply, make_mesh, triangulate, vertex_normals
from fnormal.geometry.meshfile import read_mesh
from fnormal.geometry.normals import angular_error_deg, unit
from fnormal.geometry.subdivision import loop_subdivision, midpoint_subdivision


def sphere(rounds: int = 3) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=rounds)


def test_vertex_normals_of_a_sphere_are_its_radii() -> None:
    s = sphere()
    normals = vertex_normals(s.vertices.astype(np.float32), s.faces.astype(np.int32))
    assert angular_error_deg(normals, s.vertices).max() < 1.0


def test_uv_seams_do_not_split_normals() -> None:
    s = sphere(2)
    apart = s.vertices[s.faces].reshape(-1, 3).astype(np.float32)
    faces = np.arange(len(apart), dtype=np.int32).reshape(-1, 3)
    assert angular_error_deg(vertex_normals(apart, faces), apart).max() < 2.5


@pytest.mark.parametrize("hashes", [mesh._HASH, (0, 0, 0)], ids=["usual", "all collide"])
@given(st.integers(0, 2**32 - 1))
def test_vertex_normals_are_those_of_a_slow_reference(hashes: tuple[int, int, int], seed: int) -> None:
    """Few places, so that many vertices share one; among them 0 and -0, which are the same."""
    rng = np.random.default_rng(seed)
    vertices = rng.choice(np.array([-0.0, 0.0, 1.0, 2.5], np.float32), (30, 3))
    faces = rng.integers(0, 30, (40, 3)).astype(np.int32)
    total: dict[tuple[float, ...], np.ndarray] = {}
    for a, b, c in vertices[faces].astype(np.float64):
        for corner in (a, b, c):
            total[tuple(corner)] = total.get(tuple(corner), 0) + np.cross(b - a, c - a)
    expected = [total.get(tuple(v), np.zeros(3)) for v in vertices.astype(np.float64)]
    expected = [n / np.linalg.norm(n) if n.any() else np.array([0, 0, 1.0]) for n in expected]
    with patch.object(mesh, "_HASH", hashes):
        assert np.abs(vertex_normals(vertices, faces) - expected).max() < 1e-6


def test_degenerate_faces_are_data() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]], np.float32)
    faces = np.array([[0, 1, 2], [0, 0, 1]], np.int32)
    assert vertex_normals(vertices, faces).tolist() == [[0, 0, 1]] * 4


@pytest.mark.parametrize("rule", [loop_subdivision, midpoint_subdivision])
def test_subdivision_counts_and_partition_of_unity(rule: object) -> None:
    s = sphere(1)
    finer = rule(s.faces.astype(np.int32), len(s.vertices))  # type: ignore[operator]
    assert len(finer.faces) == 4 * len(s.faces)
    assert finer.matrix.shape[0] == len(s.vertices) + len(s.edges_unique)
    assert np.asarray(finer.matrix.sum(axis=1)).ravel() == pytest.approx(1)
    fine = trimesh.Trimesh(finer(s.vertices), finer.faces, process=False)
    assert fine.is_watertight
    assert fine.is_winding_consistent
    assert fine.volume > 0


def test_loop_agrees_with_trimesh_on_closed_meshes() -> None:
    s = sphere(2)
    theirs, _ = trimesh.remesh.subdivide_loop(s.vertices, s.faces, iterations=1)
    ours = loop_subdivision(s.faces.astype(np.int32), len(s.vertices))(s.vertices)
    assert np.linalg.norm(ours[:, None] - theirs[None], axis=-1).min(axis=1).max() < 1e-5


def test_loop_leaves_the_rim_to_its_own_curve() -> None:
    """A boundary is subdivided as a cubic B-spline of boundary vertices alone."""
    vertices, faces = _sheet()
    matrix = loop_subdivision(faces, len(vertices)).matrix.toarray()
    for vertex, before, behind in ((2, 1, 3), (4, 3, 5), (11, 5, 17), (5, 4, 11)):
        expected = np.zeros(len(vertices))
        expected[[vertex, before, behind]] = 3 / 4, 1 / 8, 1 / 8
        assert matrix[vertex] == pytest.approx(expected)


def _sheet() -> tuple[np.ndarray, np.ndarray]:
    """A wavy 6 x 6 sheet with a boundary."""
    y, x = np.mgrid[:6, :6].astype(float)
    vertices = np.stack([x, y, np.sin(x) * np.cos(y)], axis=-1).reshape(-1, 3)
    corner = np.arange(36).reshape(6, 6)[:-1, :-1].reshape(-1)
    quads = np.stack([corner, corner + 1, corner + 7, corner + 6], axis=1)
    return vertices, triangulate(quads)


def test_midpoints_leave_the_surface_where_it_was() -> None:
    s = sphere(1)
    finer = midpoint_subdivision(s.faces.astype(np.int32), len(s.vertices))
    fine = trimesh.Trimesh(finer(s.vertices), finer.faces, process=False)
    assert fine.volume == pytest.approx(s.volume, rel=1e-6)


def test_triangulate_marks_triangles_with_minus_one() -> None:
    assert triangulate(np.array([[0, 1, 2, 3], [4, 5, 6, -1]])).tolist() == [[0, 1, 2], [4, 5, 6], [0, 2, 3]]


@pytest.mark.parametrize("suffix", ["obj", "ply", "glb", "off", "stl"])
def test_reads_what_trimesh_writes(tmp_path: Path, suffix: str) -> None:
    s = sphere(2)
    s.export(tmp_path / f"s.{suffix}")
    mesh = read_mesh(tmp_path / f"s.{suffix}")
    assert len(mesh.faces) == len(s.faces)
    if suffix != "stl":
        assert mesh.vertices == pytest.approx(s.vertices, abs=1e-5), "the file's order is kept"
    assert angular_error_deg(mesh.normals, unit(mesh.vertices)).max() < 3


def test_prnet_vertices_are_not_merged(shared_data: Path) -> None:
    mesh = read_mesh(shared_data / "prnet" / "canonical_like_prnet.obj")
    assert mesh.vertices.shape == (43867, 3)
    assert mesh.faces.shape == (86907, 3)
    assert mesh.colors is not None


def test_reads_legacy_vtk(tmp_path: Path) -> None:
    (tmp_path / "m.vtk").write_text(
        "# vtk DataFile Version 3.0\nx\nASCII\nDATASET POLYDATA\nPOINTS 4 float\n"
        "0 0 0 1 0 0 1 1 0 0 1 0\nTRIANGLE_STRIPS 1 5\n4 0 1 3 2\n"
        "POINT_DATA 4\nTEXTURE_COORDINATES tc 2 float\n0 0 1 0 1 1 0 1\n"
    )
    mesh = read_mesh(tmp_path / "m.vtk")
    assert mesh.faces.tolist() == [[0, 1, 3], [1, 2, 3]]
    assert mesh.normals.tolist() == [[0, 0, 1]] * 4
    assert mesh.uv is not None
    assert mesh.uv[2].tolist() == [1, 1]


def test_reads_the_cyberware_scan(shared_data: Path) -> None:
    mesh = read_mesh(shared_data / "fran_cut" / "fran_cut.vtk")
    assert len(mesh.vertices) == 2205
    assert mesh.uv is not None


def test_bad_meshes_get_one_line(tmp_path: Path) -> None:
    (tmp_path / "points.ply").write_text(
        "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\n"
        "property float z\nend_header\n0 0 0\n"
    )
    (tmp_path / "short.glb").write_bytes(b"glTF\x02\0\0\0")
    (tmp_path / "bad.vtk").write_text("# vtk\nPOINTS x\n")
    (tmp_path / "nan.obj").write_text("v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    (tmp_path / "notes.txt").write_text("hello")
    for name in ("none.obj", "points.ply", "short.glb", "bad.vtk", "nan.obj", "notes.txt"):
        with pytest.raises(FNormalError) as caught:
            read_mesh(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_faces_of_missing_vertices_are_refused() -> None:
    with pytest.raises(FNormalError, match="missing vertices"):
        make_mesh(np.zeros((3, 3)), np.array([[0, 1, 3]]))


def test_ply_carries_normals_and_colours() -> None:
    s = sphere(1)
    mesh = make_mesh(s.vertices, s.faces, colors=np.full((len(s.vertices), 3), 0.5, np.float32))
    back = trimesh.load(trimesh.util.wrap_as_stream(encode_ply(mesh)), file_type="ply", process=False)
    assert back.vertex_normals == pytest.approx(mesh.normals, abs=1e-6)
    assert back.visual.vertex_colors[0, :3].tolist() == [128] * 3
