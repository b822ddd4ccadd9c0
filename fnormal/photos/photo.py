"""What every reader of photos gives, and the files that several of them share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from fnormal.arrays import F32, U8, Array
from fnormal.errors import FNormalError
from fnormal.readers import Reader


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
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        return {k: np.asarray(v) for k, v in loadmat(path).items() if not k.startswith("__")}
    except FileNotFoundError as error:
        raise FNormalError(f"no such file: {path}; check the path") from error
    except NotImplementedError as error:
        raise FNormalError(f"{path} is a version 7.3 file; save it in Matlab with -v7") from error
    except (MatReadError, ValueError, TypeError, OSError, EOFError) as error:
        raise FNormalError(f"cannot read {path} as a Matlab file ({error}); fetch it again") from error
