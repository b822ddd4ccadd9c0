"""Predicted normals onto the vertices that the photo shows well (section 4)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fnormal.arrays import F32
from fnormal.enhance.align import Alignment
from fnormal.enhance.blend import Shown, blend, sample, smooth, vertex_weights
from fnormal.geometry.mesh import Mesh
from fnormal.geometry.normals import unit
from fnormal.prediction.face_normals import FaceNormals
from fnormal.render.camera import Camera
from fnormal.render.drawing import Renderer
from fnormal.render.lighting import headlight


@dataclass(frozen=True)
class Enhanced:
    """A mesh with appended normals, in the photo's pixel frame (y up), and how it came about.

    Attributes:
        before: The coarse mesh, subdivided, with its own normals.
        after: The same vertices with appended normals.
        weights: How far each vertex trusts the prediction. [V]
        alignment: None for FaceMesh, which is born aligned.
    """

    before: Mesh
    after: Mesh
    weights: F32
    alignment: Alignment | None


def append_normals(
    renderer: Renderer, mesh: Mesh, alignment: Alignment | None, result: FaceNormals
) -> Enhanced:
    """Blend the prediction into the vertex normals wherever the photo shows the vertex well."""
    import cv2

    crop, height = result.crop, result.shape[0]
    side = crop.side_px
    middle = (crop.x_px + (side - 1) / 2, height - 1 - (crop.y_px + (side - 1) / 2))
    camera = Camera(np.eye(3, dtype=np.float32), middle, side / 2, min(side, 1024), min(side, 1024))
    renderer.load(mesh)
    view = renderer.render(camera, headlight())
    # the largest of the neighbours: a vertex on an edge need not lie in a pixel that the edge covers
    nearest = cv2.dilate(np.where(view.mask, view.z, -np.inf).astype(np.float32), np.ones((3, 3)))
    at = np.rint(camera.project(mesh.vertices)[:, :2]).astype(int)
    inside = ((at >= 0) & (at < camera.width_px)).all(axis=1)
    front = np.full(len(at), np.inf, np.float32)
    front[inside] = nearest[at[inside, 1], at[inside, 0]]
    xy = np.stack([mesh.vertices[:, 0], height - 1 - mesh.vertices[:, 1]], axis=1)
    in_part = np.asarray(xy - np.array(result.corner_px, np.float32), np.float32)
    pred = unit(sample(result.part_normals, in_part))
    shown = Shown(in_part, result.part_mask, front, side)
    weights = vertex_weights(mesh.vertices, mesh.normals, pred, shown)
    weights = smooth(weights, mesh.faces) * (np.linalg.norm(pred, axis=1) > 0.5)
    after = replace(mesh, normals=blend(mesh.normals, pred, weights))
    return Enhanced(mesh, after, weights, alignment)
