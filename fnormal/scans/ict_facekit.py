"""ICT-FaceKit (USC-ICT, MIT): heads sampled from identity and expression, built from light-stage scans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fnormal.arrays import F32, I32, Array
from fnormal.errors import FNormalError
from fnormal.geometry.mesh import make_mesh, triangulate, vertex_normals
from fnormal.geometry.subdivision import loop_subdivision
from fnormal.scans.scan import DEFAULT_SAMPLED_SCANS, Scan, read_arrays
from fnormal.scans.skin import face_features, paint, relief

_SKIN = ("M_Face", "M_BackHead")
_EYES = (("M_ScleraLeft", "M_IrisLeft"), ("M_ScleraRight", "M_IrisRight"))
# lashes, occlusion and fluid shells are left out: they would punch holes in the mask
_MOUTH = {"M_Teeth": (0.85, 0.82, 0.72), "M_GumsTongue": (0.62, 0.32, 0.32)}
_SCLERA_RGB = (0.85, 0.82, 0.80)
_IRIS_DEG, _PUPIL_DEG = 27.0, 11.0  # half angles, seen from the eyeball's centre
_CM = 1.0  # the model's unit is the centimetre


class IctFaceKit:
    """Sampled heads: identity weights ~ N(0, 1), some expressions, made-up skin.

    Args:
        source: ``ict_facekit.npz``, a checkout's ``FaceXModel`` folder, or None to download.
        licence: Licence of the heads.
        scans: How many heads.
        seed: Head ``i`` depends on ``(seed, i)`` alone.
    """

    def __init__(self, source: Path | None, *, licence: str, scans: int | None, seed: int) -> None:
        self.licence = licence
        self._model = _load_model(source)
        self._seed = seed
        self.files: Sequence[Path] = [] if source is None else [source]
        count = DEFAULT_SAMPLED_SCANS if scans is None else scans
        self.names: Sequence[str] = [f"ict-{seed}-{i:05d}" for i in range(count)]
        material = self._model["material_of_quad"]
        names = [str(n) for n in self._model["material_names"]]

        def part(which: Sequence[str]) -> I32:
            ids = [names.index(n) for n in which if n in names]
            return triangulate(self._model["quads"][np.isin(material, ids)])

        faces = part(_SKIN)
        self._n_skin = int(faces.max()) + 1
        self._finer = loop_subdivision(faces, self._n_skin)
        self._mouth = [(part([name]), color) for name, color in _MOUTH.items()]
        self._eyes = [(part([ball]), np.unique(part([iris]))) for ball, iris in _EYES]
        neutral = self._model["neutral"]
        self._features = face_features(
            self._finer(neutral[: self._n_skin]), neutral[self._model["multipie68"]], _CM
        )

    def load(self, index: int) -> Scan:
        """Head ``index``: its shape, expression and skin."""
        rng = np.random.default_rng(np.random.SeedSequence([self._seed, index]))
        shape = self._shape(rng)
        smooth = self._finer(shape[: self._n_skin])
        slope = float(rng.choice([0.0, rng.uniform(0.0, 0.20)], p=[0.25, 0.75]))
        skin_xyz = relief(smooth, vertex_normals(smooth, self._finer.faces), rng, _CM, slope)
        colors = paint(smooth, self._features, rng, _CM)
        vertices, faces, paints = [skin_xyz], [self._finer.faces], [colors]
        iris_rgb = rng.uniform([0.15, 0.1, 0.08], [0.45, 0.45, 0.5])
        for triangles, color in self._mouth:
            used, local = _compact(triangles, sum(map(len, vertices)))
            faces.append(local)
            vertices.append(shape[used])
            paints.append(np.tile(np.asarray(color, np.float32), (len(used), 1)))
        for triangles, iris in self._eyes:
            used, local = _compact(triangles, sum(map(len, vertices)))
            faces.append(local)
            vertices.append(shape[used])
            paints.append(_paint_eye(shape[used], shape[iris].mean(axis=0), iris_rgb))
        mesh = make_mesh(np.concatenate(vertices), np.concatenate(faces), colors=np.concatenate(paints))
        name = self.names[index]
        return Scan(name, name, mesh, shape[self._model["multipie68"]])

    def _shape(self, rng: np.random.Generator) -> F32:
        model = self._model
        weights = rng.normal(0, 1, len(model["identity"])).astype(np.float32)
        shape = model["neutral"] + np.tensordot(weights, model["identity"], 1)
        count = int(rng.choice([0, 2, 4, 7], p=[0.3, 0.3, 0.25, 0.15]))
        for which in rng.choice(len(model["expression"]), count, replace=False):
            shape = shape + np.float32(rng.uniform(0, 0.8)) * model["expression"][which]
        return np.asarray(shape, np.float32)


def _compact(triangles: I32, first: int) -> tuple[I32, I32]:
    """Vertices that ``triangles`` use, and the triangles renumbered from ``first`` on."""
    used, local = np.unique(triangles, return_inverse=True)
    return used, local.reshape(-1, 3).astype(np.int32) + first


def _paint_eye(ball: F32, iris_center: F32, iris_rgb: Array) -> F32:
    """Colours of an eyeball [V, 3]: the iris lies behind a clear cornea, so it is painted on top."""
    center = ball.mean(axis=0)
    away, gaze = ball - center, iris_center - center
    cosine = away @ gaze / (np.linalg.norm(away, axis=1) * np.linalg.norm(gaze))
    angle_deg = np.degrees(np.arccos(np.clip(cosine, -1, 1)))[:, None]
    color = np.where(angle_deg < _IRIS_DEG, iris_rgb, _SCLERA_RGB)
    return np.where(angle_deg < _PUPIL_DEG, 0.03, color).astype(np.float32)


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
