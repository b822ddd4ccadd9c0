"""ICT-FaceKit (USC-ICT, MIT): heads sampled from identity and expression, built from light-stage scans."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from fnormal.arrays import F32, I32, Array
from fnormal.errors import FNormalError
from fnormal.geometry.mesh import make_mesh, triangulate, vertex_normals
from fnormal.geometry.subdivision import loop_subdivision
from fnormal.scans.expressions import sample_expression, sample_lids, sample_mouth
from fnormal.scans.mouthpaint import GUMS_RGB, TEETH_RGB
from fnormal.scans.scan import DEFAULT_SAMPLED_SCANS, Scan, read_arrays
from fnormal.scans.skin import face_features, iris_color, paint, paint_eye, plain_lids, relief
from fnormal.scans.skinbank import SkinBank

_SKIN = ("M_Face", "M_BackHead")
_EYES = (("M_ScleraLeft", "M_IrisLeft"), ("M_ScleraRight", "M_IrisRight"))
# lashes, occlusion and fluid shells are left out: they would punch holes in the mask
_MOUTH = {"M_Teeth": TEETH_RGB, "M_GumsTongue": GUMS_RGB}
_CM = 1.0  # the model's unit is the centimetre


class HeadModel:
    """The morphable head: base, deltas, triangles by what they are, and a finer skin.

    Attributes:
        neutral: [V, 3] cm
        identity: Deltas with weights ~ N(0, 1). [100, V, 3]
        expression: Deltas with weights 0..1. [57, V, 3]
        expression_names: ARKit's.
        landmark_ids: Vertices of the 68 points.
        features: Lips, brows and beard of the finer skin.
        mirror: For each vertex of the finer skin the one on the other side. [F]
        front: Vertices of the finer skin that belong to the face. [F]
    """

    def __init__(self, source: Path | None) -> None:
        arrays = _load_model(source)
        self.neutral, self.identity, self.expression = (
            arrays[name] for name in ("neutral", "identity", "expression")
        )
        self.expression_names = [str(name) for name in arrays.get("expression_names", [])]
        self.landmark_ids = arrays["multipie68"]
        material = arrays["material_of_quad"]
        names = [str(n) for n in arrays["material_names"]]

        def part(which: Sequence[str]) -> I32:
            ids = [names.index(n) for n in which if n in names]
            return triangulate(arrays["quads"][np.isin(material, ids)])

        faces = part(_SKIN)
        self._n_skin = int(faces.max()) + 1
        self._finer = loop_subdivision(faces, self._n_skin)
        self.skin_faces = self._finer.faces
        self.mouth = [(part([name]), color) for name, color in _MOUTH.items()]
        self.eyes = [(part([ball]), np.unique(part([iris]))) for ball, iris in _EYES]
        middle = self.finer_skin(self.neutral)
        self.features = face_features(middle, self.neutral[self.landmark_ids], _CM)
        self.front = middle[:, 2] > self.neutral[self.landmark_ids][[0, 16], 2].mean()

    @cached_property
    def mirror(self) -> Array:
        """See above; asked for by who unwraps portraits alone."""
        from scipy.spatial import cKDTree

        middle = self.finer_skin(self.neutral)
        nearest: Array = cKDTree(middle).query(middle * np.array([-1, 1, 1], np.float32))[1]
        return nearest

    def finer_skin(self, vertices: F32) -> F32:
        """The subdivided skin of a shape [V, 3]. [F, 3]"""
        return self._finer(vertices[: self._n_skin])

    def posed(self, identity: Array, expression: Array) -> F32:
        """Vertices for weights [100] and [57]. [V, 3] cm"""
        shape = self.neutral + np.tensordot(identity.astype(np.float32), self.identity, 1)
        for which in np.flatnonzero(expression):
            shape = shape + np.float32(expression[which]) * self.expression[which]
        return np.asarray(shape, np.float32)


class IctFaceKit:
    """Sampled heads: identity weights ~ N(0, variety^2), some expressions, made-up or a portrait's skin.

    Args:
        source: ``ict_facekit.npz``, a checkout's ``FaceXModel`` folder, or None to download.
        licence: Licence of the heads.
        scans: How many heads.
        seed: Head ``i`` depends on ``(seed, i)`` alone.
        variety: Spread of identities; above 1 expressions are combined to extremes.
        skins: Bank of ``fnormal unwrap``; without, skin is made up.
        closed_eyes: Share of the heads whose eyes are more or less closed.
        open_mouths: Share of the heads whose mouths are wide open.
    """

    def __init__(
        self, source: Path | None, *, licence: str, scans: int | None, seed: int,
        variety: float | None = None, skins: Path | None = None, closed_eyes: float | None = None,
        open_mouths: float | None = None,
    ) -> None:  # fmt: skip
        self._skins = None if skins is None else SkinBank(skins)
        self.licence = licence if self._skins is None else f"{licence}; {self._skins.licence}"
        self._model = HeadModel(source)
        if self._skins is not None:
            self._skins.check(len(self._model.front))
        self._seed, self._variety = seed, 1.0 if variety is None else variety
        self._closed_eyes, self._open_mouths = closed_eyes or 0.0, open_mouths or 0.0
        self.files: Sequence[Path] = [path for path in (source, skins) if path is not None]
        count = DEFAULT_SAMPLED_SCANS if scans is None else scans
        self.names: Sequence[str] = [f"ict-{seed}-{i:05d}" for i in range(count)]

    def load(self, index: int) -> Scan:
        """Head ``index``: its shape, expression and skin."""
        rng, model = np.random.default_rng(np.random.SeedSequence([self._seed, index])), self._model
        lids = sample_lids(self._closed_eyes, (self._seed, index))
        shape = self._shape(rng, lids, sample_mouth(self._open_mouths, (self._seed, index)))
        smooth = model.finer_skin(shape)
        slope = float(rng.choice([0.0, rng.uniform(0.0, 0.20)], p=[0.25, 0.75]))
        skin_xyz = relief(smooth, vertex_normals(smooth, model.skin_faces), rng, _CM, slope)
        colors = paint(smooth, model.features, rng, _CM)
        vertices, faces, paints = [skin_xyz], [model.skin_faces], [colors]
        iris_rgb = iris_color(rng)
        if self._skins is not None and (skin := self._skins.mostly(rng)) is not None:
            paints = [skin if lids is None else plain_lids(skin, smooth, shape[model.landmark_ids])]
        for triangles, color in model.mouth:
            used, local = _compact(triangles, sum(map(len, vertices)))
            faces.append(local)
            vertices.append(shape[used])
            paints.append(np.tile(np.asarray(color, np.float32), (len(used), 1)))
        for triangles, iris in model.eyes:
            used, local = _compact(triangles, sum(map(len, vertices)))
            faces.append(local)
            vertices.append(shape[used])
            paints.append(paint_eye(shape[used], shape[iris].mean(axis=0), iris_rgb))
        mesh = make_mesh(np.concatenate(vertices), np.concatenate(faces), colors=np.concatenate(paints))
        name = self.names[index]
        return Scan(name, name, mesh, shape[model.landmark_ids])

    def _shape(
        self, rng: np.random.Generator, lids: tuple[float, float] | None = None, mouth: float | None = None
    ) -> F32:
        model = self._model
        identity = self._variety * rng.normal(0, 1, len(model.identity))
        if self._variety > 1:
            expression = sample_expression(model.expression_names, rng)
        else:
            expression = np.zeros(len(model.expression))
            count = int(rng.choice([0, 2, 4, 7], p=[0.3, 0.3, 0.25, 0.15]))
            for which in rng.choice(len(model.expression), count, replace=False):
                expression[which] = rng.uniform(0, 0.8)
        if lids is not None:
            for name, closed in zip(("eyeBlink_R", "eyeBlink_L"), lids, strict=True):
                expression[model.expression_names.index(name)] = closed
        if mouth is not None:
            for name, weight in (("jawOpen", mouth), ("mouthClose", 0)):
                expression[model.expression_names.index(name)] = weight
        return model.posed(identity, expression)


def _compact(triangles: I32, first: int) -> tuple[I32, I32]:
    """Vertices that ``triangles`` use, and the triangles renumbered from ``first`` on."""
    used, local = np.unique(triangles, return_inverse=True)
    return used, local.reshape(-1, 3).astype(np.int32) + first


def _load_model(source: Path | None) -> dict[str, Array]:
    """The morphable model's arrays from an npz, or from FaceXModel's OBJ files (then cached)."""
    from fnormal.scans.ict_download import fetch_face_x_model, model_from_objs

    if source is None:
        source = fetch_face_x_model()
    if source.is_dir():
        return model_from_objs(source)
    model = read_arrays(source, "give ict_facekit.npz or a checkout's FaceXModel folder")
    missing = {"neutral", "identity", "expression", "quads", "multipie68"} - set(model)
    if missing:
        raise FNormalError(f"{source} lacks {', '.join(sorted(missing))}; is it ict_facekit.npz?")
    return model
