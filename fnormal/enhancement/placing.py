"""A mesh file and the faces of a photo -> the coarse mesh of each face, where it lies over the photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fnormal.arrays import F32, U8
from fnormal.config import EYE_DISTANCE_MM
from fnormal.enhancement.align import DOUBTFUL_RESIDUAL, Alignment
from fnormal.enhancement.coarse import Coarse, aligned_coarse, default_coarse
from fnormal.enhancement.heads import split_heads
from fnormal.enhancement.match import MeshPoints, Pair, match
from fnormal.enhancement.meshpoints import find_points, is_a_face
from fnormal.enhancement.register import register
from fnormal.enhancement.topology import landmark_vertices
from fnormal.enhancement.winding import wound_outward
from fnormal.errors import FNormalError
from fnormal.faces.detect import FaceBox, eyes_of
from fnormal.faces.facemesh import AS_68
from fnormal.geometry.mesh import Mesh
from fnormal.prediction.face_normals import FaceNormals
from fnormal.render.drawing import Renderer

_OTHER_MOUTH = 0.2  # difference in distances of the eyes; landmarks alone differ by half of it


@dataclass(frozen=True)
class Placed:
    """The coarse mesh of one face.

    Attributes:
        face: The face of the photo.
        number: Which of the photo's faces it is, from 1.
        coarse: In the photo's pixel frame.
        points: The mesh's 68 landmarks there. [68, 3]
        px_per_mm: Of the photo, by the distance of the mesh's eyes.
        agreement: Of the fine forms of mesh and photo, 0..1; 0 where they were not needed.
        may_be_mirrored: Whether the mirror image of the mesh would fit as well.
    """

    face: FaceBox
    number: int
    coarse: Coarse
    points: F32
    px_per_mm: float
    agreement: float
    may_be_mirrored: bool = False

    def doubt(self) -> str:
        """A warning where the mesh fits badly or its mirror image as well, else nothing."""
        alignment = self.coarse.alignment
        if self.may_be_mirrored:
            return (
                "the mesh and its mirror image fit equally well: if its frame is mirrored, left and right are"
                " exchanged; say its axes by --frame, such as x,y,z"
            )
        if alignment is None or alignment.residual <= DOUBTFUL_RESIDUAL:
            return ""
        return (
            f"the mesh lies {alignment.residual_px:.1f} px off the face's landmarks,"
            f" {100 * alignment.residual:.1f} % of the face; look at the result"
        )

    def other_expression(self) -> str:
        """A warning where the photo's mouth is another one than the mesh's, else nothing."""
        photo, mesh = (_mouth_of(points) for points in (self.face.landmarks, self.points[:, :2]))
        if self.coarse.alignment is None or abs(photo - mesh).max() < _OTHER_MOUTH:
            return ""
        gap, width = photo - mesh
        if abs(gap) > abs(width):
            what = "open" if gap > 0 else "closed"
        else:
            what = "wide" if width > 0 else "narrow"
        return (
            f"the photo's mouth is {what}, the mesh's is not: normals move lips by millimetres only, so take"
            " a mesh fitted to this expression"
        )


@dataclass(frozen=True)
class FoundHead:
    """A head of a mesh file.

    Attributes:
        mesh: In the file's frame.
        points: Its 68 landmarks there.
    """

    mesh: Mesh
    points: MeshPoints


def _mouth_of(points: F32) -> F32:
    """How far a mouth is open, and how wide it is, in distances of the eyes. [2]"""
    right, left = eyes_of(points)
    eyes = max(float(np.linalg.norm(left - right)), 1e-9)
    gap = np.linalg.norm(points[[61, 62, 63]] - points[[67, 66, 65]], axis=1).mean()
    width = np.linalg.norm(points[54] - points[48])
    return np.asarray([gap / eyes, width / eyes], np.float32)


def place_default(picture: U8, face: FaceBox, number: int, rounds: int | None) -> Placed:
    """FaceMesh's mesh of a face."""
    coarse = default_coarse(picture, face, rounds=rounds)
    return _placed(face, number, coarse, coarse.base.vertices[list(AS_68)], 0.0)


def place_heads(
    renderer: Renderer,
    heads: Sequence[FoundHead],
    faces: Sequence[FaceBox],
    height_px: int,
    normals_of: Callable[[int], FaceNormals],
    *,
    frame: str | None = None,
    rounds: int | None = None,
) -> list[Placed]:
    """The heads of a mesh over the faces that they belong to.

    Args:
        renderer: Draws the heads.
        heads: Of :func:`find_heads`.
        faces: Of the photo.
        height_px: Rows of the photo.
        normals_of: Predicted normals of the face of this number, from 0.
        frame: The mesh's axes, see :func:`fnormal.enhancement.align.align`.
        rounds: How often it is subdivided; None for as often as the network sees.

    Raises:
        FNormalError: The mesh fits none of the faces, or several.
    """

    def compare(pair: Pair) -> Pair:
        found = register(renderer, heads[pair.head].mesh, pair.alignment, normals_of(pair.face), rounds=0)
        return replace(pair, agreement=found.agreement)

    def look(pair: Pair) -> Pair:
        found = register(renderer, heads[pair.head].mesh, pair.alignment, normals_of(pair.face))
        alignment = found.alignment.measured(pair.points, faces[pair.face].landmarks, height_px)
        return replace(pair, alignment=alignment, agreement=found.agreement)

    pairs = match([head.points for head in heads], faces, height_px, look, compare, frame)
    placed = []
    for pair in pairs:
        coarse = aligned_coarse(heads[pair.head].mesh, pair.alignment, rounds=rounds)
        points = pair.alignment(pair.points)
        one = _placed(faces[pair.face], pair.face + 1, coarse, points, pair.agreement, pair.may_be_mirrored)
        placed.append(one)
    return placed


def find_heads(renderer: Renderer, mesh: Mesh, name: str) -> list[FoundHead]:
    """The heads of a mesh that show a face, with their points.

    Args:
        renderer: Draws those whose landmarks are unknown.
        mesh: In any frame; several heads may be in one.
        name: Of its file, for messages.

    Raises:
        FNormalError: None shows a face.
    """
    found, trouble = list[FoundHead](), None
    for head in split_heads(mesh):
        vertices, faces = head.mesh.vertices, head.mesh.faces
        known = landmark_vertices(len(vertices))
        if known is not None and is_a_face(vertices[known]):
            found.append(FoundHead(head.mesh, MeshPoints(vertices[known], is_known=True)))
            continue
        try:
            points = find_points(renderer, head.mesh, name)
        except FNormalError as error:
            trouble = error
            continue
        outward = wound_outward(faces, vertices) is faces
        found.append(FoundHead(head.mesh, MeshPoints(points, is_known=False, is_outward=outward)))
    if not found and trouble is not None:
        raise trouble
    return found


def _placed(
    face: FaceBox, number: int, coarse: Coarse, points: F32, agreement: float, may_be_mirrored: bool = False
) -> Placed:
    eyes = eyes_of(points.astype(np.float64))
    scale = float(np.linalg.norm(eyes[0] - eyes[1])) / EYE_DISTANCE_MM
    return Placed(face, number, coarse, points, scale, agreement, may_be_mirrored)


def described(alignment: Alignment | None) -> str:
    """How a mesh was laid over the photo, in words."""
    if alignment is None:
        return "MediaPipe's FaceMesh"
    share = f"{100 * alignment.residual:.1f} % of the face"
    return f"{alignment.kind}, residual {alignment.residual_px:.1f} px ({share})"
