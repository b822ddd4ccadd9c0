"""Faces of any picture: BlazeFace, dlib's HOG, BlazeFace on turns and parts, profiles; 68 points for each.

Each rung is tried where the ones before found nothing (or, when all faces are wanted, adds what they missed).
BlazeFace and FaceMesh come first: on rendered heads their points are as near the truth as dlib's or nearer,
they find twice as many, and dlib's models, which take a second to load, mostly stay closed. Everything works
without dlib's landmark model, whose training data restrict some users.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from fnormal.arrays import F32, U8
from fnormal.errors import FNormalError
from fnormal.faces import blazeface, facemesh
from fnormal.faces.blazeface import FULL_RANGE, SHORT_RANGE, Candidate, overlap, without_doubles
from fnormal.faces.crop import square_matrix
from fnormal.faces.detect import FaceBox, detect_faces, has_landmark_model, order_faces, roll_deg
from fnormal.faces.facemesh import landmarks_68
from fnormal.faces.headpose import yaw_of, yaw_of_six
from fnormal.faces.looks import from_afar, in_parts, in_turns
from fnormal.faces.profile import (
    FAR_TURNED_DEG,
    PROFILE_SURE,
    PROFILE_TRUST,
    is_profile,
    likely_frames,
    profile_near,
    profile_points,
)

_ROUND_DEG = (0.0, 60.0, 120.0, 180.0, -120.0, -60.0)
_UPRIGHT_DEG = 30.0
_FLAT = 0.35  # distance of the eyes / distance to the mouth, of a profile
_SAME_FACE = 0.4
_AROUND = 2.0  # side of what is looked at again / side of the box
# of BlazeFace, its eyes and FaceMesh, for a face that needs no other look. Of 141 portraits all pass; turned
# by 45 degrees and more none does, and upside down BlazeFace gave 0.83 at most
_SURE_SCORE, _SURE_TURN_DEG, _SURE_MESH = 0.85, 25.0, 0.95
_HOG_TURN_DEG = 25.0  # up to this turn dlib is believed,
_HOG_SURE, _LOOK_SURE = 0.4, 0.6  # from these scores of its own and of BlazeFace's at the same place,
_HOG_LEAST = 0.2  # and from this one alone: 99 % of 536 portraits score above, patches taken for faces 0.04
_HOG_HALF, _HOG_STEEP = 0.325, 3.25  # dlib's score in BlazeFace's terms: 0.2 becomes 0.4, 1 becomes 0.9
_LEAST_MESH_SCORE = 0.3  # probability of FaceMesh's own, below which a candidate is no face
_PROFILE_SCORE = 0.2  # of BlazeFace, of a profile
_OTHER_STARTS = ((0.1, 1.15), (-0.1, 0.9))  # shift and scale, of its own frame, where a face is seen again
_BESIDE_OTHERS = (0.0, 0.95)  # one more where faces are known: a collar beside a face passed the two
_PROFILE_DEG = 35.0  # of the pose of BlazeFace's points
_TURNED_DEG = 25.0  # of that pose, where profiles' points are looked for
_PROFILE_SIZE = 1.08  # larger side of a profile's points' box / side of BlazeFace's
_FRONTAL_SCORE = 0.84  # of BlazeFace: what is not a profile reaches it at the right turn


def find_all_faces(
    picture: U8, landmark_model: Path | None = None, *, every: bool = False, costly: bool = True
) -> list[FaceBox]:
    """Faces of an RGB picture [H, W, 3], see :func:`fnormal.faces.detect.order_faces`.

    Args:
        picture: Any turn, faces from 16 pixels to the whole picture, profiles too.
        landmark_model: dlib's 68-point model, whose points then are taken; by default searched for, and not
            needed.
        every: Look on where some faces were found already.
        costly: Look at turns and parts of the picture too, and by dlib.

    Raises:
        FNormalError: Neither dlib's model nor BlazeFace is installed.
    """
    dlib_is_there = has_landmark_model(landmark_model)
    if not blazeface.is_installed():
        return [_in_blazefaces_terms(face) for face in detect_faces(picture, landmark_model)]
    whole = blazeface.detect(picture, SHORT_RANGE)
    faces = _by_dlib(picture, landmark_model, []) if landmark_model else _sure_faces(picture, whole)
    if faces and not every and (landmark_model or _none_wider(whole, faces)):
        return order_faces(faces)
    whole = without_doubles([*whole, *from_afar(picture), *blazeface.detect(picture, FULL_RANGE)])
    faces += _meshed_all(picture, whole, faces)
    if dlib_is_there and not landmark_model and costly and (every or not faces):
        faces += _by_dlib(picture, None, faces)
    for look in _COSTLY_LOOKS if costly else ():
        if every or not faces:
            faces += _meshed_all(picture, look(picture), faces)
    if costly and (every or not faces):
        faces += _profiles(picture, faces)
    if costly and not faces:
        faces += _unforeseen_profiles(picture)
    return order_faces(faces)


def prepare_detection() -> None:
    """Open ahead the networks that nearly every picture takes; what is missing is said where it is needed."""
    with suppress(FNormalError, ImportError):
        blazeface.open_network(SHORT_RANGE)
        facemesh.open_network()


def find_upright_faces(picture: U8) -> list[FaceBox]:
    """Faces that crops without a turn can hold, see :func:`find_all_faces`; a head on its side is none."""
    return [face for face in find_all_faces(picture) if abs(roll_deg(face.landmarks)) <= _UPRIGHT_DEG]


def _sure_faces(picture: U8, candidates: list[Candidate]) -> list[FaceBox]:
    """Upright faces that BlazeFace and FaceMesh both are sure of."""
    faces = []
    for candidate in candidates:
        if candidate.score >= _SURE_SCORE and abs(_level_deg(candidate)) < _SURE_TURN_DEG:
            points, score = landmarks_68(picture, candidate.eyes, candidate.mouth)
            if score >= _SURE_MESH:
                points = _unless_turned(picture, candidate, points)
                faces.append(FaceBox.around(points, candidate.score * score))
    return faces


def _none_wider(candidates: list[Candidate], faces: list[FaceBox]) -> bool:
    """Whether no candidate is larger than all ``faces``: the first face could be that one."""
    largest = max(faces, key=lambda face: face.box[2] - face.box[0])
    return all(
        c.width_px <= 1.3 * (largest.box[2] - largest.box[0]) or overlap(c.box, largest.box) > _SAME_FACE
        for c in candidates
    )


def _meshed_all(picture: U8, candidates: list[Candidate], known: list[FaceBox]) -> list[FaceBox]:
    """The candidates that are faces, and none of those that are known."""
    faces: list[FaceBox] = []
    for candidate in candidates:
        if _is_new(candidate.box, [*known, *faces]):
            upright = _upright(picture, candidate.box)
            if upright is None or (_is_profile(candidate) and upright.score < _FRONTAL_SCORE):
                upright = (
                    candidate  # a profile is a poor candidate at any turn, and no turn is to be believed
                )
            face = _meshed(picture, upright)
            faces += [] if face is None else [face]
    return faces


def _by_dlib(picture: U8, landmark_model: Path | None, known: list[FaceBox]) -> list[FaceBox]:
    """What dlib finds and a closer look confirms, and none of what is known."""
    found = [face for face in detect_faces(picture, landmark_model) if _is_new(face.box, known)]
    checked = [_checked(picture, face) for face in found]
    return [face for face in checked if face is not None]


def _in_blazefaces_terms(face: FaceBox) -> FaceBox:
    """A face with dlib's score, which has no upper end, as a share of 1."""
    return replace(face, score=float(1 / (1 + np.exp(-_HOG_STEEP * (face.score - _HOG_HALF)))))


