"""Hair drawn into a rendered view: where it covers the head, how thickly, how near, in which colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fnormal.arrays import F32, U8, Bools
from fnormal.render.camera import Camera
from fnormal.render.kernels import jit
from fnormal.scans.scan import Strands

_SUB = 3  # samples a side of a pixel; a strand is one of them wide
_THICK = 0.5  # share of a pixel and its neighbours from which on hair hides what is behind it
_NEIGHBOURS_PX = 0.9  # how far off these are
_ROOT_SHADE = np.float32(0.55)  # of a strand's colour, among the others at its root; 1 at its tip


@dataclass(frozen=True)
class HairLayer:
    """The hair of a view.

    Attributes:
        share: Of each pixel that hair covers, 0..1. [H, W]
        rgb: sRGB where there is any. uint8 [H, W, 3]
        z: Camera-frame z of the nearest strand, in mesh units; -inf where there is none. [H, W]
        hides: Where hair stands off the skin and hides it, or what is behind the head. [H, W]
    """

    share: F32
    rgb: U8
    z: F32
    hides: Bools


def draw_strands(strands: Strands, camera: Camera, mask: Bools, z: F32) -> HairLayer:
    """Hair before, beside and behind a head that a back end has drawn.

    Args:
        strands: In the frame of the mesh.
        camera: The one that drew the head.
        mask: True on the head. [H, W]
        z: Camera-frame z of the head, in mesh units. [H, W]
    """
    import cv2

    at = camera.project(strands.curves)
    at[..., :2] = (at[..., :2] + 0.5) * _SUB
    near = np.where(mask, z, -np.inf).astype(np.float32).repeat(_SUB, 0).repeat(_SUB, 1)
    owner = np.full(near.shape, -1, np.int64)
    _draw(at, near, owner)
    share, off, rgb, nearest = _resolve(near, owner, strands.rgb, strands.flat, at.shape[1], _SUB)
    hides = (cv2.GaussianBlur(off, (0, 0), _NEIGHBOURS_PX) > _THICK) & (share > 0)
    return HairLayer(share, np.rint(255 * rgb).astype(np.uint8), nearest, hides)


@jit
def _draw(at: Any, near: Any, owner: Any) -> None:
    """Walk along every strand [N, K, 3] in samples; keep the nearest, ``strand * K + point``, at each."""
    strands, points, _ = at.shape
    height, width = near.shape
    for i in range(strands):
        for k in range(points - 1):
            x, y, z = at[i, k, 0], at[i, k, 1], at[i, k, 2]
            dx, dy, dz = at[i, k + 1, 0] - x, at[i, k + 1, 1] - y, at[i, k + 1, 2] - z
            longest = max(abs(dx), abs(dy))
            if not longest < np.float32(4 * (width + height)):  # behind the eye, or far off
                continue
            steps = int(longest) + 1
            for s in range(steps):
                t = np.float32(s) / np.float32(steps)
                column, row = int(np.floor(x + t * dx)), int(np.floor(y + t * dy))
                if 0 <= column < width and 0 <= row < height and z + t * dz > near[row, column]:
                    near[row, column] = z + t * dz
                    owner[row, column] = i * points + k


@jit
def _resolve(near: Any, owner: Any, rgb: Any, flat: Any, points: int, sub: int) -> Any:
    """Of each pixel: share of samples that show hair, and hair off the skin, its mean colour, nearest z."""
    height, width = near.shape[0] // sub, near.shape[1] // sub
    share, off = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    color = np.zeros((height, width, 3), np.float32)
    nearest = np.full((height, width), np.float32(-np.inf))
    sample = np.float32(1) / np.float32(sub * sub)
    for row in range(near.shape[0]):
        for column in range(near.shape[1]):
            which = owner[row, column]
            if which < 0:
                continue
            i, r, c = which // points, row // sub, column // sub
            along = np.float32(which % points) / np.float32(points - 1)
            shade = _ROOT_SHADE + (np.float32(1) - _ROOT_SHADE) * along
            for k in range(3):
                color[r, c, k] += rgb[i, k] * shade
            share[r, c] += sample
            if not flat[i]:
                off[r, c] += sample
            nearest[r, c] = max(nearest[r, c], near[row, column])
    for r in range(height):
        for c in range(width):
            if share[r, c] > 0:
                for k in range(3):
                    color[r, c, k] *= sample / share[r, c]
    return share, off, color, nearest
