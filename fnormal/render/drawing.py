"""What a back end is, and what one pass of it gives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fnormal.arrays import F32, U8, Bools
from fnormal.geometry.images import srgb_to_linear
from fnormal.geometry.mesh import Mesh
from fnormal.render.camera import Camera
from fnormal.render.lighting import Lighting

DEFAULT_ALBEDO = 0.6  # sRGB grey of a mesh without colour


@dataclass(frozen=True)
class Render:
    """What one pass gives. Camera frame, background 0.

    Attributes:
        image: sRGB, anti-aliased. uint8 [H, W, 3]
        alpha: Share of each pixel that the mesh covers, 0..255. uint8 [H, W]
        normals: Unit, sampled at the pixel centre, never blended. [H, W, 3]
        mask: True where the pixel centre is on the mesh. [H, W]
        z: Camera-frame z in mesh units, larger is nearer; 0 outside the mask. [H, W]
    """

    image: U8
    alpha: U8
    normals: F32
    mask: Bools
    z: F32

    def over(self, backdrop: U8) -> U8:
        """The picture over a backdrop [H, W, 3]; its colours are already times their coverage."""
        share = 1 - self.alpha[..., None].astype(np.float32) / 255
        return np.rint(np.minimum(self.image + share * backdrop, 255)).astype(np.uint8)


class Renderer(Protocol):
    """Draws one mesh at a time: :meth:`load` it once, then pose and light it at will.

    ``fnormal.render.gl`` and ``fnormal.render.soft`` agree within 0.01 degrees and a pixel of outline.
    """

    def load(self, mesh: Mesh) -> None:
        """Prepare ``mesh`` once; it replaces the one before."""

    def render(self, camera: Camera, lighting: Lighting) -> Render:
        """Draw the loaded mesh; lights are in the camera frame."""

    def driver(self) -> str:
        """What draws, in words."""

    def close(self) -> None:
        """Free what the back end holds."""

    def __enter__(self) -> Renderer:
        """Return self."""

    def __exit__(self, *_: object) -> None:
        """Close."""


def linear_colors(mesh: Mesh) -> F32:
    """Vertex colours as linear light, grey where the mesh has none. [V, 3]"""
    if mesh.colors is not None:
        return srgb_to_linear(mesh.colors)
    return np.tile(srgb_to_linear(np.full(3, DEFAULT_ALBEDO, np.float32)), (len(mesh.vertices), 1))


def eye_of(camera: Camera) -> F32:
    """Position of the eye in the camera frame, and 1; the direction to it and 0 where it is far. [4]"""
    if math.isinf(camera.distance):
        return np.array([0, 0, 1, 0], np.float32)
    return np.array([*camera.center, camera.pivot_z + camera.distance, 1], np.float32)
