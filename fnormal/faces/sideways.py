"""Profiles in a picture, of which BlazeFace is hardly sure or has no idea, by their own network."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F32, U8
from fnormal.faces import blazeface
from fnormal.faces.blazeface import FULL_RANGE, SHORT_RANGE, Candidate, is_new, without_doubles
from fnormal.faces.detect import FaceBox, is_inside
from fnormal.faces.headpose import yaw_of, yaw_of_six
from fnormal.faces.looks import in_parts
from fnormal.faces.profile import (
    FAR_TURNED_DEG,
    PROFILE_SURE,
    PROFILE_TRUST,
    is_profile,
    likely_frames,
    profile_near,
    profile_points,
)

_OTHER_STARTS = ((0.1, 1.15), (-0.1, 0.9))  # shift and scale, of its own frame, where a face is seen again
_BESIDE_OTHERS = (0.0, 0.95)  # one more where faces are known: a collar beside a face passed the two
_PROFILE_SCORE = 0.2  # of BlazeFace, of a profile
_PROFILE_DEG = 35.0  # of the pose of BlazeFace's points
_TURNED_DEG = 25.0  # of that pose, where profiles' points are looked for
_PROFILE_SIZE = 1.08  # larger side of a profile's points' box / side of BlazeFace's


def profiles_beside(picture: U8, known: list[FaceBox]) -> list[FaceBox]:
    """Profiles of which BlazeFace is hardly sure and their own network is; none of what is known."""
    candidates = [
        *blazeface.detect(picture, SHORT_RANGE, _PROFILE_SCORE),
        *blazeface.detect(picture, FULL_RANGE, _PROFILE_SCORE),
        *in_parts(picture, 0.5, 0.25, _PROFILE_SCORE),
    ]
    faces: list[FaceBox] = []
    for candidate in without_doubles(candidates):
        points = profile_of(picture, candidate) if is_new(candidate.box, [*known, *faces]) else None
        if points is not None and _seen_again(picture, points, beside=bool(known)):
            faces.append(FaceBox.around(points, candidate.score * PROFILE_TRUST))
    return faces


def unforeseen_profiles(picture: U8) -> list[FaceBox]:
    """Profiles of which BlazeFace has no idea at all."""
    faces: list[FaceBox] = []
    for middle, size in likely_frames(picture):
        points = _believed(*profile_points(picture, middle, size, 0.0))
        if points is not None and _seen_again(picture, points):
            face = FaceBox.around(points, _PROFILE_SCORE * PROFILE_TRUST)
            faces += [face] if is_new(face.box, faces) else []
    return faces


def may_be_profile(candidate: Candidate) -> bool:
    """Whether BlazeFace's six points of a candidate are those of a head that is turned far."""
    return abs(yaw_of_six(candidate.points)) > _PROFILE_DEG


def profile_of(picture: U8, candidate: Candidate) -> F32 | None:
    """The points of the profile that a candidate is, if it is one. [68, 2]"""
    return _believed(*_profile_points(picture, candidate))


def unless_turned(picture: U8, candidate: Candidate, points: F32) -> F32:
    """FaceMesh's points, or those of the profile that a candidate is."""
    if abs(yaw_of_six(candidate.points)) <= _TURNED_DEG:
        return points
    turned, _ = _profile_points(picture, candidate)
    return turned if abs(yaw_of(turned)) > FAR_TURNED_DEG else points


def _believed(points: F32, sure: float) -> F32 | None:
    """The points [68, 2] of what its own network is sure to be a profile."""
    return points if is_profile(points, sure) else None


def _seen_again(picture: U8, points: F32, *, beside: bool = False) -> bool:
    """Whether a profile is in the picture, and its network as sure of it in frames that begin otherwise."""
    starts = (*_OTHER_STARTS, _BESIDE_OTHERS) if beside else _OTHER_STARTS
    return is_inside(points, picture) and all(
        profile_near(picture, points, shift=shift, scale=scale)[1] >= PROFILE_SURE for shift, scale in starts
    )


def _profile_points(picture: U8, candidate: Candidate) -> tuple[F32, float]:
    low, high = np.array(candidate.box[:2]), np.array(candidate.box[2:])
    return profile_points(picture, (low + high) / 2, _PROFILE_SIZE * candidate.width_px, candidate.level_deg)
