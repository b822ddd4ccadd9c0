"""The 68 landmarks of a mesh of any tool, in any frame: found on renders of it from all sides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from fnormal.arrays import F32, F64, U8
from fnormal.enhancement.align import LEAST_NOSE, nose_height
from fnormal.enhancement.winding import wound_outward
from fnormal.errors import FNormalError
from fnormal.faces import blazeface
from fnormal.faces.blazeface import FULL_RANGE, SHORT_RANGE
from fnormal.faces.facemesh import landmarks_68
from fnormal.faces.headpose import mean_points
from fnormal.faces.ladder import find_all_faces
from fnormal.geometry.mesh import Mesh, vertex_normals
from fnormal.render.camera import frame_face, rotation_about
from fnormal.render.drawing import Render, Renderer
from fnormal.render.landmarks import lifted
from fnormal.render.lighting import headlight

_LOOK_PX, _CLOSE_PX = 256, 480
_SIDES: tuple[tuple[tuple[int, int, int], float], ...] = (
    ((0, 1, 0), 0), ((0, 1, 0), 180), ((0, 1, 0), 90), ((0, 1, 0), -90), ((1, 0, 0), 90), ((1, 0, 0), -90),
)  # fmt: skip
_YAWS_DEG = (0.0, 40.0, -40.0)
_SURE = 0.8  # score of FaceMesh at which no other side is looked at
_LEAST = 0.4  # below which none is believed
_CLOSE = 1.9  # side of the close view / larger side of the points' box
_UNLIKE = 0.35  # of the spread of the points; laughing and shouting heads stay below half of it


def find_points(renderer: Renderer, mesh: Mesh, name: str) -> F32:
    """The 68 points of a mesh, in its own frame. [68, 3]

    The mesh is wound outward and drawn from six sides, each the right way up, on its head and lying, then
    from sides turned in between. The face that is found is drawn again from its front, and looked at closely.

    Raises:
        FNormalError: No face is seen from anywhere.
    """
    middle = mesh.vertices.mean(axis=0)
    size = float(np.ptp(mesh.vertices, axis=0).max())
    vertices = (mesh.vertices - middle) / size
    faces = wound_outward(mesh.faces, vertices)
    unitary = replace(mesh, vertices=vertices, faces=faces, normals=vertex_normals(vertices, faces))
    for painted in (True, False):
        if not painted and mesh.colors is None and mesh.texture is None:
            break  # it was clay already
        renderer.load(unitary if painted else replace(unitary, colors=None, texture=None))
        points = _from_all_sides(renderer, unitary)
        if points is not None:
            return np.asarray(points * size + middle, np.float32)
    raise FNormalError(
        f"no face is seen on {name} from any side; give the mesh of a face, or one with the vertices of"
        " PRNet, 3DDFA, ICT-FaceKit or FaceMesh"
    )


def _from_all_sides(renderer: Renderer, mesh: Mesh) -> F32 | None:
    best: tuple[float, F32] | None = None
    for number, rotation in enumerate(_views()):
        if number % len(_SIDES) == 0 and best is not None and best[0] > _SURE:
            break  # every side of one turn was looked at
        camera = frame_face(mesh.vertices, rotation, _LOOK_PX, 1.1)
        drawn = renderer.render(camera, headlight())
        for score, pixels in _seen(_over_grey(drawn)):
            points = lifted(camera, drawn, pixels)
            if nose_height((points @ rotation.T).astype(np.float64)) < LEAST_NOSE:
                continue  # the hollow inside of a face looks like a face
            if best is None or score > best[0]:
                best = score, points
    return None if best is None else _closely(renderer, best[1])


def _views() -> Iterator[F32]:
    """Rotations: six sides, then the same turned to the left and to the right."""
    for yaw_deg in _YAWS_DEG:
        yaw = rotation_about(np.array([0.0, 1, 0]), np.radians(yaw_deg))
        for axis, angle_deg in _SIDES:
            yield yaw @ rotation_about(np.array(axis, np.float64), np.radians(angle_deg))


def _seen(picture: U8) -> Iterator[tuple[float, F32]]:
    """Faces of a square picture in its four turns: FaceMesh's probability and the 68 points."""
    last = picture.shape[0] - 1
    for quarter in range(4):
        turned = np.ascontiguousarray(np.rot90(picture, quarter))
        found = [c for model in (SHORT_RANGE, FULL_RANGE) for c in blazeface.detect(turned, model)[:1]]
        for candidate in found[:1]:
            points, score = landmarks_68(turned, candidate.eyes, candidate.mouth, candidate.box)
            if score < _LEAST:
                continue
            for _ in range(quarter):  # rot90 sends (x, y) to (y, last - x)
                points = np.stack([last - points[:, 1], points[:, 0]], axis=1)
            yield score, np.asarray(points, np.float32)


def _closely(renderer: Renderer, points: F32) -> F32:
    """Points found again on close views from the front of the face that the points show."""
    for _ in range(2):
        rotation = _frontal(points.astype(np.float64))
        camera = frame_face(points, rotation, _CLOSE_PX, _CLOSE)
        drawn = renderer.render(camera, headlight())
        faces = find_all_faces(_over_grey(drawn))
        if not faces:
            break
        again = lifted(camera, drawn, faces[0].landmarks)
        size = float(np.ptp(points, axis=0).max())
        if np.linalg.norm(again - points, axis=1).mean() > 0.25 * size:
            break  # another thing than the face that was seen before
        points = again
    return points


def _frontal(points: F64) -> F32:
    """The rotation that turns points [68, 3] to the viewer: nearest to a mean head's points. [3, 3]"""
    given, head = _centred(points), _centred(mean_points())
    u, _, vt = np.linalg.svd(head.T @ given)
    turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    return np.asarray(turn, np.float32)


def is_a_face(points: F32) -> bool:
    """Whether vertices of a known number [68, 3] are where a face has its landmarks, mirrored or not."""
    given, head = _centred(points.astype(np.float64)), _centred(mean_points())
    alike = np.linalg.svd(head.T @ given, compute_uv=False).sum()
    unlike = 1 - alike**2 / max(float((given**2).sum() * (head**2).sum()), 1e-30)
    return float(np.sqrt(max(unlike, 0.0))) < _UNLIKE


def _centred(points: F64) -> F64:
    return np.asarray(points - points.mean(axis=0))


def _over_grey(drawn: Render) -> U8:
    return drawn.over(np.full_like(drawn.image, 110))
