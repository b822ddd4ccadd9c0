"""Errors by region, by subject, by pose and by light: where and when a method fails."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnormal.arrays import F64, Array
from fnormal.datasets.sample import Sample
from fnormal.faces.regions import REGIONS, region_map

_YAW_DEG = (0, 15, 30, 45, 90)
_LIGHT_DEG = (0, 25, 50, 90)
_RESAMPLES = 2000  # of the bootstrap over subjects


@dataclass(frozen=True)
class Group:
    """One row of a breakdown.

    Attributes:
        by: ``region``, ``yaw`` or ``light``.
        name: Such as ``nose`` or ``15-30``.
        images: How many have pixels in it.
        mean_deg: Mean over those images.
    """

    by: str
    name: str
    images: int
    mean_deg: float


class Breakdown:
    """Collects what the groups need, image by image."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[float]] = defaultdict(list)

    def add(self, sample: Sample, errors_deg: F64) -> None:
        """Add one image by the errors of its masked pixels [K], see :func:`metrics.pixel_errors_deg`."""
        mask = sample.mask
        error = np.zeros(mask.shape)
        error[mask] = errors_deg
        mean = float(errors_deg.mean())
        self._found["subject", sample.subject].append(mean)
        if (points := sample.known_landmarks) is not None:
            labels = region_map(points, mask)
            for value, name in enumerate(REGIONS, 1):
                if (labels == value).any():
                    self._found["region", name].append(float(error[labels == value].mean()))
        if sample.view is not None and sample.view["rotation"].any():
            self._found["yaw", _bin(yaw_deg(sample.view["rotation"]), _YAW_DEG)].append(mean)
            self._found["light", _bin(light_angle_deg(sample.view), _LIGHT_DEG)].append(mean)

    def groups(self) -> list[Group]:
        """Rows by region, yaw and light, in their natural order; subjects only through the interval."""
        rows = []
        for by, names in (("region", REGIONS), ("yaw", _names(_YAW_DEG)), ("light", _names(_LIGHT_DEG))):
            for name in names:
                values = self._found.get((by, name), [])
                if values:
                    rows.append(Group(by, name, len(values), float(np.mean(values))))
        return rows

    def subjects(self) -> dict[str, float]:
        """Mean error of each subject, worst first."""
        means = {name: float(np.mean(v)) for (by, name), v in self._found.items() if by == "subject"}
        return dict(sorted(means.items(), key=lambda item: -item[1]))

    def interval_deg(self, share: float = 0.95, seed: int = 0) -> tuple[float, float] | None:
        """Bootstrap interval of the mean over images, resampling subjects: images of one are not new.

        One subject has none.
        """
        parts = [v for (by, _), v in self._found.items() if by == "subject"]
        if len(parts) < 2:
            return None
        sums, counts = np.array([sum(p) for p in parts]), np.array([len(p) for p in parts])
        chosen = np.random.default_rng(seed).integers(len(parts), size=(_RESAMPLES, len(parts)))
        means = sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1)
        low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
        return float(low), float(high)


def yaw_deg(rotation: Array) -> float:
    """Angle between the face's direction and the viewer's, in the horizontal plane, 0..180."""
    x, _, z = rotation @ np.array([0, 0, 1.0])
    return float(abs(np.degrees(np.arctan2(x, z))))


def light_angle_deg(view: Any) -> float:
    """Angle between the strongest light and the viewer, 0..180."""
    _, _, z = view["light_direction"][0]
    return float(np.degrees(np.arccos(np.clip(z, -1, 1))))


def _names(edges: tuple[int, ...]) -> list[str]:
    return [f"{a}-{b}" for a, b in itertools.pairwise(edges)]


def _bin(value: float, edges: tuple[int, ...]) -> str:
    index = int(np.clip(np.searchsorted(edges, value, side="right") - 1, 0, len(edges) - 2))
    return _names(edges)[index]