def _is_new(box: tuple[float, ...], known: list[FaceBox]) -> bool:
    return all(overlap(box, face.box) < _SAME_FACE for face in known)


_COSTLY_LOOKS: tuple[Callable[[U8], list[Candidate]], ...] = (
    in_turns,
    partial(in_parts, share=0.5, step=0.25),
    partial(in_parts, share=0.25, step=0.15),
)


def _checked(picture: U8, face: FaceBox) -> FaceBox | None:
    """What dlib found, unless it is turned: HOG fires on a face at 45 degrees and takes it for upright."""
    if face.score > _HOG_SURE:  # poorer ones may well be upside down
        there = _looked_at(picture, face.box, (0.0,))
        if there is not None and abs(_level_deg(there)) < _HOG_TURN_DEG and there.score > _LOOK_SURE:
            return _in_blazefaces_terms(face)
    better = _upright(picture, face.box)
    if better is not None and abs(_level_deg(better)) > _HOG_TURN_DEG:
        return _meshed(picture, better)
    return _in_blazefaces_terms(face) if better is not None or face.score >= _HOG_LEAST else None


def _level_deg(candidate: Candidate) -> float:
    """How far a candidate is turned in the picture's plane, clockwise on the screen."""
    across = candidate.eyes[1] - candidate.eyes[0]
    down = candidate.mouth - candidate.eyes.mean(axis=0)
    if np.linalg.norm(across) < _FLAT * np.linalg.norm(down):  # a profile, whose eyes lie on one spot
        return float(np.degrees(np.arctan2(-down[0], down[1])))
    return float(np.degrees(np.arctan2(across[1], across[0])))


def _upright(picture: U8, box: tuple[float, ...]) -> Candidate | None:
    """What is at a box, seen the right way up: a face on its head is taken for one, but for a poorer one."""
    found = _looked_at(picture, box, _ROUND_DEG)
    if found is None:
        return None
    return _looked_at(picture, box, (_level_deg(found),)) or found  # once more, quite level


