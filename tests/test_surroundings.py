"""A face that was cut out: its surroundings go on from its edge, whatever they were; it stays as it is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fnormal.arrays import F32, U8
from fnormal.datasets.sample import Pair
from fnormal.evaluation import predictions
from fnormal.faces.masks import hull_mask
from fnormal.geometry.images import resize_image
from fnormal.geometry.levels import levelled
from fnormal.geometry.normals import angular_error_deg
from fnormal.geometry.picturefile import read_image
from fnormal.geometry.surroundings import surrounded
from fnormal.network.checkpoint import WeightsInfo
from fnormal.prediction import frames
from fnormal.prediction.predictor import Predictor

SIDE = 128
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE].astype(np.float32)
FACE = np.hypot((COLUMNS - 64) / 44, (ROWS - 60) / 50) < 1
VIEW = np.stack([0.3 + COLUMNS / 400, 0.3 + ROWS / 400, np.full((SIDE, SIDE), 0.4)], axis=2).astype(
    np.float32
)
COLOUR = st.tuples(*[st.floats(0, 1)] * 3)


def cut_out(view: F32, color: object) -> F32:
    return np.where(FACE[..., None], view, np.asarray(color, np.float32)).astype(np.float32)


@given(color=COLOUR)
def test_the_colour_around_a_cut_out_face_is_not_seen(color: tuple[float, ...]) -> None:
    if np.abs(VIEW - np.float32(color)).max(axis=2).min() < 0.15:
        return  # parts of the face have that colour
    seen = surrounded(cut_out(VIEW, color))
    inner = cv2.erode(FACE.view(np.uint8), np.ones((3, 3), np.uint8)) > 0  # pixels of both are at the edge
    np.testing.assert_array_equal(seen[inner], VIEW[inner])
    np.testing.assert_array_equal(seen, surrounded(cut_out(VIEW, 1.0)))
    assert seen.dtype == np.float32
    # nothing is seen of the edge: no step there is larger than the blur of a smooth picture's colours
    assert max(np.abs(np.diff(seen, axis=axis)).max() for axis in (0, 1)) < 0.06


@given(light=st.floats(0.03, 1), haze=st.floats(0, 1))
def test_less_light_and_haze_change_nothing(light: float, haze: float) -> None:
    """A dim picture of a room is not of one colour, a dim face before black is cut out as well."""
    room = VIEW + np.random.default_rng(0).normal(0, 0.1, VIEW.shape).astype(np.float32)
    for view in (room, cut_out(VIEW, 0)):
        dim = (light * view + (1 - light) * np.float32(haze)).astype(np.float32)
        wanted = light * surrounded(view) + (1 - light) * np.float32(haze)
        np.testing.assert_allclose(surrounded(dim), wanted, atol=2e-3 * light + 1e-6)


@given(color=COLOUR, scale=st.sampled_from([1, 2, 4]))
def test_the_side_of_a_view_does_not_matter(color: tuple[float, ...], scale: int) -> None:
    if np.abs(VIEW - np.float32(color)).max(axis=2).min() < 0.15:
        return
    small = cut_out(VIEW, color)
    large = np.repeat(np.repeat(small, scale, axis=0), scale, axis=1)
    seen = cv2.resize(surrounded(large), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    assert np.abs(seen - surrounded(small)).mean() < 0.004


@pytest.mark.parametrize("color", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("quality", [60, 90])
def test_what_jpeg_leaves_at_the_edge_does_not_go_on(color: float, quality: int) -> None:
    big = resize_image(cut_out(VIEW, color), 4 * SIDE)
    code = np.rint(255 * np.clip(big, 0, 1)).astype(np.uint8)
    done, data = cv2.imencode(".jpg", code, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    damaged = resize_image(cv2.imdecode(data, cv2.IMREAD_COLOR).astype(np.float32) / 255, SIDE)
    clean = surrounded(cut_out(VIEW, color))
    around = ~FACE
    left = np.abs(surrounded(damaged) - clean)[around].mean()
    assert left < 0.04
    assert left < 0.4 * np.abs(damaged - clean)[around].mean()


def test_pictures_with_surroundings_are_the_same_object() -> None:
    noise = np.random.default_rng(0).random((SIDE, SIDE, 3)).astype(np.float32)
    assert surrounded(noise) is noise
    assert surrounded(VIEW) is VIEW
    for even in (0.0, 0.5, 1.0):  # nothing but one colour, and a face where there is no light
        view = np.full((SIDE, SIDE, 3), even, np.float32)
        assert surrounded(view) is view
        assert surrounded(view, FACE) is view
    face = np.hypot((COLUMNS - 64) / 30, (ROWS - 60) / 36) < 1  # of a head, whose outline tells of its form
    assert FACE.sum() > 1.9 * face.sum()
    head = cut_out(VIEW, 0)
    assert surrounded(head, face) is head
    assert surrounded(head, FACE) is not head
    half = VIEW.copy()
    half[:40] = 0  # a bar
    assert surrounded(half) is half


def test_a_dark_half_is_not_empty() -> None:
    """A face lit from one side, before black: where it is known, and where only its lit half is seen."""
    lit = VIEW * (COLUMNS > 64)[..., None]
    before_black = cut_out(lit, 0)
    inner = cv2.erode(FACE.view(np.uint8), np.ones((7, 7), np.uint8)) > 0
    np.testing.assert_array_equal(surrounded(before_black, FACE)[inner], lit[inner])
    face = np.hypot((COLUMNS - 64) / 28, (ROWS - 60) / 34) < 1
    # of a head, of which one cheek and the other ear are lit
    half = cut_out(VIEW * ((COLUMNS > 70) | (COLUMNS < 24))[..., None], 0)
    assert half.any(axis=2).sum() < 1.2 * face.sum()
    assert surrounded(half, face) is half
    shadow = cut_out(VIEW * (np.hypot(COLUMNS - 40, ROWS - 60) > 30)[..., None], 0)  # reaches the left edge
    seen = surrounded(shadow)
    dark = (np.hypot(COLUMNS - 40, ROWS - 60) < 30) & (COLUMNS > 36)
    assert (seen[dark] == 0).all()


def test_nothing_jumps_as_the_border_becomes_one_colour() -> None:
    views = []
    for rows in range(SIDE):
        view = cut_out(VIEW, 0)
        view[:rows] = VIEW[:rows]
        views.append(surrounded(view)[-1, SIDE // 2])
    steps = np.abs(np.diff(views, axis=0)).max()
    assert np.ptp(views) > 0.3  # from filled to left as it is
    assert steps < 0.15 * np.ptp(views)


def test_eval_shows_a_network_the_hull_as_predict_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the side that the network sees; without points nobody has looked for a face."""
    asked = []
    monkeypatch.setattr(predictions, "shown", lambda view, face: asked.append(face) or view)
    points = np.random.default_rng(1).uniform(30, 90, (68, 2)).astype(np.float32)
    image, mask = np.zeros((SIDE, SIDE, 3), np.uint8), np.ones((SIDE, SIDE), bool)
    known = Pair(mask, "a", "a", image, np.zeros((SIDE, SIDE, 3), np.float32), landmarks=points)
    unknown = Pair(mask, "a", "a", image, np.zeros((SIDE, SIDE, 3), np.float32))
    predictions._as_seen([known, unknown], WeightsInfo(arch="lite", size_px=2 * SIDE))
    hull, none = asked
    assert none is None
    assert hull.shape == (2 * SIDE, 2 * SIDE)
    area = hull_mask(points, SIDE, SIDE).mean()
    assert hull.mean() == pytest.approx(area, rel=0.02)


def test_a_portrait_that_is_cut_out_is_answered_more_as_it_was(
    astronaut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture: U8 = read_image(astronaut)
    predictor = Predictor()
    faces = predictor.detect(picture)[:1]
    (whole,) = predictor.predict(picture, faces)
    hull = hull_mask(faces[0].landmarks, *picture.shape[:2])

    def moved_deg(code: int) -> float:
        (found,) = predictor.predict(np.where(hull[..., None], picture, np.uint8(code)), faces)
        both = whole.mask & found.mask
        return float(angular_error_deg(whole.normals, found.normals)[both].mean())

    with_it = [moved_deg(code) for code in (0, 128, 255)]
    monkeypatch.setattr(frames, "shown", levelled)
    without = [moved_deg(code) for code in (0, 128, 255)]
    assert np.mean(with_it) < np.mean(without) - 2
