"""Folders of photos: CelebA-HQ, 300-W with its .pts files, the norms/cert packaging, anybody's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fnormal.arrays import F32
from fnormal.config import CELEBA_HQ_IMAGES
from fnormal.errors import FNormalError
from fnormal.faces.given import read_faces
from fnormal.files.opening import MATLAB, read_matlab
from fnormal.geometry.normal_maps import read_normals
from fnormal.geometry.normals import from_frame, unit
from fnormal.geometry.picturefile import find_images, read_image
from fnormal.photos.photo import Photo

_MAP_SUFFIXES = (".mat", ".npy", ".png", ".tif", ".tiff")


def celeba_hq(source: Path, *, licence: str, limit: int | None) -> PhotoFolder:
    """CelebA-HQ: by default as many of its pictures as the paper takes (4.2)."""
    return PhotoFolder(source, limit or CELEBA_HQ_IMAGES, licence=licence)


def three_hundred_w(source: Path, *, licence: str, limit: int | None) -> PhotoFolder:
    """300-W, whose photos each come with a .pts file."""
    return PhotoFolder(source, limit, need_points=True, licence=licence)


def folder(source: Path, *, licence: str, limit: int | None, axes: str | None) -> PhotoFolder:
    """Anybody's photos, with normal maps in ``axes`` where there are any."""
    return PhotoFolder(source, limit, frame=axes, licence=licence)


class PhotoFolder:
    """Photos under a folder, sorted by path.

    A folder with ``images/`` and ``normals/`` holds pairs: the normal map of ``images/a/b.jpg`` is
    ``normals/a/b`` with one of ``.mat`` (keys ``norms`` [H, W, 3] and, where there is one, ``cert``
    [H, W]), ``.npy``, ``.png`` or ``.tiff``. A ``.pts`` file beside a photo gives its landmarks.

    Args:
        source: The folder.
        limit: The most photos to read.
        frame: Frame of the normal maps; None is what each says of itself, else x right, y up.
        need_points: Whether a photo without ``.pts`` is an error.
        licence: Licence of the photos.

    Raises:
        FNormalError: No such folder, or no photos in it.
    """

    photos_per_item = 1

    def __init__(
        self, source: Path, limit: int | None, *, frame: str | None = None, need_points: bool = False,
        licence: str,
    ) -> None:  # fmt: skip
        if not source.is_dir():
            raise FNormalError(f"no such folder of photos: {source}; check the path")
        self._maps = source / "normals"
        self.has_normals = self._maps.is_dir() and (source / "images").is_dir()
        self._root = source / "images" if self.has_normals else source
        listing = find_images(self._root)
        self._paths, self.left_out = listing.paths[:limit], listing.skipped
        self._frame, self._need_points = frame, need_points
        self.licence = licence
        self.names: Sequence[str] = [p.relative_to(self._root).as_posix() for p in self._paths]
        self.files: Sequence[Path] = self._paths

    def load(self, index: int) -> list[Photo]:
        """Read photo ``index``."""
        path, name = self._paths[index], self.names[index]
        image = read_image(path)
        points = path.with_suffix(".pts")
        if self._need_points and not points.is_file():
            raise FNormalError(f"{path} has no {points.name} beside it; 300-W gives one for every photo")
        landmarks = read_faces(points)[0].landmarks if points.is_file() else None
        normals = self._normals(name, image.shape[:2]) if self.has_normals else None
        return [Photo(path.stem, name, image, normals, landmarks)]

    def _normals(self, name: str, size: tuple[int, ...]) -> F32:
        stem = self._maps / Path(name).with_suffix("")
        maps = [p for s in _MAP_SUFFIXES if (p := stem.with_name(stem.name + s)).is_file()]
        if not maps:
            raise FNormalError(f"{name} has no normal map {stem}.mat, .npy, .png or .tiff")
        if maps[0].suffix == ".mat":
            normals = from_frame(_norms_of(maps[0]), self._frame or "x,y,z")
        else:
            normals = read_normals(maps[0], self._frame)[0]
        if normals.shape[:2] != size:
            height, width = normals.shape[:2]
            raise FNormalError(f"{maps[0]} is {width}x{height}, its photo {size[1]}x{size[0]}; resize one")
        return normals


def _norms_of(path: Path) -> F32:
    """Unit normals of the norms/cert packaging, 0 where ``cert`` is. [H, W, 3]"""
    arrays = read_matlab(path, MATLAB)
    if "norms" not in arrays or arrays["norms"].ndim != 3 or arrays["norms"].shape[2] != 3:
        raise FNormalError(f"{path} has no 'norms' [H, W, 3]; it has {', '.join(arrays) or 'nothing'}")
    normals = unit(np.nan_to_num(arrays["norms"].astype(np.float32)))
    cert = arrays.get("cert")
    if cert is None:
        return normals
    if cert.shape != normals.shape[:2]:
        raise FNormalError(f"{path}: 'cert' is {cert.shape}, 'norms' {normals.shape}; save them together")
    return normals * (cert > 0)[..., None]
