"""New light for a view that keeps its albedo, normals and depth: shading in the picture's own pixels.

Orthographic: what the camera does not see casts no shadow, and the eye is far away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fnormal.arrays import F32, U8, Array, Bools
from fnormal.geometry.images import linear_to_srgb, srgb_to_linear
from fnormal.geometry.normals import unit
from fnormal.render import shading
from fnormal.render.kernels import jit

_LINEAR = srgb_to_linear(np.arange(256, dtype=np.float32) / np.float32(255))
_CODES = np.rint(255 * linear_to_srgb(np.linspace(0, 1, 4096, dtype=np.float32))).astype(np.uint8)
_ZERO, _HALF, _ONE, _TWO, _FOUR = (np.float32(v) for v in (0, 0.5, 1, 2, 4))
_F0 = np.float32(shading.F0)


@dataclass(frozen=True)
class Lamps:
    """Light of a view: lamps with cast shadows, and what comes from all around.

    Attributes:
        at: Where each lamp is in pixels from the picture's middle (x right, y up, z to the viewer), and 1; or
            the unit direction to it, and 0 where it is far away. [L, 4]
        rgb: Light that arrives at the middle head on; 1 shows the albedo. [L, 3]
        radius_rad: Half the angle that each lamp fills: soft shadows. [L]
        environment: Irradiance / pi as nine spherical harmonics, see ``environment.basis``. [9, 3]
        ambient: [3]
        specular: Strength of the highlight (1: skin's).
        roughness: GGX roughness of the highlight.
        scatter: How far light creeps round the terminator under the skin, by channel, 0..1. [3]
        occlusion: How much hollows take of the light from all around, 0..1.
    """

    at: F32
    rgb: F32
    radius_rad: F32
    environment: F32
    ambient: F32 = field(default_factory=lambda: np.zeros(3, np.float32))
    specular: float = 0.0
    roughness: float = 0.4
    scatter: F32 = field(default_factory=lambda: np.zeros(3, np.float32))
    occlusion: float = 0.0


def relit(albedo: U8, normals: F32, depth_px: F32, mask: Bools, lamps: Lamps) -> F32:
    """Linear light of a view inside its mask, 0 outside. [H, W, 3]

    Args:
        albedo: sRGB. [H, W, 3]
        normals: Unit, 0 outside the mask. [H, W, 3]
        depth_px: Camera z in pixels, larger is nearer. [H, W]
        mask: [H, W]
        lamps: The light.
    """
    inside = np.flatnonzero(mask)
    flat = np.ascontiguousarray(normals.reshape(-1, 3)[inside], np.float32)
    color = _LINEAR[albedo.reshape(-1, 3)[inside]]
    total = color * shading.around(flat, lamps.ambient, lamps.environment)
    if lamps.occlusion:
        total *= _openness(depth_px, mask, lamps.occlusion).reshape(-1)[inside, None]
    wall = np.where(mask, depth_px, -np.inf).astype(np.float32)
    gloss = np.array([lamps.specular, lamps.roughness], np.float32)
    for at, rgb, radius in zip(lamps.at, lamps.rgb, lamps.radius_rad, strict=True):
        _shine(total, inside, flat, color, wall, at, rgb, np.float32(radius), gloss, lamps.scatter)
    out = np.zeros((mask.size, 3), np.float32)
    out[inside] = total
    return out.reshape(*mask.shape, 3)


def whole_scene(normals: F32, depth_px: F32, mask: Bools) -> tuple[F32, Bools]:
    """Normals [H, W, 3] and mask [H, W] of all that a view shows: the skin, and what covers it.

    What covers the skin (hair) is outside the mask and has depth, but no normals: for its shading it gets
    those of its smoothed depth.
    """
    import cv2

    covers = (depth_px != 0) & ~mask
    if not covers.any():
        return normals, mask
    scene, sigma = mask | covers, 0.012 * mask.shape[0]
    weight = cv2.GaussianBlur(scene.astype(np.float32), (0, 0), sigma)
    level = cv2.GaussianBlur(np.where(scene, depth_px, 0).astype(np.float32), (0, 0), sigma)
    down, right = np.gradient(level / np.maximum(weight, 1e-3))
    made = unit(np.stack([-right, down, np.ones_like(down)], axis=-1))
    return np.where(covers[..., None], made, normals), scene


def over_backdrop(image: U8, mask: Bools, backdrop: U8) -> U8:
    """A picture over a backdrop, blended over a pixel at the outline. [H, W, 3]"""
    import cv2

    soft = np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.6))
    cover = np.clip(2 * soft - 1, 0, 1)[..., None]  # pixels outside the mask have no colour of their own
    return np.asarray(np.rint(cover * image + (1 - cover) * backdrop), np.uint8)


def to_codes(linear: F32) -> U8:
    """Linear light in 0..1 as sRGB bytes, clipped."""
    return np.asarray(_CODES[(np.clip(linear, 0, 1) * (len(_CODES) - 1) + 0.5).astype(np.int32)])


def displaced(normals: F32, height_px: F32) -> F32:
    """Normals of a surface that is moved toward the viewer by ``height_px`` [H, W]. [H, W, 3]

    Exact for an orthographic view: the slopes -n_x / n_z and -n_y / n_z grow by those of the height; written
    without the division, it stays finite at the outline.
    """
    down, right = np.gradient(height_px.astype(np.float32))
    moved = normals.copy()
    moved[..., 0] -= normals[..., 2] * right
    moved[..., 1] += normals[..., 2] * down  # rows go down, y goes up
    return unit(moved)


def _openness(depth_px: F32, mask: Bools, strength: float) -> Array:
    """Share of the surroundings that a pixel sees: less in hollows of two sizes. [H, W]"""
    import cv2

    side, open_share = mask.shape[0], np.ones(mask.shape, np.float32)
    weight, filled = mask.astype(np.float32), np.where(mask, depth_px, 0).astype(np.float32)
    for sigma in (0.012 * side, 0.035 * side):
        around = cv2.GaussianBlur(weight, (0, 0), sigma)
        level = cv2.GaussianBlur(filled, (0, 0), sigma) / np.maximum(around, 1e-3)
        open_share *= 1 / (1 + strength * np.clip((level - filled) / sigma, 0, 3))
    return open_share


@jit
def _shine(
    total: Any, inside: Any, normals: Any, color: Any, wall: Any, at: Any, rgb: Any, radius: Any,
    gloss: Any, scatter: Any,
) -> None:  # fmt: skip
    """Add a lamp to ``total`` [N, 3] of the pixels ``inside`` [N]; ``wall`` is the depth, -inf outside."""
    height, width = wall.shape
    half_w, half_h = np.float32(width - 1) * _HALF, np.float32(height - 1) * _HALF
    a2 = gloss[1] * gloss[1] * gloss[1] * gloss[1]
    k = gloss[1] * gloss[1] * _HALF
    reach2 = at[0] * at[0] + at[1] * at[1] + at[2] * at[2]
    widest = max(scatter[0], max(scatter[1], scatter[2]))
    for i in range(len(inside)):
        row, column = inside[i] // width, inside[i] % width
        z = wall[row, column]
        lx, ly, lz, strength = at[0], at[1], at[2], _ONE
        if at[3] > _ZERO:  # a near lamp: nearer skin gets more
            lx -= np.float32(column) - half_w
            ly -= half_h - np.float32(row)
            lz -= z
            strength = min(reach2 / max(lx * lx + ly * ly + lz * lz, _ONE), _FOUR)
        inverse = _ONE / np.sqrt(max(lx * lx + ly * ly + lz * lz, np.float32(1e-12)))
        lx, ly, lz = lx * inverse, ly * inverse, lz * inverse
        nx, ny, nz = normals[i, 0], normals[i, 1], normals[i, 2]
        cosine = nx * lx + ny * ly + nz * lz
        if cosine <= -widest:
            continue
        share = strength * _unshaded(wall, row, column, z, nx, ny, nz, lx, ly, lz, radius)
        if share <= _ZERO:
            continue
        shine = _ZERO
        if gloss[0] > _ZERO and cosine > _ZERO:
            inverse = _ONE / np.sqrt(max(lx * lx + ly * ly + (lz + _ONE) * (lz + _ONE), np.float32(1e-12)))
            nh = max((nx * lx + ny * ly + nz * (lz + _ONE)) * inverse, _ZERO)
            m = _ONE - max((lz + _ONE) * inverse, _ZERO)
            nv = max(nz, np.float32(0.05))
            d = nh * nh * (a2 - _ONE) + _ONE
            visible = _ONE / ((cosine * (_ONE - k) + k) * (nv * (_ONE - k) + k) * _FOUR)
            shine = gloss[0] * cosine * a2 / (d * d) * visible * (_F0 + (_ONE - _F0) * m * m * m * m * m)
        for c in range(3):
            lit = max((cosine + scatter[c]) / (_ONE + scatter[c]), _ZERO)
            total[i, c] += rgb[c] * share * (color[i, c] * lit + shine)


@jit
def _unshaded(
    wall: Any, row: Any, column: Any, z: Any, nx: Any, ny: Any, nz: Any, lx: Any, ly: Any, lz: Any,
    radius: Any,
) -> Any:  # fmt: skip
    """Share of a lamp that the depth map leaves to a pixel: a walk toward it in growing steps."""
    height, width = wall.shape
    across = np.sqrt(lx * lx + ly * ly)
    if across < np.float32(1e-3):
        return _ONE
    dx, dy, dz = lx / across, -ly / across, lz / across
    spread = max(radius, np.float32(0.01))
    share, t, step = _ONE, np.float32(1.5), _ONE
    # off the surface, so that a slope does not shade itself
    x0, y0, z0 = np.float32(column) + nx, np.float32(row) - ny, z + nz
    while True:
        x, y = x0 + t * dx, y0 + t * dy
        c, r = int(np.floor(x + _HALF)), int(np.floor(y + _HALF))
        if c < 0 or r < 0 or c >= width or r >= height:
            return share
        clear = (z0 + t * dz - wall[r, c]) / (t * spread)
        if clear < _ONE:
            share = min(share, _HALF + _HALF * clear)
            if share <= _ZERO:
                return _ZERO
        t += step
        step = step * np.float32(1.08)
