"""A portrait's skin on a head model: fit the head to 68 landmarks, read off colours, take the shading out.

What comes out is paint for training heads, with real brows, lips, beards, freckles and make-up. It is
nobody's geometry and no measurement of anybody.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fnormal.arrays import F32, U8, Array, Bools
from fnormal.config import N_LANDMARKS
from fnormal.errors import FNormalError
from fnormal.geometry.images import linear_to_srgb, srgb_to_linear
from fnormal.geometry.mesh import vertex_normals
from fnormal.geometry.normals import unit
from fnormal.geometry.pose import weak_perspective
from fnormal.scans.ict_facekit import HeadModel

_OUTLINE = slice(0, 17)  # its landmarks slide over the skin when a head turns
_OUTLINE_WEIGHT = 0.15
_NOISE = 0.02  # of landmarks / distance of the outer eye corners
_ROUNDS = 6
_WORST = 0.06  # residual / distance of the eye corners beyond which a fit is thrown away
_LEAST_FACING = 0.3  # cosine to the viewer below which a pixel is stretched over too much skin
_SHADE = (0.35, 2.5)  # limits of what is taken for shading


@dataclass(frozen=True)
class HeadFit:
    """A head in a photo: weak perspective.

    Attributes:
        vertices: Of the model, its own unit. [V, 3]
        turn: To the camera's frame. [3, 3]
        scale: Pixels a unit.
        shift: Pixels, y up from the first row. [2]
        residual: Root mean square of the landmarks inside the outline / distance of the eye corners.
    """

    vertices: F32
    turn: F32
    scale: float
    shift: F32
    residual: float

    def project(self, points: F32) -> F32:
        """Points [N, 3] in pixels, y down. [N, 2]"""
        flat = self.scale * points @ self.turn[:2].T + self.shift
        return np.asarray(flat * [1, -1], np.float32)


def fit_head(model: HeadModel, landmarks: F32) -> HeadFit:
    """The model's most likely shape and pose for 68 landmarks in pixels [68, 2], y down."""
    target: Array = landmarks.astype(np.float64) * [1, -1]
    eyes_px = float(np.linalg.norm(target[45] - target[36]))
    weight = np.ones(N_LANDMARKS)
    weight[_OUTLINE] = _OUTLINE_WEIGHT
    ids = model.landmark_ids
    base = model.neutral[ids].astype(np.float64)
    basis = np.concatenate([model.identity[:, ids], model.expression[:, ids]]).astype(np.float64)
    n_identity = len(model.identity)
    # an expression's weight is rarely above a half, an identity's has a variance of 1
    prior = np.concatenate([np.ones(n_identity), np.full(len(model.expression), 9.0)])
    chosen: Array = np.zeros(len(basis))
    for _ in range(_ROUNDS):
        shape = base + np.tensordot(chosen, basis, 1)
        turn, scale, shift = weak_perspective(shape, target, weight)
        columns = scale * (basis @ turn[:2].T)  # [B, 68, 2]
        rows = (columns * weight[:, None]).reshape(len(basis), -1)
        wanted = ((target - scale * base @ turn[:2].T - shift) * weight[:, None]).reshape(-1)
        noise = (_NOISE * eyes_px) ** 2
        chosen = np.linalg.solve(rows @ rows.T + noise * np.diag(prior), rows @ wanted)
        chosen[n_identity:] = np.clip(chosen[n_identity:], 0, 1)
    shape = base + np.tensordot(chosen, basis, 1)
    turn, scale, shift = weak_perspective(shape, target, weight)
    miss = (scale * shape @ turn[:2].T + shift - target)[17:]
    residual = float(np.sqrt((miss**2).sum(axis=1).mean())) / max(eyes_px, 1e-6)
    vertices = model.posed(chosen[:n_identity], chosen[n_identity:])
    return HeadFit(vertices, turn.astype(np.float32), float(scale), shift.astype(np.float32), residual)


