"""Frames of videos and of folders of frames, one at a time. PyAV's one home."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fnormal.arrays import U8
from fnormal.errors import FNormalError
from fnormal.files.opening import VIDEO, check_file, decoding
from fnormal.geometry.picturefile import find_images, read_image

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm"})


def is_video(path: Path) -> bool:
    """Whether a file's name says that it is a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def read_frames(path: Path, most_px: int) -> Iterator[U8]:
    """Frames of a video file, or of a folder of pictures by their names' order; each RGB [H, W, 3].

    Raises:
        FNormalError: PyAV is missing, or the file is damaged, too large a picture, or no video.
    """
    if path.is_dir():
        for picture in find_images(path).paths:
            yield read_image(picture, most_px=most_px)
        return
    try:
        import av
    except ImportError as error:
        raise FNormalError(f"{path} needs PyAV: pip install 'fnormal[video]'") from error
    check_file(path, VIDEO)
    with decoding(path, VIDEO):
        try:
            container = av.open(str(path))
        except av.FFmpegError as error:
            raise FNormalError(
                f"{path} is no video that FFmpeg reads ({error.strerror}); {VIDEO.remedy}"
            ) from error
    with container:
        if not container.streams.video:
            raise FNormalError(f"{path} has no pictures in it; {VIDEO.remedy}")
        stream = container.streams.video[0]
        if stream.width * stream.height > most_px:
            raise FNormalError(
                f"{path} has frames of {stream.width}x{stream.height}; --max-megapixels allows fewer"
            )
        stream.thread_type = "AUTO"
        try:
            for frame in container.decode(stream):
                yield np.ascontiguousarray(frame.to_ndarray(format="rgb24"))
        except av.FFmpegError as error:
            raise FNormalError(f"{path} is damaged ({error.strerror}); frames before are done") from error


def count_frames(path: Path) -> int:
    """How many frames there are, where it is known without decoding them; else 0."""
    if path.is_dir():
        return len(find_images(path).paths)
    import av

    try:
        with av.open(str(path)) as container:
            return int(container.streams.video[0].frames) if container.streams.video else 0
    except av.FFmpegError:
        return 0
