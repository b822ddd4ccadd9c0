"""Angular error as the paper's tables report it, and over pooled pixels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fnormal.arrays import F64, Bools, Floats
from fnormal.config import ERROR_THRESHOLDS_DEG, FINE_THRESHOLDS_DEG
from fnormal.errors import FNormalError
from fnormal.geometry.normals import angular_error_deg

NO_ANSWER_DEG = 90.0  # what a predicted vector of length 0 costs: it has no direction
_BIN_DEG = 0.01  # resolution of the pooled median
_LIMITS_DEG = (*ERROR_THRESHOLDS_DEG, *FINE_THRESHOLDS_DEG)


@dataclass(frozen=True)
class ErrorSummary:
    """Angular errors of a set, in degrees.

    Attributes:
        images: How many.
        mean_deg: Mean over images of each image's mean error: the tables' first number.
        std_deg: Standard deviation over images of that mean: the tables' second number.
        pooled_mean_deg: Mean over all pixels of the set.
        pooled_median_deg: Median over all pixels, to 0.01 degrees.
        pooled_rmse_deg: Root mean square over all pixels.
        below_pct: Share of all pixels below 20, 25 and 30 degrees, in percent.
        fine_below_pct: The same below 5, 7.5, 11.25 and 22.5 degrees.
    """

    images: int
    mean_deg: float
    std_deg: float
    pooled_mean_deg: float
    pooled_median_deg: float
    pooled_rmse_deg: float
    below_pct: dict[str, float]
    fine_below_pct: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def pixel_errors_deg(pred_normals: Floats, gt_normals: Floats, mask: Bools) -> F64:
    """Angular errors of the masked pixels [K], row by row; a vector of length 0 counts as 90 degrees.

    Raises:
        FNormalError: An empty mask, or predictions that are not finite.
    """
    if not mask.any():
        raise FNormalError("a mask is empty: nothing to compare; check the data set")
    pred = pred_normals[mask]
    if not np.isfinite(pred).all():
        raise FNormalError("predicted normals are not finite; the weights are damaged")
    error = angular_error_deg(pred, gt_normals[mask])
    error[~pred.any(axis=-1)] = NO_ANSWER_DEG
    return error


class ErrorMeter:
    """Collects errors image by image in constant memory."""

    def __init__(self) -> None:
        self._means: list[float] = []
        self._counts = np.zeros(round(180 / _BIN_DEG) + 1, np.int64)
        self._sum = self._squares = 0.0
        self._below = np.zeros(len(_LIMITS_DEG), np.int64)

    def add(self, pred_normals: Floats, gt_normals: Floats, mask: Bools) -> float:
        """Add one image and return its mean error in degrees.

        Args:
            pred_normals: Any length, fnormal's frame. [H, W, 3]
            gt_normals: Unit. [H, W, 3]
            mask: Pixels that count. [H, W]

        Raises:
            FNormalError: An empty mask, or predictions that are not finite.
        """
        return self.add_errors(pixel_errors_deg(pred_normals, gt_normals, mask))

    def add_errors(self, error: F64) -> float:
        """Add one image by the errors of its masked pixels [K], see :func:`pixel_errors_deg`."""
        self._means.append(float(error.mean()))
        bins = np.minimum((error / _BIN_DEG).astype(np.int64), len(self._counts) - 1)
        self._counts += np.bincount(bins, minlength=len(self._counts))
        self._sum += float(error.sum())
        self._squares += float(np.square(error).sum())
        self._below += [int((error < limit).sum()) for limit in _LIMITS_DEG]
        return self._means[-1]

    def summary(self) -> ErrorSummary:
        """What was collected.

        Raises:
            FNormalError: Nothing was.
        """
        pixels = int(self._counts.sum())
        if pixels == 0:
            raise FNormalError("no images to evaluate; the data set is empty")
        means: F64 = np.array(self._means)
        median = (int(np.searchsorted(np.cumsum(self._counts), pixels / 2)) + 0.5) * _BIN_DEG
        below = {
            f"{limit:g}": 100 * int(count) / pixels
            for limit, count in zip(_LIMITS_DEG, self._below, strict=True)
        }
        return ErrorSummary(
            images=len(means),
            mean_deg=float(means.mean()),
            std_deg=float(means.std()),
            pooled_mean_deg=self._sum / pixels,
            pooled_median_deg=median,
            pooled_rmse_deg=float(np.sqrt(self._squares / pixels)),
            below_pct={f"{limit:g}": below[f"{limit:g}"] for limit in ERROR_THRESHOLDS_DEG},
            fine_below_pct={f"{limit:g}": below[f"{limit:g}"] for limit in FINE_THRESHOLDS_DEG},
        )
