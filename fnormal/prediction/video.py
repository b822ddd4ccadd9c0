"""Normals of the face in every frame of a video, and how much they flicker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from fnormal.arrays import F32, U8, Array
from fnormal.faces.detect import FaceBox
from fnormal.faces.masks import Outline
from fnormal.geometry.mirror import mirror_image, mirror_normals
from fnormal.geometry.normals import angular_error_deg, unit
from fnormal.prediction.face_normals import FaceNormals
from fnormal.prediction.frames import Frame, framed_square, seen, square_of
from fnormal.prediction.outlines import BUILT_IN
from fnormal.prediction.predictor import Predictor
from fnormal.prediction.tracking import FaceTracker, FollowingSquare
from fnormal.work.overlap import overlapped

Places = tuple[F32, F32]  # columns and rows
_FLOW_PX = 128  # side of the crop in which motion is measured


@dataclass(frozen=True)
class _Before:
    """What is kept of the frame before: its grey crop, what the network said of it, and what was told."""

    grey: U8
    asked: F32
    mean: F32 | None


@dataclass
class VideoFrame:
    """One frame on its way through the stages.

    Attributes:
        number: From 0.
        picture: RGB, until it is no longer needed. [H, W, 3]
        wanted: Whether its normals are asked for; the face is followed anyhow.
        helps: Whether the normals of the next frame are, to which it adds its share.
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
    helps: bool
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

    A fast predictor is asked about every second frame's mirror image, not about both images of every frame: a
    frame's answer is the mean with that of the frame before, moved along with the picture.

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
        self._in_turn = predictor.is_fast and predictor.mirror
        self._before: _Before | None = None

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
        frames = (
            VideoFrame(i, picture, i not in skipped, self._in_turn and i + 1 not in skipped)
            for i, picture in enumerate(pictures)
        )
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
            if frame.wanted or frame.helps:
                size_px = self._predictor.size_px
                outline = self._outline_of(picture)
                frame.frame = framed_square(frame.face, square, frame.shape, size_px, outline)
                (frame.image,) = seen(picture, frame.frame)
        frame.seconds["detect"] = time.monotonic() - started

    def _ask(self, frame: VideoFrame) -> None:
        if frame.image is not None:
            started = time.monotonic()
            once = self._in_turn and not frame.is_new
            if once and frame.number % 2:
                (mean,) = self._predictor.run([mirror_image(frame.image)], once=True)
                frame.mean = mirror_normals(mean)
            else:
                (frame.mean,) = self._predictor.run([frame.image], once=once)
            frame.seconds["network"] = time.monotonic() - started

    def _finish(self, frame: VideoFrame) -> None:
        if frame.image is None or frame.mean is None or frame.frame is None:
            self._before = None
            return
        started = time.monotonic()
        grey, before = _grey(frame.image), None if frame.is_new else self._before
        mean, frame.flicker_deg = self._steadied(frame.mean, grey, before)
        if frame.wanted:
            frame.normals = self._predictor.finish(frame.frame, [mean], frame.shape)
        self._before = _Before(grey, frame.mean, mean if frame.wanted else None)
        frame.image = frame.mean = None
        frame.seconds["smooth"] = time.monotonic() - started

    def _steadied(self, asked: F32, grey: U8, before: _Before | None) -> tuple[F32, float | None]:
        """What the network said with what it said of the frame before, and the flicker against that."""
        if before is None:
            return asked, None
        mean, (places, known) = asked, _motion(before.grey, grey, asked.shape[0])
        if self._in_turn:
            mean = _mixed(mean, _moved(before.asked, places), 0.5 * known)
        if before.mean is None:
            return mean, None
        moved = _moved(before.mean, places)
        if self._smooth:
            mean = _mixed(mean, moved, self._smooth * known)
        return mean, _angle_deg(moved, mean)


def _grey(image: F32) -> U8:
    """A view [S, S, 3] as motion is measured in it."""
    import cv2

    grey = cv2.cvtColor(np.rint(image * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (_FLOW_PX, _FLOW_PX), interpolation=cv2.INTER_AREA))


def _angle_deg(one: F32, other: F32) -> float:
    """Mean angle in the inner part of two crops, where the face is. [S, S, 3] both"""
    side = one.shape[0]
    inner = slice(side // 5, side - side // 5, 2)
    return float(angular_error_deg(unit(one[inner, inner]), unit(other[inner, inner])).mean())


def _motion(before: U8, now: U8, side_px: int) -> tuple[Places, F32]:
    """Where pixels of a field of this side come from in the frame before, and where that is sure [S, S]."""
    import cv2

    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(now, before, None)
    size = (side_px, side_px)
    large = cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR) * np.float32(side_px / _FLOW_PX)
    again = cv2.remap(before, *_places(flow), cv2.INTER_LINEAR)
    off = cv2.GaussianBlur(cv2.absdiff(again, now).astype(np.float32), (0, 0), 2)
    known = cv2.resize(np.clip(1.5 - off / 12, 0, 1), size, interpolation=cv2.INTER_LINEAR)
    return _places(large), np.asarray(known, np.float32)


def _moved(field: F32, places: Places) -> F32:
    """Normals [S, S, 3] of the frame before where the picture has moved to."""
    import cv2

    moved = cv2.remap(field, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


def _mixed(one: F32, other: F32, share: F32) -> F32:
    """A field [S, S, 3] with a share [S, S] of another."""
    return np.asarray(one + share[..., None] * (other - one), np.float32)


def _places(flow: F32) -> Places:
    """Columns and rows [S, S] that pixels come from along a flow [S, S, 2]."""
    steps = np.arange(flow.shape[0], dtype=np.float32)
    return flow[..., 0] + steps, flow[..., 1] + steps[:, None]
