"""Skins of a bank, and eyes and mouths, on heads of other families than the bank's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fnormal.arrays import F32, I32, Array
from fnormal.geometry.connectivity import connected_parts
from fnormal.scans.mouthpaint import GUMS_RGB, TEETH_RGB, inside_mouth
from fnormal.scans.skin import face_features, iris_color, paint, paint_eye, plain_lids
from fnormal.scans.skinbank import SkinBank

_STREAM = 1  # other random numbers than those of the shapes, which so stay the same


class HeadPaint:
    """Colours for heads of one topology: skin and mouth on the largest part, the other parts are eyeballs.

    Args:
        neutral: The family's mean head, upright. [V, 3]
        faces: [F, 3]
        landmarks: Its vertices of the 68 points. [68]
        unit_per_cm: Mesh units in a centimetre.
        skins: Bank of ``fnormal unwrap``, or None: heads have no colour.
        teeth: Vertices of the teeth, or None: the family has none. [V]

    Raises:
        FNormalError: No bank, or one that does not hold its head.
    """

    def __init__(
        self, neutral: F32, faces: I32, landmarks: Sequence[int], unit_per_cm: float, skins: Path | None,
        teeth: Array | None = None,
    ) -> None:  # fmt: skip
        self._bank = None if skins is None else SkinBank(skins)
        if self._bank is None:
            return
        self._landmarks, self._unit = np.asarray(landmarks), unit_per_cm
        points = neutral[self._landmarks]
        part = connected_parts(faces, len(neutral))
        sizes = np.bincount(part)
        self._eyes = [np.flatnonzero(part == k) for k in range(len(sizes)) if k != sizes.argmax()]
        self._nearest = self._bank.nearest_to(neutral, points)
        self._features = face_features(neutral, points, unit_per_cm)
        self._mouth = inside_mouth(neutral, points, unit_per_cm)
        self._teeth = self._mouth & (False if teeth is None else teeth)

    def licence(self, heads: str) -> str:
        """Licence of the coloured heads."""
        return heads if self._bank is None else f"{heads}; {self._bank.licence}"

    def colors(self, vertices: F32, seed: tuple[int, int], *, closed_eyes: bool = False) -> F32 | None:
        """Colours of a head [V, 3], sRGB, or None without a bank; ``seed`` chooses them. [V, 3]"""
        if self._bank is None:
            return None
        rng = np.random.default_rng(np.random.SeedSequence([*seed, _STREAM]))
        skin = paint(vertices, self._features, rng, self._unit)
        if (other := self._bank.mostly(rng)) is not None:
            skin = other[self._nearest]
            if closed_eyes:
                skin = plain_lids(skin, vertices, vertices[self._landmarks])
        skin[self._mouth], skin[self._teeth] = GUMS_RGB, TEETH_RGB
        iris_rgb, gaze = iris_color(rng), np.array([*rng.normal(0, 0.15, 2), 1.0])
        for eye in self._eyes:
            ball = vertices[eye]
            skin[eye] = paint_eye(ball, np.asarray(ball.mean(axis=0) + gaze, np.float32), iris_rgb)
        return skin
