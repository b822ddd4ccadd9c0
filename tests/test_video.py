"""A face in a video: steady on a panned still, and looked at when it changes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fnormal.faces.detect import FaceBox
from fnormal.geometry.normals import angular_error_deg
from fnormal.prediction import video
from fnormal.prediction.face_normals import FaceNormals
from fnormal.prediction.predictor import Predictor
from fnormal.prediction.tracking import FaceTracker
from fnormal.prediction.video import VideoPredictor
from tests.helpers import placed


@pytest.mark.parametrize("fast", [False, True])
def test_a_panned_still_is_steady(portrait: np.ndarray, fast: bool) -> None:
    frames = [placed(portrait, 240 + 60 * np.sin(t / 20), 200 + 20 * np.cos(t / 17)) for t in range(30)]
    for smooth, most_deg in ((0.0, 1.0), (0.5, 0.4)):
        follower = VideoPredictor(Predictor(fast=fast), scale=1.2, smooth=smooth)
        found = [f.flicker_deg for f in follower.follow(frames)]
        assert found[0] is None
        assert np.mean([f for f in found if f is not None]) < most_deg


@pytest.fixture
def in_turn() -> Predictor:
    """A predictor that looks as seldom as a fast one, and calculates exactly."""
    predictor = Predictor()
    predictor.fast = True
    return predictor


class StillTracker:
    """Says the same of every frame."""

    face: FaceBox | None = None
    is_new = False

    def follow(self, picture: np.ndarray) -> FaceBox | None:
        self.is_new = self.face is None
        self.face = self.face or FaceTracker().follow(picture)
        return self.face

    def moved(self, picture: np.ndarray, move: object) -> FaceBox | None:
        self.is_new = False
        return self.face


def test_a_still_face_is_answered_as_by_both_passes(
    portrait: np.ndarray, in_turn: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One frame is seen as it is, the next in the mirror; the mean of both is the mean of both passes."""
    monkeypatch.setattr(video, "FaceTracker", StillTracker)
    frames = [placed(portrait, 240, 200)] * 7
    both = [f.normals for f in VideoPredictor(Predictor(), scale=1.2).follow(frames)]
    each = [f.normals for f in VideoPredictor(in_turn, scale=1.2).follow(frames)]
    alone = [f.normals for f in VideoPredictor(Predictor(mirror=False), scale=1.2).follow(frames)]
    for one, other, half in zip(both, each, alone, strict=True):
        assert one is not None
        assert other is not None
        assert half is not None
        assert angular_error_deg(one.normals, other.normals)[one.mask].mean() < 0.01
        assert angular_error_deg(one.normals, half.normals)[one.mask].mean() > 1, "there is something to mend"


def test_a_calm_face_is_looked_at_in_every_fourth_frame(portrait: np.ndarray, in_turn: Predictor) -> None:
    """It shifts and turns slowly; points and normals between are those of the look, shifted and turned."""
    ways = [(240 + 0.8 * t, 200.0, 0.7 * t) for t in range(12)]
    frames = [placed(portrait, *way) for way in ways]
    found = list(VideoPredictor(in_turn, scale=1.2).follow(frames))
    assert [f.is_moved for f in found] == 3 * [False, True, True, True]
    for t, frame in enumerate(found):
        looked, since = found[t - t % 4], t % 4
        assert frame.normals is not None
        assert looked.normals is not None
        assert frame.face is not None
        assert looked.face is not None
        matrix = cv2.getRotationMatrix2D(ways[t - since][:2], 0.7 * since, 1)  # counter-clockwise
        matrix[0, 2] += 0.8 * since
        points = looked.face.landmarks @ matrix[:, :2].T + matrix[:, 2]
        assert np.linalg.norm(frame.face.landmarks - points, axis=1).mean() < 0.75
        c, s = np.cos(np.radians(0.7 * since)), np.sin(np.radians(0.7 * since))
        moved = cv2.warpAffine(looked.normals.normals, matrix, frames[0].shape[1::-1])
        moved = moved @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])  # y goes up
        both = frame.normals.mask & (np.linalg.norm(moved, axis=-1) > 0.9)
        assert both.sum() > 0.97 * frame.normals.mask.sum()
        off_deg = angular_error_deg(frame.normals.normals, moved)[both].mean()
        assert off_deg < 0.9, "1.5 by the end where they do not turn"


def test_a_letterboxed_video_is_answered_as_without_bars(
    portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A face that reaches beyond them; where a frame is dark, its bars seem wider than they are."""
    bare = np.ascontiguousarray(placed(portrait, 240, 200)[120:290])
    face = Predictor().detect(bare)[0]
    around = np.pad(bare, ((60, 60), (0, 0), (0, 0)))
    dark = around.copy()
    dark[:100] = 0

    def answers(pictures: list[np.ndarray], down_px: int) -> list[FaceNormals | None]:
        tracker = StillTracker()
        tracker.face = face.moved(0, down_px)
        monkeypatch.setattr(video, "FaceTracker", lambda: tracker)
        return [f.normals for f in VideoPredictor(Predictor(), scale=1.2).follow(pictures)]

    shown = answers([dark, around, around, dark], 60)
    for one, other in zip(shown[1:3], answers([bare] * 3, 0)[1:], strict=True):
        assert one is not None
        assert other is not None
        np.testing.assert_array_equal(one.mask[60:-60], other.mask)
        assert one.mask.sum() == other.mask.sum()
        assert angular_error_deg(one.normals[60:-60], other.normals)[other.mask].mean() < 0.05
    first, usual, _, last = shown
    assert first is not None
    assert usual is not None
    assert last is not None
    np.testing.assert_array_equal(last.mask, usual.mask, "once the others were seen")
    assert first.mask.sum() < usual.mask.sum()


def test_a_face_that_changes_is_looked_at(portrait: np.ndarray, in_turn: Predictor) -> None:
    """Another face in its place, another light."""
    one = placed(portrait, 240, 200)
    frames = [one, one, one[:, ::-1].copy(), one // 2, one // 2]
    moved = [f.is_moved for f in VideoPredictor(in_turn, scale=1.2).follow(frames)]
    assert moved == [False, True, False, False, True]


@pytest.mark.parametrize(
    ("step_px", "turn_deg", "done", "rest"),
    [(15, 1, (0, 1, 2, 5), [3, 4, 6, 7]), (0.7, 0.3, (*range(9), 12), [9, 10, 11, 13, 14, 15])],
)
def test_frames_that_are_done_leave_the_others_as_they_are(
    portrait: np.ndarray, in_turn: Predictor, step_px: float, turn_deg: float, done: tuple[int, ...],
    rest: list[int],
) -> None:  # fmt: skip
    """Wherever a video was stopped: some of the frames are moved in the second, none in the first."""
    frames = [placed(portrait, 200 + step_px * t, 200, turn_deg * t) for t in range(rest[-1] + 1)]
    whole = list(VideoPredictor(in_turn, scale=1.2).follow(frames))
    assert any(f.is_moved for f in whole) == (step_px < 1)
    again = list(VideoPredictor(in_turn, scale=1.2).follow(frames, done=done))
    assert [f.number for f in again if f.normals is not None] == rest
    for one, other in zip(whole, again, strict=True):
        if other.normals is not None:
            assert one.normals is not None
            np.testing.assert_array_equal(one.normals.normals, other.normals.normals)
