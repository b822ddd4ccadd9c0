"""Normals of the face in every frame of a video, and how much they flicker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, field

from fnormal.arrays import F32, U8, Array
from fnormal.faces.detect import FaceBox
from fnormal.faces.masks import Outline
from fnormal.geometry.mirror import mirror_image, mirror_normals
from fnormal.geometry.normals import angular_error_deg, turned_in_plane, unit
from fnormal.geometry.plain_border import Part, without_bars
from fnormal.prediction.face_normals import FaceNormals
from fnormal.prediction.frames import Frame, Square, square_of
from fnormal.prediction.framing import square_frame
from fnormal.prediction.motion import Motion, grey_view, motion_of, turn_and_rest
from fnormal.prediction.outlines import BUILT_IN
from fnormal.prediction.predictor import Predictor
from fnormal.prediction.tracking import FaceTracker, FollowingSquare
from fnormal.work.overlap import overlapped

_OTHER_FORM = 0.01  # change of a face's form between two looks, in parts of its size, that nothing smooths
_MOST_MOVED = 3  # frames in turn at which nobody looks
_HELPERS = 2 * _MOST_MOVED + 1  # frames before one, of which its normals may be made: two looks


@dataclass(frozen=True)
class _Looked:
    """Where somebody looked last: the square, its view as motion is measured in it, and the face there."""

    square: Square
    grey: U8
    face: FaceBox


@dataclass(frozen=True)
class _Before:
    """What is kept of the last view that the network was asked about.

    Attributes:
        grey: As motion is measured in it. [F, F]
        asked: What the network said. [S, S, 3]
        mean: The answer. [S, S, 3]
        told: Whether somebody was told it.
    """

    grey: U8
    asked: F32
    mean: F32
    told: bool


@dataclass
class VideoFrame:
    """One frame on its way through the stages.

    Attributes:
        number: From 0.
        picture: RGB, until it is no longer needed. [H, W, 3]
        wanted: Whether its normals are asked for; the face is followed anyhow.
        helps: Whether the normals of one of the next frames are, to which it adds its share.
        shape: Rows and columns.
        face: Where the face is; None where there is none.
        is_new: Whether the face was found, not followed.
        change: How much its form changed since the last look, in parts of its size.
        is_moved: Whether face and normals are those of the last look, moved along with the picture.
        motion: The motion since then.
        turn: The face's turn since then in radians, clockwise.
        frame: Where the network looks.
        grey: What motion is measured in. [F, F]
        image: What it sees there. [S, S, 3]
        mirrored: Whether it sees the mirror image, of which ``asked`` is the answer.
        asked: What it answers. [S, S, 3]
        mean: The answer. [S, S, 3]
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
    change: float = 0.0
    is_moved: bool = False
    motion: Motion | None = None
    turn: float = 0.0
    frame: Frame | None = None
    grey: U8 | None = None
    image: F32 | None = None
    mirrored: bool = False
    asked: F32 | None = None
    mean: F32 | None = None
    normals: FaceNormals | None = None
    encoded: bytes = b""
    flicker_deg: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)


