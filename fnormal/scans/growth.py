"""Hair that grows on a face: beards, brows and lashes, strand by strand from its surface."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F32, Array
from fnormal.geometry.mesh import Mesh
from fnormal.scans.scan import STRAND_POINTS, Strands
from fnormal.scans.skin import face_features

_FLAT_CM = 0.5  # hair up to this length lies on the skin, which keeps its normal
_UPPER_LIDS = ((36, 37, 38, 39), (42, 43, 44, 45))
_LOWER_LIDS = ((36, 41, 40, 39), (42, 47, 46, 45))


def beard(mesh: Mesh, points: F32, unit_per_cm: float, color: F32, rng: np.random.Generator) -> Strands:
    """Stubble, a moustache, a goatee or a full beard.

    Args:
        mesh: The head, upright.
        points: Its 68 points. [68, 3]
        unit_per_cm: Mesh units in a centimetre.
        color: Of the hair, sRGB in 0..1. [3]
        rng: Everything random follows from it.
    """
    where = face_features(mesh.vertices, points, unit_per_cm).beard
    aside = np.abs(mesh.vertices[:, 0] - points[33, 0])
    up = mesh.vertices[:, 1] - points[48, 1]
    corner = abs(float(points[54, 0] - points[48, 0])) / 2
    where = where * (up < np.maximum(0.45 * (aside - corner), 0) + 1.6 * unit_per_cm * (aside < corner))
    kind = rng.choice(["stubble", "moustache", "goatee", "full"])
    if kind == "moustache":
        where = where * (up > -0.2 * unit_per_cm) * (aside < 1.2 * corner)
    elif kind == "goatee":
        where = where * (aside < 1.1 * corner)
    length = float(np.exp(rng.uniform(*np.log([0.15, 0.45] if kind == "stubble" else [0.5, 4.0]))))
    count = int(rng.uniform(0.3, 1) * (5_000 if kind in ("moustache", "goatee") else 15_000))
    roots, normals = _roots(mesh, where, count, rng)
    lengths = length * unit_per_cm * np.exp(rng.normal(0, 0.2, len(roots)))
    down = np.tile([0.0, -1.0, 0.0], (len(roots), 1))
    return _grown(roots, normals, down, lengths, (rng.uniform(0.2, 0.8), 0.25, 0.5), color,
                  rng, flat=length < _FLAT_CM)  # fmt: skip


def brows(mesh: Mesh, points: F32, unit_per_cm: float, color: F32, rng: np.random.Generator) -> Strands:
    """Short hair that points outward and a little up, flat on the skin. Args: as :func:`beard`."""
    where = face_features(mesh.vertices, points, unit_per_cm).brows
    roots, normals = _roots(mesh, where**3, int(rng.integers(500, 2_500)), rng)
    outward = np.sign(roots[:, :1] - points[27, 0]) * [[1.0, 0, 0]] + [[0, rng.uniform(0, 0.6), 0]]
    lengths = rng.uniform(0.4, 0.8) * unit_per_cm * np.exp(rng.normal(0, 0.2, len(roots)))
    return _grown(roots, normals, outward, lengths, (0.2, 0.25, 0.0), color * np.float32(0.8), rng, flat=True)


def lashes(mesh: Mesh, points: F32, unit_per_cm: float, color: F32, rng: np.random.Generator) -> Strands:
    """Of both lids of both eyes. Args: as :func:`beard`."""
    del mesh
    roots, aims, lengths = [], [], []
    top = rng.uniform(0.4, 1.0)
    for lids, up, long in ((_UPPER_LIDS, 0.6, top), (_LOWER_LIDS, -0.5, 0.5 * top)):
        for lid in lids:
            at = np.sort(rng.uniform(0, 3, int(rng.integers(40, 120))))
            low = np.minimum(at.astype(int), 2)
            line = points[list(lid)]
            root = line[low] + (at - low)[:, None] * (line[low + 1] - line[low])
            aside = (root - line.mean(axis=0)) / (2 * unit_per_cm)
            roots.append(root)
            aims.append(np.array([0, up, 1.0]) + aside * [1, 0, 0])
            lengths.append(long * unit_per_cm * np.exp(rng.normal(0, 0.15, len(root))))
    aim = np.concatenate(aims)
    return _grown(np.concatenate(roots), aim, aim, np.concatenate(lengths), (0.2, 0.1, -0.3),
                  color * np.float32(0.5), rng, flat=True)  # fmt: skip


def _roots(mesh: Mesh, where: Array, count: int, rng: np.random.Generator) -> tuple[F32, F32]:
    """Up to ``count`` places on a mesh, more where ``where`` [V] is more, and their normals. [N, 3] each"""
    corners = mesh.vertices[mesh.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    weight = area * where[mesh.faces].mean(axis=1)
    if weight.sum() <= 0:
        return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32)
    chosen = rng.choice(len(weight), count, p=weight / weight.sum())
    share = rng.dirichlet(np.ones(3), count).astype(np.float32)[..., None]
    return (corners[chosen] * share).sum(axis=1), (mesh.normals[mesh.faces[chosen]] * share).sum(axis=1)


def _grown(
    roots: Array, normals: Array, aim: Array, lengths: Array, bend: tuple[float, float, float],
    color: F32, rng: np.random.Generator, *, flat: bool,
) -> Strands:  # fmt: skip
    """Strands from roots [N, 3] along ``aim`` [N, 3] on the surface; ``bend`` is lift, noise and weight."""
    lift, noise, weight = bend
    aim = aim - (aim * normals).sum(axis=1, keepdims=True) * normals * (lift < 1)
    aim = aim + lift * normals + noise * rng.normal(size=aim.shape)
    aim = aim / np.maximum(np.linalg.norm(aim, axis=1, keepdims=True), 1e-9)
    along = np.linspace(0, 1, STRAND_POINTS)[:, None] * lengths[:, None, None]
    fall = np.linspace(0, 1, STRAND_POINTS)[:, None] ** 2 * lengths[:, None, None] * [0.0, -weight, 0.0]
    curves = roots[:, None] + along * aim[:, None] + fall
    shades = np.clip(color * np.exp(rng.normal(0, 0.25, (len(roots), 1))), 0.01, 0.95)
    return Strands(curves.astype(np.float32), shades.astype(np.float32), np.full(len(roots), flat, np.bool_))
