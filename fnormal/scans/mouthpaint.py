"""What is inside a mouth: which vertices of a head nobody sees while it is closed, and their colours."""

from __future__ import annotations

import cv2
import numpy as np

from fnormal.arrays import F32, Array

TEETH_RGB, GUMS_RGB = (0.85, 0.82, 0.72), (0.62, 0.32, 0.32)  # sRGB
_VIEWS = 80  # directions over the sphere, without those from behind, or into the neck, which is cut open
_BACKMOST, _LOWEST = -0.3, -0.6
_CELL_CM, _HIDDEN_CM = 0.4, 0.6  # vertices lie closer than a cell; lips are thicker than 0.6 cm
_REACH_CM, _ASIDE_CM, _HEIGHT_CM = 10.0, 4.0, 3.7  # how far from the middle of the lips a mouth goes


def inside_mouth(neutral: F32, points: F32, unit_per_cm: float) -> Array:
    """Vertices of a head with a closed mouth that are hidden behind the lips from everywhere. [V]

    Args:
        neutral: Upright, in the full frame. [V, 3]
        points: Its 68 points. [68, 3]
        unit_per_cm: Mesh units in a centimetre.
    """
    from_lips = (neutral - points[60:68].mean(axis=0)) / np.float32(unit_per_cm)
    hidden: Array = np.linalg.norm(from_lips, axis=1) < _REACH_CM
    hidden &= (np.abs(from_lips[:, :2]) < (_ASIDE_CM, _HEIGHT_CM)).all(axis=1) & (from_lips[:, 2] < 0)
    for toward in _directions():
        hidden &= ~_seen_from(from_lips, toward)
    return hidden


def _directions() -> Array:
    """Directions spread evenly over the front of the sphere (a Fibonacci spiral). [D, 3]"""
    step = np.arange(_VIEWS) + 0.5
    down, around = np.arccos(1 - 2 * step / _VIEWS), np.pi * (1 + np.sqrt(5)) * step
    whole = np.stack([np.cos(around) * np.sin(down), np.sin(around) * np.sin(down), np.cos(down)], axis=1)
    return np.asarray(whole[(whole[:, 2] > _BACKMOST) & (whole[:, 1] > _LOWEST)])


def _seen_from(points_cm: F32, toward: Array) -> Array:
    """Which points have none more than `_HIDDEN_CM` before them. [V]"""
    aside = np.cross(toward, [0, 1, 0.01])
    aside /= np.linalg.norm(aside)
    cells = np.floor(points_cm @ np.stack([aside, np.cross(aside, toward)], axis=1) / _CELL_CM).astype(int)
    cells -= cells.min(axis=0)
    near = (points_cm @ toward).astype(np.float32)
    first = np.full(cells.max(axis=0) + 1, near.min(), np.float32)
    np.maximum.at(first, tuple(cells.T), near)
    first = cv2.dilate(first, np.ones((3, 3)))
    return np.asarray(near > first[tuple(cells.T)] - _HIDDEN_CM)
