"""What every reader of photos gives, and the files that several of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fnormal.arrays import F32, U8
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
