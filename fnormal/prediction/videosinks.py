"""Where a video's normals go: a folder of numbered maps, one lossless video, or pictures on stdout."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np

from fnormal.arrays import Array
from fnormal.files.writing import sweep_folder, write_json
from fnormal.geometry.normal_maps import stated
from fnormal.geometry.normals import encode_rgb, to_frame
from fnormal.geometry.pngfile import encode_png
from fnormal.geometry.videofile import LOSSLESS_SUFFIX, lossless_video
from fnormal.options.faces import PredictOptions
from fnormal.prediction.files import map_paths, write_maps
from fnormal.prediction.video import VideoFrame

_ABOUT = "video.json"  # in a folder: of what its maps are, and how they were asked for


class Sink(Protocol):
    """Takes the frames of a video in their order."""

    def write(self, frame: VideoFrame) -> None:
        """Take a frame; where it has no face, whatever keeps the count right."""

    def paths(self, number: int) -> dict[str, str]:
        """Files of a frame, by what they hold."""

    def done(self) -> set[int]:
        """Frames that an earlier run has written."""


class FolderSink:
    """``000000_normals.png``, ``000000_mask.png`` and what else is asked for, of every frame with a face."""

    def __init__(self, folder: Path, options: PredictOptions, about: Mapping[str, object]) -> None:
        self._folder, self._options = folder, options
        folder.mkdir(parents=True, exist_ok=True)
        sweep_folder(folder)
        self._about = folder / _ABOUT
        if not _says(self._about, about):
            write_json(self._about, about)

    def done(self) -> set[int]:
        """See :class:`Sink`. A mask comes last; one that is older than ``video.json`` is of another run."""
        since = self._about.stat().st_mtime_ns
        masks = [path for path in self._folder.glob("??????_mask.png") if path.name[:6].isdecimal()]
        begun = {int(path.name[:6]) for path in masks if path.stat().st_mtime_ns >= since}
        return {n for n in begun if all(Path(path).exists() for path in self.paths(n).values())}

    def paths(self, number: int) -> dict[str, str]:
        """See :class:`Sink`."""
        return {name: str(path) for name, path in map_paths(self._stem(number), self._options).items()}

    def write(self, frame: VideoFrame) -> None:
        """See :class:`Sink`."""
        if frame.normals is not None:
            write_maps(self._stem(frame.number), frame.normals, self._options, picture=frame.picture)

    def _stem(self, number: int) -> Path:
        return self._folder / f"{number:06d}"


def _says(path: Path, about: Mapping[str, object]) -> bool:
    try:
        return bool(json.loads(path.read_text()) == about)
    except (OSError, ValueError):  # there is none, or it was cut short
        return False


class _EveryFrame:
    """What has as many pictures as the video; those without a face are black."""

    def done(self) -> set[int]:
        """See :class:`Sink`: it cannot be gone on with."""
        return set()

    def paths(self, number: int) -> dict[str, str]:
        """See :class:`Sink`."""
        del number
        return {}


class FileSink(_EveryFrame):
    """One lossless video; ``add`` takes its pictures."""

    def __init__(self, add: Callable[[Array], None], frame: str) -> None:
        self._add, self._frame = add, frame

    def write(self, frame: VideoFrame) -> None:
        """See :class:`Sink`."""
        self._add(_coded(frame, self._frame, bits=16))


class StreamSink(_EveryFrame):
    """PNG pictures one after the other, as ``ffmpeg -f image2pipe`` reads them."""

    def __init__(self, frame: str, bits: int) -> None:
        self._frame, self._bits = frame, bits

    def write(self, frame: VideoFrame) -> None:
        """See :class:`Sink`."""
        frame.encoded = encode_png(_coded(frame, self._frame, bits=self._bits), stated(self._frame))


def _coded(frame: VideoFrame, axes: str, *, bits: int) -> Array:
    """The normals of a frame as RGB integers, black where there is no face. [H, W, 3]"""
    if (result := frame.normals) is None:
        return np.zeros((*frame.shape, 3), np.uint8 if bits == 8 else np.uint16)
    return result.whole(encode_rgb(to_frame(result.part_normals, axes), result.part_mask, bits))


@contextmanager
def opened_sink(
    out: str, rate: Fraction, options: PredictOptions, about: Mapping[str, object]
) -> Iterator[Sink]:
    """Where the normals go: ``-``, a name that ends in ``LOSSLESS_SUFFIX``, or a folder.

    Args:
        out: Which.
        rate: Frames a second.
        options: Frame and format of the maps.
        about: What the results depend on, as JSON has it: what a folder holds of other results is not kept.
    """
    if out == "-":
        yield StreamSink(options.frame, 8 if options.format == "png8" else 16)
    elif is_lossless(out):
        with lossless_video(Path(out), rate, stated(options.frame)) as add:
            yield FileSink(add, options.frame)
    else:
        yield FolderSink(Path(out), options, about)


def is_lossless(out: str | None) -> bool:
    """Whether a name is that of one video instead of a folder."""
    return out is not None and Path(out).suffix.lower() == LOSSLESS_SUFFIX
