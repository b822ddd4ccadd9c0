"""Normals of the face in every frame of a video, and how much they flicker."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from fnormal.arrays import F32, U8
from fnormal.faces.detect import FaceBox
from fnormal.faces.masks import face_mask, hull_mask
from fnormal.geometry.normals import angular_error_deg, unit
from fnormal.prediction.face_normals import FaceNormals
from fnormal.prediction.frames import framed_square, square_of
from fnormal.prediction.predictor import Predictor
from fnormal.prediction.tracking import FaceTracker, FollowingSquare

_FLOW_PX = 128  # side of the crop in which motion is measured


@dataclass(frozen=True)
class VideoFrame:
    """One frame.

    Attributes:
        number: From 0.
        face: Where the face is; None where there is none.
        normals: Its normals; None without a face, or where they were not asked for.
        flicker_deg: Mean angle to the normals of the frame before, moved along with the picture, if any.
        seconds: What each stage took.
    """

    number: int
    face: FaceBox | None
    normals: FaceNormals | None
    flicker_deg: float | None
    seconds: dict[str, float]


class VideoPredictor:
    """Frames in, normals out; what it keeps does not grow with the video.

    Args:
        predictor: The network.
        scale: Side of the crop / larger side of the landmarks' box.
        forehead: Add the forehead to the mask.
        smooth: Share of the frame before, moved along with the picture, that is mixed in: 0 is none.
    """

    def __init__(
        self, predictor: Predictor, *, scale: float, forehead: bool = False, smooth: float = 0.0
    ) -> None:
        self._predictor, self._scale, self._smooth = predictor, scale, smooth
        self._outline = face_mask if forehead else hull_mask
        self._tracker, self._square = FaceTracker(), FollowingSquare()
        self._before: tuple[U8, F32] | None = None  # grey crop, mean normals of the crop

    def follow(self, frames: Iterable[U8], *, done: Iterable[int] = ()) -> Iterator[VideoFrame]:
        """Go through a video; frames whose number is in ``done`` are tracked, not predicted."""
        skipped = frozenset(done) if self._smooth == 0 else frozenset[int]()
        for number, picture in enumerate(frames):
            yield self._next(number, picture, predicted=number not in skipped)

    def _next(self, number: int, picture: U8, *, predicted: bool) -> VideoFrame:
        started = time.monotonic()
        face = self._tracker.follow(picture)
        seconds = {"detect": time.monotonic() - started}
        if face is None:
            self._before = None
            return VideoFrame(number, None, None, None, seconds)
        square = self._square.next(square_of(face.landmarks, self._scale), anew=self._tracker.is_new)
        if not predicted:
            self._before = None
            return VideoFrame(number, face, None, None, seconds)
        started = time.monotonic()
        size_px = self._predictor.size_px
        shape = (picture.shape[0], picture.shape[1])
        frame = framed_square(face, square, shape, size_px, self._outline)
        image, mean = self._predictor.look(picture, frame)
        flicker_deg, mean = self._steadied(image, mean, anew=self._tracker.is_new)
        normals = self._predictor.finish(frame, mean, picture.shape[:2])
        seconds["network"] = time.monotonic() - started
        return VideoFrame(number, face, normals, flicker_deg, seconds)

    def _steadied(self, image: F32, mean: F32, *, anew: bool) -> tuple[float | None, F32]:
        """Flicker against the frame before, and the mean prediction with some of it mixed in."""
        import cv2

        grey = cv2.cvtColor(np.rint(image * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY)
        grey = cv2.resize(grey, (_FLOW_PX, _FLOW_PX), interpolation=cv2.INTER_AREA)
        flicker_deg: float | None = None
        if self._before is not None and not anew:
            last_grey, last = self._before
            moved, known = _moved_along(last_grey, grey, last)
            if self._smooth:
                mean = np.asarray(mean + self._smooth * known[..., None] * (moved - mean), np.float32)
            flicker_deg = _angle_deg(moved, mean)
        self._before = (grey, mean)
        return flicker_deg, mean


def _angle_deg(one: F32, other: F32) -> float:
    """Mean angle in the inner part of two crops, where the face is. [S, S, 3] both"""
    side = one.shape[0]
    inner = slice(side // 5, side - side // 5, 2)
    return float(angular_error_deg(unit(one[inner, inner]), unit(other[inner, inner])).mean())


def _moved_along(before: U8, now: U8, normals: F32) -> tuple[F32, F32]:
    """Normals [S, S, 3] of the frame before where the picture has moved to, and where that is sure [S, S]."""
    import cv2

    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(now, before, None)
    side = normals.shape[0]
    large = cv2.resize(flow, (side, side), interpolation=cv2.INTER_LINEAR) * np.float32(side / _FLOW_PX)
    row, column = np.mgrid[:side, :side].astype(np.float32)
    x, y = column + large[..., 0], row + large[..., 1]
    moved = cv2.remap(normals, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    small_row, small_column = np.mgrid[:_FLOW_PX, :_FLOW_PX].astype(np.float32)
    again = cv2.remap(before, small_column + flow[..., 0], small_row + flow[..., 1], cv2.INTER_LINEAR)
    off = cv2.GaussianBlur(cv2.absdiff(again, now).astype(np.float32), (0, 0), 2)
    known = cv2.resize(np.clip(1.5 - off / 12, 0, 1), (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray(moved, np.float32), np.asarray(known, np.float32)
