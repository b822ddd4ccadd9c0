"""A video -> normals of its frames, where a sink takes them, and a line of JSON a frame."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from fnormal import __version__
from fnormal.errors import FNormalError
from fnormal.files.naming import Guard
from fnormal.files.writing import lines_into
from fnormal.geometry.videofile import count_frames, open_video
from fnormal.options.faces import PredictOptions
from fnormal.prediction.figures import needs_picture
from fnormal.prediction.frames import Frame
from fnormal.prediction.outlines import BUILT_IN
from fnormal.prediction.predictor import Predictor
from fnormal.prediction.video import VideoFrame, VideoPredictor
from fnormal.prediction.videosinks import Sink, is_lossless, opened_sink
from fnormal.progress import Progress, Result


def predict_video(
    source: str, out: str, predictor: Predictor, options: PredictOptions, guard: Guard
) -> Iterator[Progress]:
    """Predict a video, and write what is known of its frames to ``OUT.jsonl``.

    In a folder, a frame whose files are there is not predicted again: the face is followed through all
    frames, so the results are those of a run that was never stopped.

    Args:
        source: A video, a folder of frames, or ``-`` for standard input.
        out: A folder, a name ``*.mkv``, or ``-`` for standard output.
        predictor: The network.
        options: What is asked for.
        guard: Keeps inputs from being written over.
    """
    told = _Told(source)
    frames, total = _frames(source, out, predictor, options, guard), count_frames(source)
    if out == "-":
        yield from told.followed(frames, total)
    else:
        path = Path(out).with_suffix(".jsonl") if is_lossless(out) else Path(f"{out}.jsonl")
        guard.check([path])
        with lines_into(path) as add:
            yield from told.followed(frames, total, add)
        if told.count:
            yield Progress(results=(Result(str(path)),))
    yield told.summary()


def _frames(
    source: str, out: str, predictor: Predictor, options: PredictOptions, guard: Guard
) -> Iterator[tuple[VideoFrame, dict[str, str]]]:
    """The frames once they are written, with their files.

    Raises:
        FNormalError: The video cannot be opened, or is damaged.
    """
    _check(options)
    if out != "-":
        guard.check([Path(out)])
    video = open_video(source, round(options.max_megapixels * 1e6), options.raw)
    follower = VideoPredictor(
        predictor, scale=options.scale, outline_of=BUILT_IN[options.mask], smooth=options.smooth,
        keeps_pictures=needs_picture(options),
    )  # fmt: skip
    with opened_sink(out, video.rate, options, _about(source, predictor, options)) as sink:
        for frame in follower.follow(video.frames, done=sink.done(), write=lambda f: _write(sink, f)):
            yield frame, sink.paths(frame.number)


def _about(source: str, predictor: Predictor, options: PredictOptions) -> dict[str, object]:
    """What a video's results depend on, as JSON has it."""
    weights = predictor.weights
    return {
        "fnormal_version": __version__, "video": source, "size_and_time": _size_and_time(source),
        "weights": weights, "weights_size_and_time": _size_and_time(weights), **asdict(options),
    }  # fmt: skip


def _size_and_time(path: str | None) -> list[int] | None:
    """What tells a file from another of its name; None for what is no file."""
    if path is None or not Path(path).is_file():
        return None
    facts = Path(path).stat()
    return [facts.st_size, facts.st_mtime_ns]


def _check(options: PredictOptions) -> None:
    """What belongs to pictures alone is refused.

    Raises:
        FNormalError: It is asked for.
    """
    if options.mask not in BUILT_IN:
        raise FNormalError(f"--mask {options.mask}: a video's mask is {' or '.join(BUILT_IN)}")
    for flag, is_given in (
        ("--box", options.box is not None), ("--landmarks", options.landmarks is not None),
        ("--no-crop", not options.crop), (f"--faces {options.faces}", options.faces not in ("first", "1")),
        ("--min-score", options.min_score > 0),
    ):  # fmt: skip
        if is_given:
            raise FNormalError(
                f"{flag} is for pictures; in a video one face is found and followed: leave it out"
            )


def _write(sink: Sink, frame: VideoFrame) -> None:
    started = time.monotonic()
    sink.write(frame)
    frame.normals = frame.picture = None
    frame.seconds["write"] = time.monotonic() - started


class _Told:
    """What is told of a video while and after it is predicted."""

    def __init__(self, source: str) -> None:
        self._source, self._failed = source, ""
        self.count = self._found = self._compared = 0
        self._flicker_deg = self._worst_deg = 0.0

    def followed(
        self,
        frames: Iterator[tuple[VideoFrame, dict[str, str]]],
        total: int,
        add: Callable[[str], None] | None = None,
    ) -> Iterator[Progress]:
        """A step a frame, whose record ``add`` takes; a user's error ends the video."""
        try:
            for frame, paths in frames:
                record = _record(self._source, frame, paths)
                if add is not None:
                    add(json.dumps(record))
                self._count(frame)
                yield Progress(
                    done=self.count, total=max(total, self.count), unit="frames", stream=frame.encoded,
                    note="no face" if frame.face is None else f"frame {frame.number}",
                    results=(Result(paths.get("normals", "") if record["ok"] else "", record),),
                )  # fmt: skip
        except FNormalError as error:
            self._failed = str(error)

    def _count(self, frame: VideoFrame) -> None:
        self.count += 1
        self._found += frame.face is not None
        if frame.flicker_deg is not None:
            self._compared += 1
            self._flicker_deg += frame.flicker_deg
            self._worst_deg = max(self._worst_deg, frame.flicker_deg)

    def summary(self) -> Progress:
        """How much was found, and how steady it is."""
        if not self._failed and not self._found:
            self._failed = f"no face found in {self._source}"
        says = ""
        if self._compared:
            says = (
                f"{self._source}: {self._found} of {self.count} frames with a face; flicker"
                f" {self._flicker_deg / self._compared:.2f} degrees between successive frames, at most"
                f" {self._worst_deg:.2f}"
            )
        return Progress(failed=self._failed, says=says)


def _record(source: str, frame: VideoFrame, paths: dict[str, str]) -> dict[str, Any]:
    record: dict[str, Any] = {"ok": frame.face is not None, "input": source, "frame": frame.number}
    if frame.face is None:
        return {**record, "error": "no face"}
    return {
        **record, "score": round(frame.face.score, 4), "box": [round(v, 2) for v in frame.face.box],
        "landmarks": np.round(frame.face.landmarks, 2).tolist(), **_framed(frame.frame), **paths,
        "moved": frame.is_moved,
        "flicker_deg": None if frame.flicker_deg is None else round(frame.flicker_deg, 4),
        "seconds": {stage: round(value, 4) for stage, value in frame.seconds.items()},
    }  # fmt: skip


def _framed(frame: Frame | None) -> dict[str, Any]:
    """The square of a frame's normals, and how far it is turned; nothing where they were not asked for."""
    if frame is None:
        return {}
    return {"crop": frame.crop.as_dict(), "turn_deg": round(frame.turn_deg, 3)}
