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

from fnormal.arrays import U8
from fnormal.errors import FNormalError
from fnormal.faces import blazeface, facemesh
from fnormal.faces.blazeface import (
    FULL_RANGE,
    SAME_FACE,
    SHORT_RANGE,
    Candidate,
    is_new,
    overlap,
    without_doubles,
)
from fnormal.faces.crop import square_matrix
from fnormal.faces.detect import (
    FaceBox,
    detect_faces,
    has_landmark_model,
    is_inside,
    order_faces,
    roll_deg,
)
from fnormal.faces.facemesh import landmarks_68
from fnormal.faces.looks import from_afar, in_parts, in_turns, shadows_lifted
from fnormal.faces.profile import PROFILE_TRUST
from fnormal.faces.sideways import (
    may_be_profile,
    profile_of,
    profiles_beside,
    unforeseen_profiles,
    unless_turned,
)

_ROUND_DEG = (0.0, 60.0, 120.0, 180.0, -120.0, -60.0)
_UPRIGHT_DEG = 30.0
_AROUND = 2.0  # side of what is looked at again / side of the box
# of BlazeFace, its eyes and FaceMesh, for a face that needs no other look. Of 141 portraits all pass; turned
# by 45 degrees and more none does, and upside down BlazeFace gave 0.83 at most
_SURE_SCORE, _SURE_TURN_DEG, _SURE_MESH = 0.85, 25.0, 0.95
_HOG_TURN_DEG = 25.0  # up to this turn dlib is believed,
_HOG_SURE, _LOOK_SURE = 0.4, 0.6  # from these scores of its own and of BlazeFace's at the same place,
_HOG_LEAST = 0.2  # and from this one alone: 99 % of 536 portraits score above, patches taken for faces 0.04
_HOG_HALF, _HOG_STEEP = 0.325, 3.25  # dlib's score in BlazeFace's terms: 0.2 becomes 0.4, 1 becomes 0.9
_SHADOW_SCORE = 0.75  # where no face has this score, what lies in shadow is looked at in more light
_LEAST_MESH_SCORE = 0.3  # probability of FaceMesh's own, below which a candidate is no face
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
    faces += _meshed_all(picture, _from_near_and_afar(picture, whole), faces)
    sure = [face for face in faces if landmark_model or face.score >= _SHADOW_SCORE]
    if every or not sure:
        light = shadows_lifted(picture)
        lit = _meshed_all(light, _from_near_and_afar(light), sure)
        faces = without_doubles([*faces, *lit], SAME_FACE)
    if dlib_is_there and not landmark_model and costly and (every or not faces):
        faces += _by_dlib(picture, None, faces)
    for look in _COSTLY_LOOKS if costly else ():
        if every or not faces:
            faces += _meshed_all(picture, look(picture), faces)
    if costly and (every or not faces):
        faces += profiles_beside(picture, faces)
    if costly and not faces:
        faces += unforeseen_profiles(picture)
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
        if candidate.score >= _SURE_SCORE and abs(candidate.level_deg) < _SURE_TURN_DEG:
            points, score = landmarks_68(picture, candidate.eyes, candidate.mouth)
            if score >= _SURE_MESH:
                points = unless_turned(picture, candidate, points)
                faces.append(FaceBox.around(points, candidate.score * score))
    return faces


def _none_wider(candidates: list[Candidate], faces: list[FaceBox]) -> bool:
    """Whether no candidate is larger than all ``faces``: the first face could be that one."""
    largest = max(faces, key=lambda face: face.box[2] - face.box[0])
    return all(
        c.width_px <= 1.3 * (largest.box[2] - largest.box[0]) or overlap(c.box, largest.box) > SAME_FACE
        for c in candidates
    )


def _from_near_and_afar(picture: U8, near: list[Candidate] | None = None) -> list[Candidate]:
    """What BlazeFace's networks find in a picture, one of which may have looked at it."""
    near = blazeface.detect(picture, SHORT_RANGE) if near is None else near
    return without_doubles([*near, *from_afar(picture), *blazeface.detect(picture, FULL_RANGE)])


def _meshed_all(picture: U8, candidates: list[Candidate], known: list[FaceBox]) -> list[FaceBox]:
    """The candidates that are faces, and none of those that are known."""
    faces: list[FaceBox] = []
    for candidate in candidates:
        if is_new(candidate.box, [*known, *faces]):
            upright = _upright(picture, candidate.box)
            if upright is None or (may_be_profile(candidate) and upright.score < _FRONTAL_SCORE):
                upright = (
                    candidate  # a profile is a poor candidate at any turn, and no turn is to be believed
                )
            face = _meshed(picture, upright)
            faces += [] if face is None else [face]
    return faces


def _by_dlib(picture: U8, landmark_model: Path | None, known: list[FaceBox]) -> list[FaceBox]:
    """What dlib finds and a closer look confirms, and none of what is known."""
    found = [face for face in detect_faces(picture, landmark_model) if is_new(face.box, known)]
    checked = [_checked(picture, face) for face in found]
    return [face for face in checked if face is not None]


def _in_blazefaces_terms(face: FaceBox) -> FaceBox:
    """A face with dlib's score, which has no upper end, as a share of 1."""
    return replace(face, score=float(1 / (1 + np.exp(-_HOG_STEEP * (face.score - _HOG_HALF)))))


_COSTLY_LOOKS: tuple[Callable[[U8], list[Candidate]], ...] = (
    in_turns,
    partial(in_parts, share=0.5, step=0.25),
    partial(in_parts, share=0.25, step=0.15),
)


def _checked(picture: U8, face: FaceBox) -> FaceBox | None:
    """What dlib found, unless it is turned: HOG fires on a face at 45 degrees and takes it for upright."""
    if face.score > _HOG_SURE:  # poorer ones may well be upside down
        there = _looked_at(picture, face.box, (0.0,))
        if there is not None and abs(there.level_deg) < _HOG_TURN_DEG and there.score > _LOOK_SURE:
            return _in_blazefaces_terms(face)
    better = _upright(picture, face.box)
    if better is not None and abs(better.level_deg) > _HOG_TURN_DEG:
        return _meshed(picture, better)
    return _in_blazefaces_terms(face) if better is not None or face.score >= _HOG_LEAST else None


def _upright(picture: U8, box: tuple[float, ...]) -> Candidate | None:
    """What is at a box, seen the right way up: a face on its head is taken for one, but for a poorer one."""
    found = _looked_at(picture, box, _ROUND_DEG)
    if found is None:
        return None
    return _looked_at(picture, box, (found.level_deg,)) or found  # once more, quite level


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
            if (best is None or moved.score > best.score) and overlap(moved.box, box) > SAME_FACE:
                best = moved
    return best


def _meshed(picture: U8, candidate: Candidate) -> FaceBox | None:
    """The candidate with its 68 points, or None where FaceMesh sees no face."""
    points, score = landmarks_68(picture, candidate.eyes, candidate.mouth, candidate.box)
    profile = profile_of(picture, candidate) if score < PROFILE_TRUST else None  # FaceMesh knows none
    # what is no face is mostly not seen again
    if profile is not None and _looked_at(picture, candidate.box, (0.0,)) is not None:
        points, score = profile, PROFILE_TRUST
    else:
        points = unless_turned(picture, candidate, points)
    if score < _LEAST_MESH_SCORE or not is_inside(points, picture):
        return None
    return FaceBox.around(points, candidate.score * score)
