"""Displaced vertices take the shape of the normals."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from fnormal.enhancement.displace import displacements
from fnormal.enhancement.reconcile import reconciled_with_mesh
from fnormal.enhancement.solving import conjugate_gradients
from fnormal.geometry.mesh import vertex_normals
from fnormal.geometry.normals import angular_error_deg, unit
from fnormal.prediction.face_normals import FaceNormals
from fnormal.render.backends import open_renderer
from fnormal.render.camera import rotation_about
from tests.caps import bumpy_normals, cap, enhanced_cap, inner


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