def unwrap_skin(model: HeadModel, picture: U8, landmarks: F32) -> U8:
    """Colours of the model's skin as a portrait shows it, sRGB, without its shading. [V, 3]

    Args:
        model: The head model; V are the vertices of its finer skin.
        picture: RGB. [H, W, 3]
        landmarks: The 68 points. [68, 2]

    Raises:
        FNormalError: The head does not fit the landmarks, or too little of it is seen.
    """
    fit = fit_head(model, landmarks)
    if fit.residual > _WORST:
        raise FNormalError(f"the head model misses the landmarks by {fit.residual:.0%} of the eyes' distance")
    skin = model.finer_skin(fit.vertices)
    normals = vertex_normals(skin, model.skin_faces) @ fit.turn.T
    pixels = fit.project(skin)
    seen = _seen(skin @ fit.turn.T, pixels, normals, picture.shape)
    plain = seen & (model.features.lips < 0.2) & (model.features.brows < 0.2) & model.front
    if plain.sum() < 500:
        raise FNormalError("too little of the face is seen")
    color = _sampled(picture, pixels)
    color = color / _shade(normals, color, plain)
    trust = seen * np.clip((normals[:, 2] - _LEAST_FACING) / 0.3, 0.05, 1)
    color, known = _completed(color, trust, model.mirror)
    color = _filled(color, known, skin)
    return np.asarray(np.rint(255 * linear_to_srgb(np.clip(color, 0, 1))), np.uint8)


def _seen(turned: F32, pixels: F32, normals: F32, shape: tuple[int, ...]) -> Bools:
    """Vertices that face the viewer, lie in the picture and have none before them. [V]"""
    inside = ((pixels > 1) & (pixels < [shape[1] - 2, shape[0] - 2])).all(axis=1)
    extent = np.ptp(pixels, axis=0).max()
    cells = ((pixels - pixels.min(axis=0)) / extent * 90).astype(int)
    nearest = np.full((92, 92), -np.inf)
    np.maximum.at(nearest, (cells[:, 1], cells[:, 0]), turned[:, 2])
    depth = np.ptp(turned[:, 2])
    clear = turned[:, 2] > nearest[cells[:, 1], cells[:, 0]] - 0.05 * depth
    return np.asarray(inside & clear & (normals[:, 2] > _LEAST_FACING))


def _sampled(picture: U8, pixels: F32) -> F32:
    """Linear light at pixels [V, 2]. [V, 3]"""
    import cv2

    rows = pixels.reshape(1, -1, 2)
    parts = [
        cv2.remap(picture, np.ascontiguousarray(part[..., 0]), np.ascontiguousarray(part[..., 1]),
                  cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for part in np.array_split(rows, max(1, rows.shape[1] // 16_000), axis=1)
    ]  # fmt: skip
    return srgb_to_linear(np.concatenate(parts, axis=1)[0].astype(np.float32) / np.float32(255))


def _shade(normals: F32, color: F32, plain: Bools) -> F32:
    """What the light does to each vertex, by nine harmonics of plain skin, 1 on the mean of it. [V, 3]"""
    x, y, z = unit(normals).astype(np.float64).T
    terms = np.stack([np.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], axis=1)
    a, weight = terms[plain], np.ones(int(plain.sum()))
    ridge = np.diag([1e-6, *[0.02] * 3, *[0.1] * 5]) * len(a)
    out = np.empty((len(normals), 3), np.float32)
    for channel in range(3):
        b = color[plain, channel].astype(np.float64)
        b = b / max(float(np.median(b)), 1e-4)
        for _ in range(4):  # freckles, glasses and hair are not the light's
            found = np.linalg.solve((a * weight[:, None]).T @ a + ridge, (a * weight[:, None]).T @ b)
            weight = 1 / (1 + ((a @ found - b) / 0.15) ** 2)
        out[:, channel] = np.clip(terms @ found, *_SHADE)
    return out


def _completed(color: F32, trust: Array, mirror: Array) -> tuple[F32, Bools]:
    """Colours with what is unseen taken from the other half, and where there are any."""
    other = 0.5 * trust[mirror] * (trust < 0.5)
    total = trust + other
    mixed = (trust[:, None] * color + other[:, None] * color[mirror]) / np.maximum(total, 1e-6)[:, None]
    return np.asarray(mixed, np.float32), np.asarray(total > 0.02)


def _filled(color: F32, known: Bools, skin: F32) -> F32:
    """The rest of the head from what is nearest to it."""
    from scipy.spatial import cKDTree

    some = np.flatnonzero(known)
    distance, nearest = cKDTree(skin[some]).query(skin[~known], k=16)
    near = 1 / (distance + 1e-3)
    out = color.copy()
    out[~known] = (color[some][nearest] * near[..., None]).sum(axis=1) / near.sum(axis=1, keepdims=True)
    return out
