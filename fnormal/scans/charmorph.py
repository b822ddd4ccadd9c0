"""CharMorph's Vitruvian (CC0): a third family of heads, with shapes and expressions of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fnormal.arrays import F32, I32, Array
from fnormal.errors import FNormalError
from fnormal.files.opening import ARCHIVE, read_npy, read_npz
from fnormal.geometry.connectivity import connected_parts
from fnormal.geometry.mesh import make_mesh, triangulate
from fnormal.geometry.subdivision import Subdivision, loop_subdivision
from fnormal.scans.expressions import sample_lids, sample_mouth
from fnormal.scans.headpaint import HeadPaint
from fnormal.scans.scan import DEFAULT_SAMPLED_SCANS, Scan

_NECK_M = 1.50  # z is up in the files; below it are shoulders
_IRIS_VERTICES = 401  # the irises lie inside the eyeballs
_TEETH_MOVE_M = 2e-4  # what the shape that takes the teeth away does to the gums beside them
_CM = 0.01  # the model's unit is the metre
# the 68 points on the finer mesh: detected on a frontal render of the base head, nearest vertices
_LANDMARKS = (
    51963, 18866, 9187, 21712, 21533, 898, 54144, 21650, 59441, 51941, 3002, 40317, 32242, 32234, 54372,
    32167, 13192, 19110, 47796, 9023, 56521, 6467, 29749, 2569, 2578, 29449, 32255, 57649, 17701, 51911,
    17897, 53753, 20063, 11875, 9055, 58762, 61416, 42558, 44677, 41307, 57251, 60371, 57646, 15720,
    31630, 57235, 15679, 15701, 54491, 852, 9043, 55363, 30078, 42760, 4466, 7693, 32465, 51969, 46501,
    4372, 5192, 53126, 17806, 30077, 50245, 30085, 17812, 11168,
)  # fmt: skip
# by the first word of a morph's name: (how many to mix, largest weight)
_MIXES = {
    "Race": (2, 0.6), "Gender": (1, 0.9), "Age": (1, 0.9), "Face": (4, 0.7), "Head": (2, 0.7),
    "Chin": (3, 0.7), "Jaw": (3, 0.7), "Cheeks": (2, 0.7), "Eyes": (5, 0.6), "Nose": (5, 0.7),
    "Mouth": (4, 0.6), "Ears": (2, 0.6),
}  # fmt: skip
_LEFT_OUT = ("Baby", "Vampire", "NoTeeth")


class VitruvianHeads:
    """Sampled heads: a mix of shape morphs, some expressions.

    Args:
        source: The folder with ``faces.npy`` and ``morphs``.
        licence: Licence of the heads.
        scans: How many heads.
        seed: Head ``i`` depends on ``(seed, i)`` alone.
        skins: Bank of ``fnormal unwrap``; without, heads are grey.
        closed_eyes: Share of the heads whose eyes are more or less closed.
        open_mouths: Share of the heads whose mouths are wide open.

    Raises:
        FNormalError: The folder does not hold them.
    """

    def __init__(
        self, source: Path, *, licence: str, scans: int | None, seed: int, skins: Path | None = None,
        closed_eyes: float | None = None, open_mouths: float | None = None,
    ) -> None:  # fmt: skip
        self._seed, self._closed_eyes, self._open_mouths = seed, closed_eyes or 0.0, open_mouths or 0.0
        self._base, self._used, self._finer = _read_base(source)
        neutral = self._upright(self._base)
        self._paint = HeadPaint(
            neutral, self._finer.faces, _LANDMARKS, _CM, skins, self._teeth(source / "morphs" / "L2", neutral)
        )
        self.licence = self._paint.licence(licence)
        shapes = [p for s in ("*.npz", "*.npy") for p in sorted((source / "morphs" / "L2").glob(s))]
        kept = [p for p in shapes if not any(word in p.stem for word in _LEFT_OUT)]
        self._shapes = {word: [p for p in kept if p.stem.startswith(word)] for word in _MIXES}
        self._expressions = sorted((source / "morphs" / "L3").glob("*.npz"))
        self._lids = [source / "morphs" / "L3" / f"Eyes_Closed_{side}.npz" for side in ("Right", "Left")]
        self._mouth = source / "morphs" / "L3" / "Mouth_Large_Opened.npz"
        self.files: Sequence[Path] = [
            _base_path(source),
            *shapes,
            *self._expressions,
            *([] if skins is None else [skins]),
        ]
        count = DEFAULT_SAMPLED_SCANS if scans is None else scans
        self.names: Sequence[str] = [f"vitruvian-{seed}-{i:05d}" for i in range(count)]

    def load(self, index: int) -> Scan:
        """Head ``index``; without colour where there are no skins."""
        rng = np.random.default_rng(np.random.SeedSequence([self._seed, index]))
        shape = self._base.copy()
        for word, (count, top) in _MIXES.items():
            morphs = self._shapes[word]
            for which in rng.choice(len(morphs), min(count, len(morphs)), replace=False):
                _add(shape, morphs[which], float(rng.uniform(0, top)))
        if self._expressions:
            for which in rng.choice(len(self._expressions), int(rng.integers(0, 4)), replace=False):
                _add(shape, self._expressions[which], float(rng.uniform(0, 0.8)))
        lids = sample_lids(self._closed_eyes, (self._seed, index))
        if lids is not None:
            for path, closed in zip(self._lids, lids, strict=True):
                _add(shape, path, closed)
        mouth = sample_mouth(self._open_mouths, (self._seed, index))
        if mouth is not None:
            _add(shape, self._mouth, mouth)
        vertices, name = self._upright(shape), self.names[index]
        colors = self._paint.colors(vertices, (self._seed, index), closed_eyes=lids is not None)
        mesh = make_mesh(vertices, self._finer.faces, colors=colors)
        return Scan(name, name, mesh, vertices[list(_LANDMARKS)])

    def _teeth(self, shapes: Path, neutral: F32) -> Array | None:
        """Vertices of the teeth: those that the shape which takes them away moves. [V]"""
        without = shapes / "Mouth_NoTeeth.npz"
        if not without.is_file():
            return None
        shape = self._base.copy()
        _add(shape, without, 1)
        return np.asarray(np.linalg.norm(self._upright(shape) - neutral, axis=1) > _TEETH_MOVE_M)

    def _upright(self, shape: F32) -> F32:
        """The finer head of all vertices [V, 3], x, z, -y of the file."""
        return self._finer(upright_of(shape[self._used]))


def neutral_head(source: Path) -> tuple[F32, F32]:
    """The head without morphs, upright [V, 3], and its 68 points: what CharMorph's hair is made for. [68, 3]

    Raises:
        FNormalError: The folder does not hold it.
    """
    base, used, finer = _read_base(source)
    vertices = finer(upright_of(base[used]))
    return vertices, vertices[list(_LANDMARKS)]


def upright_of(points: F32) -> F32:
    """Points of CharMorph's files [..., 3] in fnormal's frame: x, z, -y."""
    return points @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)


def _base_path(source: Path) -> Path:
    return source / "morphs" / "L1" / "Default.npy"


def _read_base(source: Path) -> tuple[F32, Array, Subdivision]:
    """All vertices of the base mesh, which of them are the head, and the finer mesh of that."""
    path = _base_path(source)
    if not path.is_file():
        raise FNormalError(f"{source} holds no morphs/L1/Default.npy; give CharMorph's folder of Vitruvian")
    base = read_npy(path, ARCHIVE).astype(np.float32)
    faces = triangulate(read_npy(source / "faces.npy", ARCHIVE).astype(np.int32))
    return base, *_head_of(base, faces)


def _head_of(base: F32, faces: I32) -> tuple[Array, Subdivision]:
    """Vertices of the head, and the finer mesh of them."""
    part = connected_parts(faces, len(base))
    iris = np.bincount(part)[part] == _IRIS_VERTICES
    wanted = (base[:, 2] > _NECK_M) & ~iris
    kept = faces[wanted[faces].all(axis=1)]
    used, local = np.unique(kept, return_inverse=True)
    return used, loop_subdivision(local.reshape(-1, 3).astype(np.int32), len(used))


def _add(shape: F32, morph: Path, weight: float) -> None:
    """Add a morph: deltas of some vertices, or of all."""
    if morph.suffix == ".npy":
        whole = read_npy(morph, ARCHIVE).astype(np.float32)
        if whole.shape == shape.shape:
            shape += np.float32(weight) * whole
        return
    arrays = read_npz(morph, ARCHIVE)
    index, delta = arrays.get("idx"), arrays.get("delta")
    if index is None or delta is None or delta.shape != (len(index), 3) or index.max(initial=0) >= len(shape):
        raise FNormalError(f"{morph} is no morph of this head; fetch Vitruvian again")
    shape[index.astype(np.int64)] += np.float32(weight) * delta.astype(np.float32)
