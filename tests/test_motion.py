"""Motion of a face from frame to frame: points and normals that move along, and when they may."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fnormal.faces.ladder import find_all_faces
from fnormal.prediction.frames import Square, square_of
from fnormal.prediction.motion import Motion, grey_view, motion_of, turn_and_rest
from tests.helpers import placed

SIDE_PX = 256


@pytest.fixture(scope="module")
def face(portrait: np.ndarray) -> tuple[np.ndarray, np.ndarray, Square]:
    """A picture, the 68 points of its face, and their square."""
    picture = placed(portrait, 240, 200)
    points = find_all_faces(picture)[0].landmarks
    return picture, points, square_of(points)


def to(picture: np.ndarray, square: Square, now: np.ndarray) -> Motion:
    return motion_of(grey_view(picture, square), grey_view(now, square), SIDE_PX)


@pytest.mark.parametrize(("x", "y", "turn_deg", "size"), [(2, -3, 0, 1), (0, 0, 1.5, 1), (1, 2, -1, 1.01)])
def test_points_go_where_the_picture_goes(
    face: tuple[np.ndarray, np.ndarray, Square], x: float, y: float, turn_deg: float, size: float
) -> None:
    picture, points, square = face
    way = cv2.getRotationMatrix2D((240, 200), turn_deg, size)
    way[:, 2] += x, y
    motion = to(picture, square, cv2.warpAffine(picture, way, picture.shape[1::-1]))
    found = motion.picture_points(points, square)
    assert np.linalg.norm(found - (points @ way[:, :2].T + way[:, 2]), axis=1).mean() < 0.5
    assert motion.calm_turn(points, found, square) == pytest.approx(-np.radians(turn_deg), abs=0.006)


def test_points_beyond_the_view_move_as_its_border(face: tuple[np.ndarray, np.ndarray, Square]) -> None:
    picture, _, square = face
    motion = to(picture, square, np.roll(picture, (2, 3), axis=(0, 1)))
    outside = np.array([[-40, 100], [128, 400], [300, -20]], np.float32)
    assert np.abs(motion.points(outside) - outside).max() < 8


def dropped_jaw(picture: np.ndarray, points: np.ndarray, share: float) -> np.ndarray:
    """A face whose chin goes down, in parts of its height."""
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    mouth, height = points[48:].mean(axis=0), np.ptp(points[:, 1])
    under = np.clip((rows - mouth[1]) / (0.2 * height), 0, 1) * (
        np.abs(columns - mouth[0]) < 0.4 * np.ptp(points[:, 0])
    )
    return cv2.remap(picture, columns, rows - share * height * under.astype(np.float32), cv2.INTER_LINEAR)


@pytest.mark.parametrize(
    "change",
    [
        lambda picture, points: dropped_jaw(picture, points, 0.04),
        lambda picture, points: (picture * 0.5).astype(np.uint8),
        lambda picture, points: picture[::-1].copy(),
        lambda picture, points: np.roll(picture, 20, axis=1),
        lambda picture, points: np.where(np.arange(480)[:, None] < 240, 90, picture).astype(np.uint8),
    ],
    ids=["speaks", "darker", "another", "far", "half covered"],
)  # fmt: skip
def test_what_is_not_calm_is_looked_at(face: tuple[np.ndarray, np.ndarray, Square], change: object) -> None:
    picture, points, square = face
    assert callable(change)
    motion = to(picture, square, change(picture, points))
    assert motion.calm_turn(points, motion.picture_points(points, square), square) is None
    still = to(picture, square, picture)
    assert still.calm_turn(points, still.picture_points(points, square), square) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("gain", [0.1, 1.0])
def test_dark_pictures_are_known_no_better_than_bright_ones(
    face: tuple[np.ndarray, np.ndarray, Square], gain: float
) -> None:
    picture, _, square = face
    other = (np.roll(picture[:, ::-1], 9, axis=0) * gain).astype(np.uint8)
    assert to((picture * gain).astype(np.uint8), square, other).known.mean() < 0.75


@given(
    st.floats(-3, 3), st.floats(0.2, 5), st.tuples(st.floats(-99, 99), st.floats(-99, 99)), st.integers(0, 99)
)
def test_what_is_no_change_of_form(turn: float, size: float, shift: tuple[float, float], seed: int) -> None:
    """A shift, a turn and a scale leave nothing; whatever else there is does."""
    points = np.random.default_rng(seed).normal(0, 100, (68, 2))
    matrix = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    now = points @ matrix.T + shift
    found, rest = turn_and_rest(points, now)
    assert np.isclose(np.exp(1j * found), np.exp(1j * turn), atol=1e-6)
    assert rest < 1e-9
    now[:10] += [20, 0]
    assert turn_and_rest(points, now)[1] > 1e-3