class VideoPredictor:
    """Frames in, normals out, in stages that overlap; what it keeps does not grow with the video.

    A fast predictor is asked about a view as it is, or about its mirror image, in turn: an answer is the mean
    with that of the view before, moved along with the picture. And while a face hardly changes, nobody looks
    at it for up to three frames in turn: points and normals are those of the last look, moved along.

    Args:
        predictor: The network.
        scale: Side of the crop / larger side of the landmarks' box.
        outline_of: Says for a frame [H, W, 3] where its face is; by default the hull.
        smooth: Share of the frame before, moved along with the picture, that is mixed in: 0 is none. It is
            less where the face changes its form, by a turn of the head or by speaking.
        keeps_pictures: Leave a frame its picture, for the last stage.
    """

    def __init__(
        self,
        predictor: Predictor,
        *,
        scale: float,
        outline_of: Callable[[Array], Outline] = BUILT_IN["hull"],
        smooth: float = 0.0,
        keeps_pictures: bool = False,
    ) -> None:
        self._predictor, self._scale, self._smooth, self._outline_of = predictor, scale, smooth, outline_of
        self._keeps_pictures = keeps_pictures
        self._tracker, self._square = FaceTracker(), FollowingSquare()
        self._in_turn = predictor.fast and predictor.mirror
        self._looked: _Looked | None = None
        self._waited = 0  # frames since
        self._mirrored = False  # whether the network saw the last view in the mirror
        self._before: _Before | None = None
        # what bars leave of all frames till now, and the frames' shape: in dark ones they seem too wide
        self._content, self._shape = Part(0, 0, 0, 0), (0, 0)

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
            VideoFrame(i, picture, i not in skipped, self._helps(i, skipped))
            for i, picture in enumerate(pictures)
        )
        stages = [self._look, self._ask, self._finish, *([] if write is None else [write])]
        at_once = [self._predictor.at_once if stage == self._ask else 1 for stage in stages]
        return overlapped(frames, stages, at_once)

    def _helps(self, number: int, skipped: Set[int]) -> bool:
        following = range(number + 1, number + 1 + _HELPERS)
        return self._predictor.fast and any(i not in skipped for i in following)

    def _look(self, frame: VideoFrame) -> None:
        started, picture = time.monotonic(), frame.picture
        assert picture is not None, "nobody has taken it yet"
        frame.shape = (picture.shape[0], picture.shape[1])
        frame.picture = picture if self._keeps_pictures else None
        content = without_bars(picture)
        self._content = content.joined(self._content) if frame.shape == self._shape else content
        self._shape = frame.shape
        if not (self._predictor.fast and self._moved(frame, picture)):
            self._followed(frame, picture)
        frame.seconds["detect"] = time.monotonic() - started

    def _moved(self, frame: VideoFrame, picture: U8) -> bool:
        """Whether the face moved so little that it, and its normals, can be moved along with the picture."""
        looked, self._waited = self._looked, self._waited + 1
        if looked is None or self._waited > _MOST_MOVED:
            return False
        motion = motion_of(looked.grey, grey_view(picture, looked.square), self._predictor.size_px)
        before = looked.face.landmarks
        turn = motion.calm_turn(before, motion.picture_points(before, looked.square), looked.square)
        if turn is None:
            return False
        frame.face = self._tracker.moved(picture, lambda points: motion.picture_points(points, looked.square))
        if frame.face is None:
            return False
        frame.is_moved, frame.motion, frame.turn = True, motion, turn
        self._place(frame, picture, looked.square)
        return True

    def _followed(self, frame: VideoFrame, picture: U8) -> None:
        """The face as the tracker finds it, and what the network is to see of it."""
        frame.face = self._tracker.follow(picture)
        frame.is_new, self._waited = self._tracker.is_new, 0
        looked, self._looked = self._looked, None
        if frame.face is None:
            return
        if looked is not None and not frame.is_new:
            frame.change = turn_and_rest(looked.face.landmarks, frame.face.landmarks)[1]
        square = self._square.next(square_of(frame.face.landmarks, self._scale), anew=frame.is_new)
        frame.grey = grey_view(picture, square)
        frame.mirrored = self._mirrored = self._in_turn and (frame.is_new or not self._mirrored)
        self._looked = _Looked(square, frame.grey, frame.face)
        self._place(frame, picture, square)
        if frame.frame is not None:
            (frame.image,) = self._predictor.seen(picture, frame.frame)

    def _place(self, frame: VideoFrame, picture: U8, square: Square) -> None:
        if frame.face is not None and (frame.wanted or frame.helps):
            outline, size_px = self._outline_of(picture), self._predictor.size_px
            frame.frame = square_frame(self._content, frame.face, square, outline, size_px)

    def _ask(self, frame: VideoFrame) -> None:
        if frame.image is None:
            return
        started, run = time.monotonic(), self._predictor.run
        if not self._in_turn:
            (frame.asked,) = run([frame.image])
        elif frame.is_new:  # both, so that it is answered as well as the next ones
            one, other = run([frame.image, mirror_image(frame.image)], once=True)
            frame.asked = mirror_normals(other)
            frame.mean = 0.5 * (one + frame.asked)
        elif frame.mirrored:
            (asked,) = run([mirror_image(frame.image)], once=True)
            frame.asked = mirror_normals(asked)
        else:
            (frame.asked,) = run([frame.image], once=True)
        frame.image = None
        frame.seconds["network"] = time.monotonic() - started

    def _finish(self, frame: VideoFrame) -> None:
        started, before = time.monotonic(), None if frame.is_new else self._before
        if frame.face is None:
            self._before = mean = None
        elif frame.motion is not None:
            mean = None if before is None else turned_in_plane(frame.motion.moved(before.mean), frame.turn)
            frame.flicker_deg = 0.0 if before is not None and before.told else None
        else:
            self._before = before = self._steadied(frame, before)
            mean = None if before is None else before.mean
        if mean is not None and frame.wanted:
            assert frame.frame is not None, "it was asked for"
            frame.normals = self._predictor.finish(frame.frame, [mean], frame.shape)
        frame.grey = frame.motion = frame.asked = frame.mean = None
        frame.seconds["smooth"] = time.monotonic() - started

    def _steadied(self, frame: VideoFrame, before: _Before | None) -> _Before | None:
        """What the network says, with what it said before; None where nobody asked it."""
        if frame.asked is None or frame.grey is None:
            return None
        mean = frame.asked if frame.mean is None else frame.mean
        if before is not None:
            motion = motion_of(before.grey, frame.grey, self._predictor.size_px)
            if self._in_turn:
                mean = motion.mixed(mean, motion.moved(before.asked), 0.5)
            if before.told:
                moved = motion.moved(before.mean)
                share = self._smooth * max(0.0, 1 - frame.change / _OTHER_FORM)
                mean = motion.mixed(mean, moved, share) if share else mean
                frame.flicker_deg = _angle_deg(moved, mean)
        return _Before(frame.grey, frame.asked, mean, frame.wanted)


def _angle_deg(one: F32, other: F32) -> float:
    """Mean angle in the inner part of two crops, where the face is. [S, S, 3] both"""
    side = one.shape[0]
    inner = slice(side // 5, side - side // 5, 2)
    return float(angular_error_deg(unit(one[inner, inner]), unit(other[inner, inner])).mean())
