"""A mean head in the pose of BlazeFace's six points, or of 68: how far a face is turned."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import numpy as np

from fnormal.arrays import F32, F64
from fnormal.faces.detect import eyes_of
from fnormal.geometry.pose import weak_perspective

_EAR_WEIGHT = 0.5  # BlazeFace guesses the hidden one


@lru_cache(maxsize=1)
def mean_points() -> F64:
    """The 68 points of ICT-FaceKit's neutral head (MIT), cm, x right, y up, z to the viewer. [68, 3]"""
    table = resources.files("fnormal") / "data" / "mean_points_68.npy"
    with table.open("rb") as handle:
        return np.asarray(np.load(handle, allow_pickle=False), np.float64)


def yaw_of_six(six: F32) -> float:
    """How far a head is turned, as :func:`yaw_of`, by BlazeFace's six points in pixels, y down.

    Args:
        six: Right eye, left eye, nose, mouth, right ear, left ear of the subject. [6, 2]
    """
    head = mean_points()
    ears = head[[0, 16]] - (0, 0.3, 0)
    known = np.stack([*eyes_of(head), head[30], head[48:].mean(axis=0), *ears])
    weight = np.array([1, 1, 1, 1, _EAR_WEIGHT, _EAR_WEIGHT])
    turn, _, _ = weak_perspective(known, six.astype(np.float64) * (1, -1), weight)
    return _yaw_deg(turn)


def yaw_of(points: F32) -> float:
    """How far a head is turned about its own axis, in degrees, by its 68 points in pixels, y down. [68, 2]"""
    turn, _, _ = weak_perspective(mean_points(), points.astype(np.float64) * (1, -1), np.ones(len(points)))
    return _yaw_deg(turn)


def _yaw_deg(turn: F64) -> float:
    """By where the viewer is for the head, which a turn in the picture's plane does not change."""
    return float(np.degrees(np.arctan2(-turn[2, 0], turn[2, 2])))
