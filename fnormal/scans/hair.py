"""Hair on a head: strands of CharMorph's styles, fitted, thickened and varied; beards, brows and lashes.

The styles are drawn around the skull of the head Vitruvian. Seen from a point in the skull's middle, another
head is that skull with other distances in every direction, and so its hair is.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fnormal.arrays import F32, I32, Array
from fnormal.errors import FNormalError
from fnormal.files.opening import ARCHIVE, read_npz
from fnormal.scans.charmorph import neutral_head, upright_of
from fnormal.scans.growth import beard, brows, lashes
from fnormal.scans.scan import STRAND_POINTS, Scan, Strands, joined

HAIR_LICENCE = "CharMorph, Vitruvian, CC0 1.0"
_EYES_CM = 9.0  # between the outer corners of the eyes, of most people
_STREAM = 2  # other random numbers than those of shapes and skins, which so stay the same
_STYLE_SHARE, _BEARD_SHARE, _BROWS_SHARE, _LASHES_SHARE = 0.7, 0.3, 0.4, 0.6  # of the heads
_COUNTS = (8_000, 24_000)  # strands of a head of hair
_MOST_GUIDES = 1_500  # of a style; some files hold every strand
_NEIGHBOURS = 5  # guides that a strand may lie between
_EVERY = 8  # vertex of the styles' own skull is enough to tell how far out it is
_RATIO = (0.75, 1.35)  # of the radii of two skulls, in one direction
_COLORS = np.array([  # sRGB, our own picks: black, browns, blonds, red, grey, white
    [0.06, 0.05, 0.05], [0.12, 0.08, 0.06], [0.22, 0.14, 0.09], [0.36, 0.24, 0.15], [0.55, 0.41, 0.25],
    [0.76, 0.62, 0.42], [0.48, 0.22, 0.11], [0.45, 0.44, 0.43], [0.85, 0.84, 0.82],
])  # fmt: skip


class Hairdresser:
    """Hair for any upright head with landmarks.

    Args:
        source: Folder of CharMorph's Vitruvian, with ``hairstyles``.

    Raises:
        FNormalError: It holds no hairstyles, or not the head that they are made for.
    """

    def __init__(self, source: Path) -> None:
        found = sorted((source / "hairstyles").glob("*.npz"))
        files = [path for path in found if "eyebrow" not in path.stem.lower()]
        if not files:
            raise FNormalError(f"{source} holds no hairstyles/*.npz; give CharMorph's folder of Vitruvian")
        vertices, points = neutral_head(source)
        middle, self._unit = _skull(points)
        self._dirs, self._radii = _seen_from(middle, vertices[::_EVERY])
        self._styles = [_guides(path) - middle for path in files]

    def dress(self, scan: Scan, seed: tuple[int, int]) -> Scan:
        """The scan with hair, or bald as some are; ``seed`` alone chooses.

        Raises:
            FNormalError: The scan has no landmarks.
        """
        if scan.landmarks is None:
            raise FNormalError(f"{scan.name}: --hair needs heads that know their 68 points")
        rng = np.random.default_rng(np.random.SeedSequence([*seed, _STREAM]))
        points, mesh = scan.landmarks, scan.mesh
        unit_per_cm, color = _skull(points)[1], hair_color(rng)
        parts = []
        if rng.random() < _STYLE_SHARE:
            parts.append(self._hair(mesh.vertices, points, color, rng))
        for share, grow in ((_BEARD_SHARE, beard), (_BROWS_SHARE, brows), (_LASHES_SHARE, lashes)):
            if rng.random() < share:
                parts.append(grow(mesh, points, unit_per_cm, color, rng))
        return replace(scan, strands=joined(parts)) if parts else scan

    def _hair(self, vertices: F32, points: F32, color: F32, rng: np.random.Generator) -> Strands:
        """One of the styles, changed, on a skull. Its unit is the head's."""
        guides = self._styles[int(rng.integers(len(self._styles)))]
        middle, unit = _skull(points)
        ratio = self._ratio(guides, _seen_from(middle, vertices), self._unit / unit)
        guides = guides * ratio[..., None] * np.float32(unit / self._unit)
        curves = thickened(guides, int(rng.integers(*_COUNTS)), 0.15 * unit, rng)
        curves = _restyled(curves, unit, rng) + middle
        shades = color * np.exp(rng.normal(0, 0.22, (len(curves), 1)))
        return Strands(
            np.asarray(curves, np.float32), np.clip(shades, 0.01, 0.95).astype(np.float32),
            np.zeros(len(curves), np.bool_),
        )  # fmt: skip

    def _ratio(self, curves: F32, skull: tuple[F32, F32], scale: float) -> Array:
        """How much farther out a skull is than the styles' own, toward points of curves [N, K, 3]. [N, K]"""
        from scipy.spatial import cKDTree

        dirs, radii = skull
        theirs = np.median(radii[cKDTree(dirs).query(self._dirs, 5)[1]], axis=1) * scale
        ratio = np.clip(theirs / self._radii, *_RATIO)
        flat = curves.reshape(-1, 3)
        toward = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
        smooth: Array = ratio[cKDTree(self._dirs).query(toward, 6)[1]].mean(axis=1)
        return smooth.reshape(curves.shape[:2])


