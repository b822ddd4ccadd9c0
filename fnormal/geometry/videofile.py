"""Videos: files, folders of frames and streams, a frame at a time; lossless ones. PyAV's one home."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from fnormal.arrays import U8, Array
from fnormal.errors import FNormalError
from fnormal.files.opening import VIDEO, check_file, decoding
from fnormal.files.pipes import is_stream, open_stream
from fnormal.files.writing import atomic
from fnormal.geometry.picturefile import find_images, read_image

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm"})
LOSSLESS_SUFFIX = ".mkv"
_DEEP = "gbrp16le"


def is_video(path: Path) -> bool:
    """Whether a file's name says that it is a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


@dataclass(frozen=True)
class Video:
    """An opened video.

    Attributes:
        frames: RGB [H, W, 3] each, decoded as they are asked for.
        rate: Frames a second, where the video says it, else 25.
    """

    frames: Iterator[U8]
    rate: Fraction = Fraction(25)


class _Pipe:
    """Standard input, or a pipe, as PyAV takes it: it can only go forward."""

    def __init__(self, source: str) -> None:
        self._source = open_stream(source, VIDEO)

    def read(self, count: int) -> bytes:
        """Some bytes."""
        return self._source.read(count)


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of ``640x480``.

    Raises:
        FNormalError: It is something else.
    """
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if match is None or not int(match[1]) or not int(match[2]):
        raise FNormalError(f"--raw {text}: give WIDTHxHEIGHT, such as 640x480")
    return int(match[1]), int(match[2])


def open_video(source: str, most_px: int, raw: str | None = None) -> Video:
    """Open a video file, a folder of pictures in their names' order, a pipe, or ``-`` for standard input.

    Args:
        source: Which. A pipe or standard input may hold pictures one after the other
            (``ffmpeg -f image2pipe``), a video that needs no going back, such as Matroska, or raw frames.
        most_px: Larger frames are refused.
        raw: Size of raw RGB frames (``ffmpeg -f rawvideo -pix_fmt rgb24``) on standard input, as ``640x480``.

    Raises:
        FNormalError: PyAV is missing, or the file is damaged, too large a picture, or no video.
    """
    path = Path(source)
    if source != "-" and path.is_dir():
        return Video(read_image(picture, most_px=most_px) for picture in find_images(path).paths)
    try:
        import av
    except ImportError as error:
        raise FNormalError(f"{source} needs PyAV: pip install 'fnormal[video]'") from error
    how: dict[str, Any] = {}
    if raw is not None:
        width, height = parse_size(raw)
        options = {"video_size": f"{width}x{height}", "pixel_format": "rgb24"}
        how = {"format": "rawvideo", "options": options}
    piped = is_stream(source)
    if not piped:
        check_file(path, VIDEO)
    with decoding(source, VIDEO):
        try:
            container: Any = av.open(_Pipe(source) if piped else source, "r", **how)
        except av.FFmpegError as error:
            remedy = "pipe pictures (-f image2pipe) or Matroska" if piped else VIDEO.remedy
            raise FNormalError(
                f"{source} is no video that FFmpeg reads ({error.strerror}); {remedy}"
            ) from error
    if not container.streams.video:
        container.close()
        raise FNormalError(f"{source} has no pictures in it; {VIDEO.remedy}")
    stream = container.streams.video[0]
    if stream.width * stream.height > most_px:
        container.close()
        raise FNormalError(
            f"{source} has frames of {stream.width}x{stream.height}; --max-megapixels allows fewer"
        )
    return Video(_decoded(container, source), Fraction(stream.average_rate or 25))


def prepare_videos() -> None:
    """Import ahead what reading a video takes; where it is not there, whoever reads one says so."""
    with suppress(ImportError):
        import av  # noqa: F401


def _decoded(container: Any, source: str) -> Iterator[U8]:
    import av

    with container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        colours = av.video.reformatter.VideoReformatter()  # a frame's own way makes one a frame
        try:
            for frame in container.decode(stream):
                yield np.ascontiguousarray(colours.reformat(frame, format="rgb24").to_ndarray())
        except av.FFmpegError as error:
            raise FNormalError(f"{source} is damaged ({error.strerror}); frames before are done") from error


@contextmanager
def lossless_video(path: Path, rate: Fraction, about: Mapping[str, str]) -> Iterator[Callable[[Array], None]]:
    """Write a Matroska file of FFV1 pictures of 16 bits; yield what adds one, uint16 RGB [H, W, 3].

    Args:
        path: Where; it has its name once it is whole.
        rate: Frames a second.
        about: Text for the file, such as the frame of normals.
    """
    import av

    with atomic(path) as temporary, av.open(str(temporary), "w", format="matroska") as container:
        container.metadata.update(about)
        streams: list[Any] = []

        def add(pixels: Array) -> None:
            if not streams:
                streams.append(container.add_stream("ffv1", rate=rate))
                streams[0].height, streams[0].width = pixels.shape[:2]
                streams[0].pix_fmt = _DEEP
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb48le")
            container.mux(streams[0].encode(picture.reformat(format=_DEEP)))

        yield add
        for stream in streams:
            container.mux(stream.encode())


def count_frames(source: str) -> int:
    """How many frames there are, where it is known without decoding them; else 0."""
    path = Path(source)
    if is_stream(source):
        return 0
    if path.is_dir():
        return len(find_images(path).paths)
    import av

    try:
        with av.open(str(path)) as container:
            return int(container.streams.video[0].frames) if container.streams.video else 0
    except av.FFmpegError:
        return 0
