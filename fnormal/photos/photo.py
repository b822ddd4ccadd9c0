"""What every reader of photos gives, and the files that several of them share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from fnormal.arrays import F32, U8, Array
from fnormal.errors import FNormalError
from fnormal.files.opening import MATLAB, check_file, decoding
from fnormal.readers import Reader

_LARGEST_NUMBER = 8  # bytes of a double


@dataclass(frozen=True)
class Photo:
    """One photo of one face.

    Attributes:
        subject: Who; splits go by it.
        source: Which photo.
        image: RGB. uint8 [H, W, 3]
        normals: x right, y up, z toward the viewer; 0 where unknown. [H, W, 3] or None
        landmarks: Points of the face in pixels, y down: the 68, or fewer that still span it; None asks
            the detector. [K, 2]
    """

    subject: str
    source: str
    image: U8
    normals: F32 | None = None
    landmarks: F32 | None = None


class PhotoReader(Reader[list[Photo]], Protocol):
    """A source of photos; an item holds more than one where they share a pose and its normals."""

    @property
    def left_out(self) -> str:
        """A line about files of the source that are no photos; empty where there are none."""

    @property
    def has_normals(self) -> bool:
        """Whether the photos come with normals."""

    @property
    def photos_per_item(self) -> int:
        """Photos of an item, at most."""


def read_mat(path: Path) -> dict[str, Array]:
    """Arrays of a Matlab file of version 7 or older.

    Raises:
        FNormalError: Missing, not a Matlab file, or of version 7.3.
    """
    from scipy.io import loadmat, whosmat

    check_file(path, MATLAB)
    with decoding(path, MATLAB):
        announced = sum(math.prod(shape) for _, shape, _ in whosmat(path))
        if announced * _LARGEST_NUMBER > MATLAB.most_bytes:
            raise FNormalError(f"{path} unpacks to over {MATLAB.most_bytes / 1e9:.0f} GB; {MATLAB.remedy}")
        arrays = {name: np.asarray(value) for name, value in loadmat(path).items()}
        return {name: array for name, array in arrays.items() if array.dtype.kind in "fiub"}
