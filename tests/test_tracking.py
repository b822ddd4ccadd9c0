"""A face followed from frame to frame, and the square around it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fnormal.faces.detect import FaceBox
from fnormal.prediction import tracking
from fnormal.prediction.frames import Square, square_of
from fnormal.prediction.tracking import FaceTracker, FollowingSquare
from fnormal.readers import SCANS, open_reader
from fnormal.render.soft import SoftRenderer
from tests.helpers import placed
from tests.test_ladder import drawn, off_profile


def test_points_follow_without_a_jump_and_come_back(portrait: np.ndarray) -> None:
    """It moves, turns by 60 degrees, leaves to the right, is away, and returns."""
    ways = [(240 + 2 * t, 200, 2 * t, 1.0) for t in range(30)]
    ways += [(300 + 25 * t, 200, 60, 1.0) for t in range(16)]
    ways += [(900, 200, 0, 1.0)] * 8
    ways += [(240, 200, 0, 0.8)] * 8
    tracker, found = FaceTracker(), []
    for way in ways:
        found.append(tracker.follow(placed(portrait, *way)))
    assert all(face is not None for face in found[:32])
    assert all(face is None for face in found[46:54])
    assert found[-1] is not None, "it is found again"
    assert found[-1].landmarks[:, 0].mean() == pytest.approx(240, abs=60)
    for way, before, after in zip(ways[1:30], found[:29], found[1:30], strict=True):
        assert isinstance(before, FaceBox)
        assert isinstance(after, FaceBox)
        step = np.linalg.norm(after.landmarks - before.landmarks, axis=1).max()
        assert step < 14, way  # 2 pixels and 2 degrees a frame move no point further


def test_a_head_that_turns_keeps_its_points(shared_data: Path) -> None:
    settings = {"scans": 3, "seed": 4711}
    reader = open_reader(SCANS, "ict-facekit", shared_data / "ict_facekit/ict_facekit.npz", settings)
    far, steps = list[float](), list[float]()
    with SoftRenderer() as renderer:
        for i in range(3):
            tracker, scan, before = FaceTracker(), reader.load(i), np.zeros((68, 2))
            for yaw_deg in range(0, 80, 4):
                picture, truth = drawn(renderer, scan, yaw_deg)
                face = tracker.follow(picture)
                assert face is not None
                away, before = face.landmarks - truth - before, face.landmarks - truth
                steps += [np.linalg.norm(away, axis=1).mean() / np.ptp(truth, axis=0).max()] * (yaw_deg > 0)
                far += [off_profile(face, truth)] * (yaw_deg > 55)
    assert np.mean(far) < 0.13, "0.17 by FaceMesh alone"
    assert max(steps) < 0.06, (
        "one network takes over from the other without a jump; FaceMesh alone makes some of 0.11"
    )


def test_profiles_that_facemesh_does_not_know_are_followed(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees some heads from the side and some not; a wall where the head was is not followed."""
    scan = open_reader(
        SCANS, "ict-facekit", shared_data / "ict_facekit/ict_facekit.npz", {"scans": 4, "seed": 4711}
    ).load(3)
    tracker = FaceTracker()
    monkeypatch.setattr(tracking, "followed_468", lambda picture, before: (before, 0.0))
    nowhere = np.random.default_rng(0).uniform(100, 300, (468, 2)).astype(np.float32)
    monkeypatch.setattr(tracking, "landmarks_468", lambda *_: (nowhere, 0.0))
    with SoftRenderer() as renderer:
        for yaw_deg in (80, 77, 74, 71, 68):
            picture, truth = drawn(renderer, scan, yaw_deg)
            face = tracker.follow(picture)
            assert face is not None
            assert off_profile(face, truth) < 0.25
            assert tracker.is_new == (yaw_deg == 80)
    assert tracker.follow(np.full_like(picture, 120)) is None


def test_squares_damp_jitter_and_keep_up() -> None:
    rng = np.random.default_rng(0)
    follower = FollowingSquare()
    still = Square(np.array([100.0, 100.0]), 200.0, 0.0)
    noisy, steady = [], []
    for _ in range(200):
        wanted = Square(still.middle + rng.normal(0, 1, 2), 200.0, 0.0)
        noisy.append(wanted.middle)
        steady.append(follower.next(wanted, anew=False).middle)
    assert np.diff(steady, axis=0).std() < 0.6 * np.diff(noisy, axis=0).std()
    for t in range(20):  # 10 pixels a frame
        wanted = Square(np.array([100.0 + 10 * t, 100.0]), 200.0, 0.0)
        got = follower.next(wanted, anew=False)
    assert abs(got.middle[0] - wanted.middle[0]) < 0.06 * 200
    assert abs(Square(still.middle, 200, 170).toward(Square(still.middle, 200, -170), 0.5).turn_deg) == 180


def test_the_square_of_points_is_the_papers_crop() -> None:
    points = np.random.default_rng(0).uniform(100, 200, (68, 2)).astype(np.float32)
    points[36:42], points[42:48] = (120, 140), (180, 140)
    points[6:11], points[17:27] = (150, 200), (150, 100)
    square = square_of(points)
    assert square.side == pytest.approx(1.2 * np.ptp(points, axis=0).max(), rel=1e-5)
    corners = (
        np.array([[-0.5, -0.5], [255.5, 255.5]]) @ square.to_picture(256)[:, :2].T
        + square.to_picture(256)[:, 2]
    )
    np.testing.assert_allclose(corners[1] - corners[0], square.side, rtol=1e-6)
