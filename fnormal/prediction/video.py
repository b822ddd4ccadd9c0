"""Normals of the face in every frame of a video, and how much they flicker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from fnormal.arrays import F32, U8, Array
from fnormal.faces.detect import FaceBox
from fnormal.faces.masks import Outline
from fnormal.geometry.normals import angular_error_deg, unit
from fnormal.prediction.face_normals import FaceNormals
from fnormal.prediction.frames import Frame, framed_square, seen, square_of
from fnormal.prediction.outlines import BUILT_IN
from fnormal.prediction.predictor import Predictor
from fnormal.prediction.tracking import FaceTracker, FollowingSquare
from fnormal.work.overlap import overlapped

_FLOW_PX = 128  # side of the crop in which motion is measured


@dataclass
class VideoFrame:
    """One frame on its way through the stages.

    Attributes:
        number: From 0.
        picture: RGB, until it is no longer needed. [H, W, 3]
        wanted: Whether its normals are asked for; the face is followed anyhow.
        shape: Rows and columns.
        face: Where the face is; None where there is none.
        is_new: Whether the face was found, not followed.
        frame: Where the network looks.
        image: What it sees there. [S, S, 3]
        mean: What it answers. [S, S, 3]
        normals: Its normals; None without a face, or where they were not asked for.
        encoded: Its bytes, for a stream.
        flicker_deg: Mean angle to the normals of the frame before, moved along with the picture, if any.
        seconds: What each stage took.
    """

    number: int
    picture: U8 | None
    wanted: bool
    shape: tuple[int, int] = (0, 0)
    face: FaceBox | None = None
    is_new: bool = False
    frame: Frame | None = None
    image: F32 | None = None
    mean: F32 | None = None
    normals: FaceNormals | None = None
    encoded: bytes = b""
    flicker_deg: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)


class VideoPredictor:
    """Frames in, normals out, in stages that overlap; what it keeps does not grow with the video.

    Args:
        predictor: The network.
        scale: Side of the crop / larger side of the landmarks' box.
        outline_of: Says for a frame [H, W, 3] where its face is; by default the hull.
        smooth: Share of the frame before, moved along with the picture, that is mixed in: 0 is none.
    """

    def __init__(
        self,
        predictor: Predictor,
        *,
        scale: float,
        outline_of: Callable[[Array], Outline] = BUILT_IN["hull"],
        smooth: float = 0.0,
    ) -> None:
        self._predictor, self._scale, self._smooth, self._outline_of = predictor, scale, smooth, outline_of
        self._tracker, self._square = FaceTracker(), FollowingSquare()
        self._before: tuple[U8, F32] | None = None  # grey crop, mean normals of the crop

    def follow(
        self,
        pictures: Iterable[U8],
        *,
        done: Iterable[int] = (),
        write: Callable[[VideoFrame], None] | None = None,
    ) -> Iterator[VideoFrame]:
        """Go through a video.

        Args:
            pictures: Its frames. RGB [H, W, 3]
            done: Numbers of frames that are followed but not predicted.
            write: A last stage, which may write a frame while the next ones are predicted.
        """
        skipped = frozenset(done) if self._smooth == 0 else frozenset[int]()
        frames = (VideoFrame(i, picture, i not in skipped) for i, picture in enumerate(pictures))
        stages = [self._look, self._ask, self._finish, *([] if write is None else [write])]
        at_once = [self._predictor.at_once if stage == self._ask else 1 for stage in stages]
        return overlapped(frames, stages, at_once)

    def _look(self, frame: VideoFrame) -> None:
        started, picture = time.monotonic(), frame.picture
        assert picture is not None, "nobody has taken it yet"
        frame.shape, frame.picture = (picture.shape[0], picture.shape[1]), None
        frame.face = self._tracker.follow(picture)
        frame.is_new = self._tracker.is_new
        if frame.face is not None:
            square = self._square.next(square_of(frame.face.landmarks, self._scale), anew=frame.is_new)
            if frame.wanted:
                size_px = self._predictor.size_px
                outline = self._outline_of(picture)
                frame.frame = framed_square(frame.face, square, frame.shape, size_px, outline)
                (frame.image,) = seen(picture, frame.frame)
        frame.seconds["detect"] = time.monotonic() - started

    def _ask(self, frame: VideoFrame) -> None:
        if frame.image is not None:
            started = time.monotonic()
            (frame.mean,) = self._predictor.run([frame.image])
            frame.seconds["network"] = time.monotonic() - started

    def _finish(self, frame: VideoFrame) -> None:
        if frame.image is None or frame.mean is None or frame.frame is None:
            self._before = None
            return
        started = time.monotonic()
        frame.flicker_deg, mean = self._steadied(frame.image, frame.mean, anew=frame.is_new)
        frame.normals = self._predictor.finish(frame.frame, [mean], frame.shape)
        frame.image = frame.mean = None
        frame.seconds["smooth"] = time.monotonic() - started

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
    moved = cv2.remap(normals, *_places(large), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    again = cv2.remap(before, *_places(flow), cv2.INTER_LINEAR)
    off = cv2.GaussianBlur(cv2.absdiff(again, now).astype(np.float32), (0, 0), 2)
    known = cv2.resize(np.clip(1.5 - off / 12, 0, 1), (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray(moved, np.float32), np.asarray(known, np.float32)


def _places(flow: F32) -> tuple[F32, F32]:
    """Columns and rows [S, S] that pixels come from along a flow [S, S, 2]."""
    steps = np.arange(flow.shape[0], dtype=np.float32)
    return flow[..., 0] + steps, flow[..., 1] + steps[:, None]
