"""What a data set holds: samples of one of three modalities (section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from fnormal.arrays import F32, U8, Bools, Floats
from fnormal.config import MAX_LIGHTS

Modality: TypeAlias = Literal["pairs", "images", "normals"]
VIEW_DTYPE = np.dtype(
    [
        ("rotation", np.float32, (3, 3)),
        ("light_direction", np.float32, (MAX_LIGHTS, 3)),  # toward the light; 0 where unused
        ("light_intensity", np.float32, (MAX_LIGHTS, 3)),  # linear RGB
        ("ambient", np.float32, (3,)),
        ("seed", np.int64, (3,)),  # seed, scan, view: what the sample's generator was made of
        ("environment", np.float32, (9, 3)),  # irradiance / pi, see render/environment.py
        ("gain", np.float32, (3,)),  # exposure times colour cast
        ("specular", np.float32),
        ("roughness", np.float32),
        ("shadow", np.float32),  # share of the first light that its cast shadow takes
        ("distance", np.float32),  # of the eye, in sides of the picture; inf is orthographic
    ]
)


@dataclass(frozen=True)
class Sample:
    """What samples of every modality have.

    Attributes:
        mask: True on the face. [S, S]
        subject: Who; splits go by it.
        source: Which scan or photo.
        landmarks: The 68 points in pixels, NaN where unknown. [68, 2]
        view: One record of ``VIEW_DTYPE`` where the sample was rendered.
    """

    mask: Bools
    subject: str
    source: str
    landmarks: F32 | None = field(default=None, kw_only=True)
    view: npt.NDArray[Any] | None = field(default=None, kw_only=True)

    @property
    def known_landmarks(self) -> F32 | None:
        """The landmarks, where all 68 are known."""
        points = self.landmarks
        return points if points is not None and np.isfinite(points).all() else None


@dataclass(frozen=True)
class ImageSample(Sample):
    """A picture alone: ``image`` is RGB. uint8 [S, S, 3]"""

    image: U8


@dataclass(frozen=True)
class NormalsSample(Sample):
    """A normal map alone: unit, fnormal's frame, 0 outside the mask. float [S, S, 3]"""

    normals: Floats


@dataclass(frozen=True)
class Pair(NormalsSample, ImageSample):
    """A picture and its normals: ``Pair(mask, subject, source, image, normals)``.

    Attributes:
        albedo: The picture without light, sRGB, where the set keeps it. uint8 [S, S, 3]
        depth: Camera z in pixels, larger is nearer, where the set keeps the albedo. float [S, S]
    """

    albedo: U8 | None = field(default=None, kw_only=True)
    depth: Floats | None = field(default=None, kw_only=True)


AnySample = TypeVar("AnySample", bound=Sample)
SampleOf = TypeVar("SampleOf", bound=Sample, covariant=True)  # what a data set gives
SAMPLE_TYPES: dict[Modality, type[Sample]] = {
    "pairs": Pair,
    "images": ImageSample,
    "normals": NormalsSample,
}
FIELDS: dict[Modality, tuple[str, ...]] = {
    "pairs": ("image", "normals"),
    "images": ("image",),
    "normals": ("normals",),
}
UNLIT_FIELDS = ("albedo", "depth")  # of pairs that can be lit anew
BYTES_A_PIXEL = 10  # image 3, normals 3 x 2, mask 1, before compression
UNLIT_BYTES_A_PIXEL = 5  # more where they are kept: albedo 3, depth 2
