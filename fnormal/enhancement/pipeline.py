"""A face and its predicted normals -> an enhanced mesh and its picture: the steps in the order they run."""

from __future__ import annotations

from pathlib import Path

from fnormal.arrays import U8
from fnormal.enhancement.coarse import coarse_mesh
from fnormal.enhancement.figures import before_after
from fnormal.enhancement.transfer import Enhanced, append_normals
from fnormal.faces.detect import FaceBox
from fnormal.prediction.face_normals import FaceNormals
from fnormal.render.backends import open_renderer


def enhance_face(picture: U8, face: FaceBox, normals: FaceNormals, mesh: Path | None) -> tuple[Enhanced, U8]:
    """The coarse mesh of a face with the photo's normals, and the before/after picture.

    Args:
        picture: RGB. [H, W, 3]
        face: Where the face is.
        normals: Normals of that face, in the photo's pixels.
        mesh: Coarse mesh of this photo; None takes FaceMesh's.

    Raises:
        FNormalError: The mesh cannot be read, or does not fit the face.
    """
    with open_renderer("auto", supersample=1) as renderer:
        coarse, alignment = coarse_mesh(renderer, picture, face, mesh)
        enhanced = append_normals(renderer, coarse, alignment, normals)
    with open_renderer("auto") as renderer:
        return enhanced, before_after(renderer, picture, normals, enhanced)
