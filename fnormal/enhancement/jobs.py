"""What enhance works through: photos and frames of videos, each with its mesh."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fnormal.arrays import U8
from fnormal.errors import FNormalError
from fnormal.files.pipes import is_pipe
from fnormal.geometry.meshfile import MESH_SUFFIXES
from fnormal.geometry.picturefile import read_image
from fnormal.geometry.videofile import count_frames, is_video, open_video


@dataclass(frozen=True)
class Job:
    """A photo, or a frame of a video.

    Attributes:
        name: What messages and records call it.
        photo: The file that it is in.
        mesh: Its mesh, or None for FaceMesh's.
        stem: Path of its results, without what comes after the name.
        read: Gives the picture. uint8 [H, W, 3]
        frame: Its number in the video, from 0.
    """

    name: str
    photo: Path
    mesh: Path | None
    stem: Path
    read: Callable[[], U8]
    frame: int | None = None

    def record(self) -> dict[str, str | int]:
        """What says in a line of JSON what it is."""
        return {"input": str(self.photo), **({} if self.frame is None else {"frame": self.frame})}


def jobs_of(
    photos: Sequence[Path], mesh: Path | None, mesh_dir: Path | None, out: Path, most_px: int
) -> list[Job]:
    """The photos with their meshes, paired by stem; the frames of a video with a folder's meshes in order.

    Args:
        photos: Pictures and videos.
        mesh: The mesh of all of them.
        mesh_dir: A folder with the mesh of each.
        out: Folder of the results.
        most_px: Larger pictures are refused when they are read.

    Raises:
        FNormalError: Two would have one output, the folder of meshes is none, or a video has another number
            of frames than there are meshes.
    """
    stems = [photo.stem for photo in photos]
    twice = next((stem for stem in stems if stems.count(stem) > 1), None)
    if twice is not None:
        raise FNormalError(f"two photos would both become {out / twice}_*; give them in separate runs")
    meshes = [] if mesh_dir is None else _meshes(mesh_dir)
    by_stem = {path.stem: path for path in reversed(meshes)}
    jobs = []
    for photo in photos:
        if is_video(photo):
            jobs += _frames(photo, mesh, mesh_dir, meshes, out, most_px)
            continue
        own = mesh if mesh_dir is None else by_stem.get(photo.stem, mesh_dir / f"{photo.stem}.obj")
        read = partial(read_image, photo, most_px=most_px)
        jobs.append(Job(str(photo), photo, own, out / photo.stem, read))
    return jobs


def _meshes(folder: Path) -> list[Path]:
    """The meshes of a folder, numbers in their names in the order of numbers."""
    if not folder.is_dir():
        raise FNormalError(f"--mesh-dir {folder} is no folder")
    found = (path for path in folder.iterdir() if path.suffix.lower() in MESH_SUFFIXES)
    return sorted(found, key=lambda path: [(int(n or 0), s) for n, s in re.findall(r"(\d*)(\D*)", path.name)])


def _frames(
    video: Path, mesh: Path | None, mesh_dir: Path | None, meshes: Sequence[Path], out: Path, most_px: int
) -> list[Job]:
    if is_pipe(video):
        raise FNormalError(f"{video} is a pipe, and the frames of a video are counted first; give a file")
    frames = _Frames(video, open_video(str(video), most_px).frames)  # refuses what is no video, or no PyAV
    count = count_frames(str(video)) or sum(1 for _ in open_video(str(video), most_px).frames)
    if mesh_dir is not None and len(meshes) != count:
        raise FNormalError(
            f"{video} has {count} frames, {mesh_dir} {len(meshes)} meshes; give one for each frame, in order"
        )
    own = meshes if mesh_dir is not None else [mesh] * count
    names = [video.with_name(f"{video.stem}_{i:06d}") for i in range(count)]
    return [
        Job(str(name), video, own[i], out / name.name, partial(frames.read, i), i)
        for i, name in enumerate(names)
    ]


class _Frames:
    """Frames of a video, asked for in order; those that nobody asks for are passed over."""

    def __init__(self, video: Path, pictures: Iterator[U8]) -> None:
        self._video, self._pictures = video, pictures
        self._next = 0

    def read(self, number: int) -> U8:
        for picture in self._pictures:
            self._next += 1
            if self._next > number:
                return picture
        raise FNormalError(f"{self._video} has ended before frame {number}; is it damaged?")