def hair_color(rng: np.random.Generator) -> F32:
    """A colour of hair, sRGB in 0..1, somewhere between two of the usual ones. [3]"""
    first, second = _COLORS[rng.choice(len(_COLORS), 2, replace=False)]
    return np.asarray(first + rng.uniform(0, 0.4) * (second - first), np.float32)


def _skull(points: F32) -> tuple[F32, float]:
    """About the middle of the skull of 68 points, and a centimetre of it, by the eyes."""
    unit = float(np.linalg.norm(points[45] - points[36])) / _EYES_CM
    middle = (points[0] + points[16]) / 2 + unit * np.array([0, 3.5, -2.0])
    return np.asarray(middle, np.float32), unit


def _seen_from(middle: F32, vertices: F32) -> tuple[F32, F32]:
    """Directions [V, 3] and distances [V] of vertices from the middle of the skull."""
    away = vertices - middle
    distance = np.maximum(np.linalg.norm(away, axis=1), 1e-9)
    return np.asarray(away / distance[:, None], np.float32), distance.astype(np.float32)


def _guides(path: Path) -> F32:
    """The strands of a file, upright, each of the same number of points. [N, K, 3]

    Raises:
        FNormalError: Not a file of strands.
    """
    arrays = read_npz(path, ARCHIVE)
    count, data = arrays.get("cnt"), arrays.get("data")
    if count is None or data is None or not _are_strands(count, data):
        raise FNormalError(f"{path} holds no strands; fetch Vitruvian again")
    ends = np.cumsum(count.astype(np.int64))
    points = upright_of(data.astype(np.float32))
    lines = [points[end - n : end] for end, n in zip(ends, count, strict=True) if n > 1]
    lines = lines[:: max(1, len(lines) // _MOST_GUIDES)]
    return np.stack([resampled(line, 1.0) for line in lines])


def _are_strands(count: Array, data: Array) -> bool:
    """Whether ``count`` [N] says how many of the points ``data`` [P, 3] each strand has."""
    if count.ndim != 1 or count.dtype.kind not in "iu" or data.ndim != 2 or data.dtype.kind != "f":
        return False
    return bool(
        data.shape[1] == 3
        and count.max(initial=0) > 1
        and count.sum() == len(data)
        and np.isfinite(data).all()
    )


def resampled(curves: F32, share: float) -> F32:
    """The first ``share`` of polylines [..., P, 3], by their points, at even steps. [..., K, 3]"""
    points = curves.shape[-2]
    at = np.linspace(0, share * (points - 1), STRAND_POINTS)
    low = np.minimum(at.astype(int), points - 2)
    part = (at - low)[:, None]
    return np.asarray(curves[..., low, :] * (1 - part) + curves[..., low + 1, :] * part, np.float32)


def thickened(guides: F32, count: int, spread: float, rng: np.random.Generator) -> F32:
    """``count`` strands between guides [N, K, 3], with roots that lie ``spread`` apart. [count, K, 3]"""
    from scipy.spatial import cKDTree

    first = rng.integers(len(guides), size=count)
    roots = guides[:, 0]
    neighbours: I32 = cKDTree(roots).query(roots, min(_NEIGHBOURS, len(guides)))[1].reshape(len(guides), -1)
    second = neighbours[first, rng.integers(neighbours.shape[1], size=count)]
    between = rng.uniform(0, 0.5, count)
    # locks that part do not mix
    apart = np.linalg.norm(guides[first, -1] - guides[second, -1], axis=1)
    near = np.linalg.norm(roots[first] - roots[second], axis=1)
    between[apart > 3 * near + 20 * spread] = 0
    curves = guides[first] + between[:, None, None] * (guides[second] - guides[first])
    return np.asarray(curves + rng.normal(0, spread, (count, 1, 3)), np.float32)


def _restyled(curves: F32, unit: float, rng: np.random.Generator) -> F32:
    """Hair around the origin, cut, curled, ruffled, combed forward or mirrored. [N, K, 3]"""
    if rng.random() < 0.5:
        curves = curves * np.array([-1, 1, 1], np.float32)
    if rng.random() < 0.5:
        curves = resampled(curves, float(rng.uniform(0.3, 1)))
    along = np.linspace(0, 1, STRAND_POINTS, dtype=np.float32)
    if rng.random() < 0.5:
        turns, wide = rng.uniform(1, 6), rng.uniform(0.05, 0.6) * unit
        locks = rng.uniform(0, 2 * np.pi, 64)[np.abs(curves[:, 0] / unit).sum(axis=1).astype(int) % 64]
        phase = 2 * np.pi * turns * along + locks[:, None] + rng.normal(0, 0.3, (len(curves), 1))
        wave = np.stack([np.cos(phase), 0 * phase, np.sin(phase)], axis=-1)
        curves = curves + np.float32(wide) * along[:, None] * wave.astype(np.float32)
    loose = rng.uniform(0, 0.5) * unit
    ruffled = curves + loose * along[:, None] ** 2 * rng.normal(size=(len(curves), 1, 3))
    if rng.random() < 0.35:  # combed, or blown, into the face
        pitch = np.radians(rng.uniform(2, 16))
        sine, cosine = np.sin(pitch), np.cos(pitch)
        ruffled = ruffled @ np.array([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]])
    return np.asarray(ruffled, np.float32)
