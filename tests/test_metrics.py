from __future__ import annotations

import numpy as np
import pytest

from fnormal.errors import FNormalError
from fnormal.evaluation.metrics import ErrorMeter


def tilted(*angles_deg: float) -> np.ndarray:
    """A row of normals tilted from z by given angles. [1, W, 3]"""
    angle = np.radians(angles_deg)
    return np.stack([np.sin(angle), 0 * angle, np.cos(angle)], axis=-1)[None]


def test_hand_worked_case() -> None:
    meter = ErrorMeter()
    every = np.ones((1, 2), bool)
    gt = tilted(0, 0)
    assert meter.add(3 * tilted(10, 22), gt, every) == pytest.approx(16)
    assert meter.add(tilted(26, 90), gt, np.array([[True, False]])) == pytest.approx(26)
    s = meter.summary()
    assert (s.images, s.mean_deg, s.std_deg) == (2, pytest.approx(21), pytest.approx(5))
    assert s.pooled_mean_deg == pytest.approx(58 / 3)
    assert s.pooled_median_deg == pytest.approx(22, abs=0.01)
    assert s.pooled_rmse_deg == pytest.approx(np.sqrt((100 + 484 + 676) / 3))
    assert s.below_pct == {"20": pytest.approx(100 / 3), "25": pytest.approx(200 / 3), "30": 100}
    assert s.fine_below_pct == {
        "5": 0,
        "7.5": 0,
        "11.25": pytest.approx(100 / 3),
        "22.5": pytest.approx(200 / 3),
    }


def test_thresholds_are_strict_and_the_mask_rules() -> None:
    meter = ErrorMeter()
    meter.add(tilted(0, 180), tilted(0, 0), np.array([[True, False]]))
    assert meter.summary().pooled_rmse_deg == pytest.approx(0, abs=1e-6)


def test_no_answer_is_no_perfect_answer() -> None:
    assert ErrorMeter().add(np.zeros((1, 2, 3)), tilted(0, 40), np.ones((1, 2), bool)) == 90


def test_bad_input_is_refused() -> None:
    with pytest.raises(FNormalError, match="empty"):
        ErrorMeter().add(tilted(0), tilted(0), np.zeros((1, 1), bool))
    with pytest.raises(FNormalError, match="finite"):
        ErrorMeter().add(tilted(float("nan")), tilted(0), np.ones((1, 1), bool))
    with pytest.raises(FNormalError, match="no images"):
        ErrorMeter().summary()
