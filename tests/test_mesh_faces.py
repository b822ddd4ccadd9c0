"""Which parts of a mesh file are faces, by what they are known, and which way they are wound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fnormal.enhancement.heads import split_heads
from fnormal.enhancement.meshpoints import find_points, is_a_face
from fnormal.enhancement.topology import known_topologies, known_uv
from fnormal.enhancement.winding import wound_outward
from fnormal.errors import FNormalError
from fnormal.faces.detect import eyes_of
from fnormal.geometry.mesh import Mesh, make_mesh, vertex_normals
from fnormal.geometry.meshfile import read_mesh
from fnormal.geometry.normals import frame_matrix
from fnormal.render.backends import open_renderer
from tests.heads import head_mesh


def ball(x: float, size: float = 1.0, rounds: int = 2) -> tuple[np.ndarray, np.ndarray]:
    import trimesh

    sphere = trimesh.creation.icosphere(subdivisions=rounds)
    return sphere.vertices * size + (x, 0, 0), sphere.faces


def joined(*parts: tuple[np.ndarray, np.ndarray]) -> Mesh:
    starts = np.cumsum([0, *(len(v) for v, _ in parts)])
    faces = [f + start for (_, f), start in zip(parts, starts, strict=False)]
    return make_mesh(np.concatenate([v for v, _ in parts]), np.concatenate(faces))


def test_eyes_belong_to_their_heads_and_scraps_to_the_nearest() -> None:
    mesh = joined(ball(0), ball(5, 0.9), ball(0.3, 0.1), ball(5.2, 0.1), ball(6.5, 0.05, 1))
    heads = split_heads(mesh)
    sizes = [len(ball(0)[0]) + len(ball(0)[0]), 2 * len(ball(0)[0]) + len(ball(0, 1, 1)[0])]
    assert [len(head.mesh.vertices) for head in heads] == sizes
    for head in heads:
        assert np.array_equal(head.mesh.vertices, mesh.vertices[head.vertex_ids])
        assert len(np.unique(head.mesh.faces)) == len(head.vertex_ids)


def test_copies_of_a_known_topology_are_so_many_heads() -> None:
    count = 468
    rng = np.random.default_rng(0)
    vertices = rng.normal(size=(3 * count, 3))
    faces = np.concatenate([rng.integers(0, count, (50, 3)) + k * count for k in range(3)])
    heads = split_heads(make_mesh(vertices, faces))
    assert [head.vertex_ids[0] for head in heads] == [0, count, 2 * count]


def test_tables_of_topologies_are_faces(shared_data: Path) -> None:
    known = known_topologies()
    assert {43867, 53215, 35709, 26719, 468, 478} <= set(known)
    assert all(len(ids) == 68 and ids.max() < n for n, ids in known.items())
    prnet = read_mesh(shared_data / "prnet" / "canonical_like_prnet.obj")
    points = prnet.vertices[known[43867]]
    assert is_a_face(points)
    assert is_a_face(points * np.float32([-1, 1, 1])), "mirrored or not"
    assert not is_a_face(np.random.default_rng(0).permutation(points))


def test_prnets_texture_coordinates_come_with_its_topology(shared_data: Path) -> None:
    uv = known_uv(43867)
    assert uv is not None
    ids = np.loadtxt(shared_data / "prnet" / "face_ind.txt").astype(int)
    assert np.array_equal(np.rint(uv[:, 0] * 256 - 0.5).astype(int), ids % 256)
    assert np.array_equal(np.rint((1 - uv[:, 1]) * 256 - 0.5).astype(int), ids // 256)
    assert known_uv(1234) is None


# meshes of unknown topology


@pytest.mark.parametrize(("axes", "inward"), [("x,y,z", False), ("-z,x,-y", True), ("y,-x,z", False)])
def test_a_face_is_found_on_a_mesh_in_any_axes(makehuman: Path, axes: str, inward: bool) -> None:
    head = head_mesh(makehuman)
    matrix = frame_matrix(axes)
    faces = head.faces[:, ::-1].copy() if inward else head.faces
    vertices = np.ascontiguousarray(1000 * head.vertices @ matrix, np.float32)
    with open_renderer("soft", supersample=1) as renderer:
        points = find_points(renderer, make_mesh(vertices, faces), "head.obj")
    back = points @ matrix.T
    right, left = eyes_of(back)
    mouth = back[48:60].mean(axis=0)
    assert (right + left)[1] / 2 > mouth[1], "eyes over the mouth"
    assert abs(right[1] - left[1]) < 0.1 * abs(right[0] - left[0])
    assert back[30, 2] > back[36:48, 2].max(), "the nose is nearest"


def test_no_face_on_a_ball_is_one_line(makehuman: Path) -> None:
    vertices, faces = ball(0)
    with (
        open_renderer("soft", supersample=1) as renderer,
        pytest.raises(FNormalError, match="no face is seen"),
    ):
        find_points(renderer, make_mesh(vertices, faces), "ball.obj")


def test_winding_is_told_without_knowing_the_viewer() -> None:
    vertices, faces = ball(3)
    shell = faces[vertices[faces][..., 2].min(axis=1) > -0.2]  # open at the back, like a mask
    for given_faces in (faces, shell):
        out = wound_outward(given_faces[:, ::-1].astype(np.int32).copy(), vertices.astype(np.float32))
        normals = vertex_normals(vertices.astype(np.float32), out)[np.unique(out)]
        assert ((vertices[np.unique(out)] - (3, 0, 0)) * normals).sum(axis=1).mean() > 0.9
