"""Predicted normals onto the vertices that the photo shows well (section 4), and their moves."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fnormal.arrays import F32, Bools
from fnormal.enhancement.blend import Shown, blend, photo_pixels, sample, smooth, vertex_weights
from fnormal.enhancement.coarse import Coarse
from fnormal.enhancement.displace import displacements
from fnormal.faces.masks import hull_mask
from fnormal.geometry.mesh import Mesh, vertex_normals
from fnormal.geometry.normals import unit
from fnormal.prediction.face_normals import FaceNormals
from fnormal.render.camera import Camera
from fnormal.render.drawing import Renderer
from fnormal.render.lighting import headlight


@dataclass(frozen=True)
class Enhanced:
    """A mesh with the photo's normals, in the photo's pixel frame (y up), and how it came about.

    Attributes:
        coarse: The mesh as it was given, and subdivided to the pixel.
        after: The subdivided mesh with the photo's normals, its vertices moved or not.
        pred_normals: The prediction at its vertices, 0 where there is none. [V, 3]
        weights: How far each vertex trusts the prediction. [V]
        seen: How well the photo shows each inside the mask, 0..1. [V]
        visible: Which vertices the camera sees at all. bool [V]
        covered: Share of the hull of the face's landmarks that the mesh covers.
        px_per_mm: Of the photo, by the distance of the eyes.
        result: The normals that were put onto it.
    """

    coarse: Coarse
    after: Mesh
    pred_normals: F32
    weights: F32
    seen: F32
    visible: Bools
    covered: float
    px_per_mm: float
    result: FaceNormals

    @property
    def before(self) -> Mesh:
        """The coarse mesh, subdivided, with its own normals."""
        return self.coarse.fine

    @property
    def share(self) -> float:
        """Share of the vertices that mostly have the photo's normal."""
        return float((self.weights > 0.5).mean())

    @property
    def agreeing(self) -> float:
        """The same among the vertices that the photo shows: low where mesh and normals contradict."""
        return float((self.weights[self.seen > 0.5] > 0.5).mean()) if (self.seen > 0.5).any() else 0.0


@dataclass(frozen=True)
class Sight:
    """What the photo's camera sees of a mesh.

    Attributes:
        front: Depth of the nearest surface at each vertex's pixel, -inf where there is none. [V]
        covered: Share of the hull of the face's landmarks that the mesh covers.
    """

    front: F32
    covered: float


def sight_of(renderer: Renderer, coarse: Coarse, result: FaceNormals) -> Sight:
    """Draw a mesh in the photo's pixel frame as the photo shows it."""
    import cv2

    mesh = coarse.fine
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
    front = np.full(len(at), -np.inf, np.float32)  # outside the crop nothing is known to lie in front
    front[inside] = nearest[at[inside, 1], at[inside, 0]]
    return Sight(front, _covered(view.mask, camera, result))


def append_normals(sight: Sight, coarse: Coarse, result: FaceNormals, px_a_mm: float) -> Enhanced:
    """Blend the prediction into the vertex normals wherever the photo shows the vertex well: the paper's.

    Args:
        sight: Of the mesh.
        coarse: In the photo's pixel frame.
        result: Normals of that face.
        px_a_mm: The photo's scale.
    """
    mesh, front = coarse.fine, sight.front
    in_part = np.asarray(
        photo_pixels(mesh.vertices, result.shape[0]) - np.array(result.corner_px, np.float32), np.float32
    )
    pred = unit(sample(result.part_normals, in_part))
    shown = Shown(in_part, result.part_mask, front, result.crop.side_px)
    weights, seen = vertex_weights(mesh.vertices, mesh.normals, pred, shown)
    weights = smooth(weights, mesh.faces) * (np.linalg.norm(pred, axis=1) > 0.5)
    after = replace(mesh, normals=blend(mesh.normals, pred, weights))
    behind = mesh.vertices[:, 2] < front - 2 * shown.tolerance_px
    visible = ~behind & (mesh.normals[:, 2] > 0)
    return Enhanced(coarse, after, pred, weights, seen, visible, sight.covered, px_a_mm, result)


def displace(enhanced: Enhanced, blend_scale_mm: float, max_shift_mm: float) -> Enhanced:
    """The same with its vertices moved along the view ray to where the normals say that they are."""
    scale, mesh = enhanced.px_per_mm, enhanced.before
    shift = displacements(mesh, enhanced.after.normals, blend_scale_mm * scale, max_shift_mm * scale)
    vertices = mesh.vertices.copy()
    vertices[:, 2] += shift
    own = vertex_normals(vertices, mesh.faces)
    normals = blend(own, enhanced.pred_normals, enhanced.weights)
    return replace(enhanced, after=replace(enhanced.after, vertices=vertices, normals=normals))


def _covered(mask: Bools, camera: Camera, result: FaceNormals) -> float:
    """Share of the face's hull, inside the crop, that the drawn mesh covers."""
    if result.face is None:
        return 1.0
    crop = result.crop
    scale = camera.width_px / crop.side_px
    points = (result.face.landmarks - (crop.x_px, crop.y_px) + 0.5) * scale - 0.5
    hull = hull_mask(np.asarray(points, np.float32), camera.height_px, camera.width_px)
    return float(mask[hull].mean()) if hull.any() else 0.0