def _looked_at(picture: U8, box: tuple[float, ...], turns_deg: Sequence[float]) -> Candidate | None:
    """The surest candidate at a box in a few turns of what is around it."""
    import cv2

    low, high = np.array(box[:2]), np.array(box[2:])
    middle, side = (low + high) / 2, _AROUND * float((high - low).max())
    best: Candidate | None = None
    for turn_deg in turns_deg:
        back = square_matrix(middle, side, turn_deg, SHORT_RANGE.side_px)
        size = (SHORT_RANGE.side_px, SHORT_RANGE.side_px)
        part = cv2.warpAffine(picture, back, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        for found in blazeface.detect(part, SHORT_RANGE)[:1]:
            moved = found.moved(back)
            if (best is None or moved.score > best.score) and overlap(moved.box, box) > _SAME_FACE:
                best = moved
    return best


def _profiles(picture: U8, known: list[FaceBox]) -> list[FaceBox]:
    """Profiles of which BlazeFace is hardly sure and their own network is; none of what is known."""
    candidates = [
        *blazeface.detect(picture, SHORT_RANGE, _PROFILE_SCORE),
        *blazeface.detect(picture, FULL_RANGE, _PROFILE_SCORE),
        *in_parts(picture, 0.5, 0.25, _PROFILE_SCORE),
    ]
    faces: list[FaceBox] = []
    for candidate in without_doubles(candidates):
        points = _profile_of(picture, candidate) if _is_new(candidate.box, [*known, *faces]) else None
        if points is not None and _seen_again(picture, points, beside=bool(known)):
            faces.append(FaceBox.around(points, candidate.score * PROFILE_TRUST))
    return faces


def _unforeseen_profiles(picture: U8) -> list[FaceBox]:
    """Profiles of which BlazeFace has no idea at all."""
    faces: list[FaceBox] = []
    for middle, size in likely_frames(picture):
        points = _believed(*profile_points(picture, middle, size, 0.0))
        if points is not None and _seen_again(picture, points):
            face = FaceBox.around(points, _PROFILE_SCORE * PROFILE_TRUST)
            faces += [face] if _is_new(face.box, faces) else []
    return faces


def _is_profile(candidate: Candidate) -> bool:
    return abs(yaw_of_six(candidate.points)) > _PROFILE_DEG


def _profile_of(picture: U8, candidate: Candidate) -> F32 | None:
    """The points of the profile that a candidate is, if it is one. [68, 2]"""
    return _believed(*_profile_points(picture, candidate))


def _believed(points: F32, sure: float) -> F32 | None:
    """The points [68, 2] of what its own network is sure to be a profile."""
    return points if is_profile(points, sure) else None


def _seen_again(picture: U8, points: F32, *, beside: bool = False) -> bool:
    """Whether a profile is in the picture, and its network as sure of it in frames that begin otherwise."""
    starts = (*_OTHER_STARTS, _BESIDE_OTHERS) if beside else _OTHER_STARTS
    return _is_inside(points, picture) and all(
        profile_near(picture, points, shift=shift, scale=scale)[1] >= PROFILE_SURE for shift, scale in starts
    )


def _profile_points(picture: U8, candidate: Candidate) -> tuple[F32, float]:
    low, high = np.array(candidate.box[:2]), np.array(candidate.box[2:])
    return profile_points(
        picture, (low + high) / 2, _PROFILE_SIZE * candidate.width_px, _level_deg(candidate)
    )


def _unless_turned(picture: U8, candidate: Candidate, points: F32) -> F32:
    """FaceMesh's points, or those of the profile that a candidate is."""
    if abs(yaw_of_six(candidate.points)) <= _TURNED_DEG:
        return points
    turned, _ = _profile_points(picture, candidate)
    return turned if abs(yaw_of(turned)) > FAR_TURNED_DEG else points


def _meshed(picture: U8, candidate: Candidate) -> FaceBox | None:
    """The candidate with its 68 points, or None where FaceMesh sees no face."""
    points, score = landmarks_68(picture, candidate.eyes, candidate.mouth, candidate.box)
    profile = _profile_of(picture, candidate) if score < PROFILE_TRUST else None  # FaceMesh knows none
    # what is no face is mostly not seen again
    if profile is not None and _looked_at(picture, candidate.box, (0.0,)) is not None:
        points, score = profile, PROFILE_TRUST
    else:
        points = _unless_turned(picture, candidate, points)
    if score < _LEAST_MESH_SCORE or not _is_inside(points, picture):
        return None
    return FaceBox.around(points, candidate.score * score)


def _is_inside(points: F32, picture: U8) -> bool:
    """Whether most points [68, 2] lie in the picture, and not all in one pixel."""
    height, width = picture.shape[:2]
    inside = ((points > -1) & (points < (width, height))).all(axis=1).mean()
    return bool(inside >= 0.5 and np.ptp(points, axis=0).min() >= 1)
