"""enhance PHOTO --mesh M: the photo's normals on a coarse mesh (section 4, Figs. 1 and 5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fnormal.arrays import F32, I32, U8
from fnormal.config import ENHANCE_CROP_SCALE, EYE_DISTANCE_MM
from fnormal.enhance.align import Alignment, align, outward
from fnormal.enhance.blend import blend, sample, smooth, vertex_weights
from fnormal.enhance.gltf import encode_glb
from fnormal.enhance.topology import landmark_vertices
from fnormal.errors import FNormalError
from fnormal.faces.crop import crop_around
from fnormal.faces.detect import EYES_68, FaceBox
from fnormal.faces.facemesh import facemesh
from fnormal.faces.masks import face_mask
from fnormal.files import write_bytes, write_json
from fnormal.geometry.images import read_image, write_image
from fnormal.geometry.mesh import Mesh, encode_ply, make_mesh, vertex_normals
from fnormal.geometry.meshfile import read_mesh
from fnormal.geometry.normal_maps import read_normals
from fnormal.geometry.normals import angular_error_deg, encode_rgb, unit
from fnormal.geometry.subdivision import loop_subdivision, midpoint_subdivision
from fnormal.options import PredictOptions
from fnormal.prediction.files import write_result
from fnormal.prediction.predictor import FaceNormals, Predictor
from fnormal.progress import Progress
from fnormal.render.backends import open_renderer
from fnormal.render.camera import Camera, frame_face, rotation_about
from fnormal.render.drawing import Renderer
from fnormal.render.landmarks import lift_landmarks
from fnormal.render.lighting import headlight, raking_light

_EDGE_PX = 1.6  # meshes are subdivided until their mean edge is shorter: normals sit on vertices
_MAX_ROUNDS = 4
_MAX_FACES = 600_000
_PANEL_PX = 360
_SIDE_VIEW_DEG = 35.0
_GREY = 0.62  # sRGB of the clay in the before/after picture


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


def enhance_mesh(
    photo: Path,
    out: Path,
    predictor: Predictor,
    *,
    mesh: Path | None = None,
    normals: Path | None = None,
    landmarks: Path | None = None,
) -> Iterator[Progress]:
    """Write the normals, ``<stem>_enhanced.glb``, ``.ply``, ``.json`` and ``<stem>_before_after.png``.

    Args:
        photo: The picture.
        out: Folder.
        predictor: Network and detection.
        mesh: Coarse mesh of this photo; None for FaceMesh.
        normals: A normal map of the photo's size instead of a prediction.
        landmarks: File of 68 points instead of detection.

    Raises:
        FNormalError: No face, a mesh that does not fit, or files that are not what they should be.
    """
    picture = read_image(photo)
    face = predictor.find_faces(picture, str(photo), landmarks)[0]
    if normals is None:
        result = predictor.predict(picture, [face], scale=ENHANCE_CROP_SCALE, forehead=True)[0]
    else:
        result = _given_normals(normals, picture, face)
    with open_renderer("auto", supersample=1) as renderer:
        coarse, alignment = coarse_mesh(renderer, picture, face, mesh)
        enhanced = append_normals(renderer, coarse, alignment, result)
    with open_renderer("auto") as renderer:
        sheet = before_after(renderer, picture, result, enhanced)
    stem = out / photo.stem
    written = list(write_result(stem, str(photo), result, PredictOptions.frame, PredictOptions.format))
    written += _write(stem, picture, face, result, enhanced)
    write_image(stem.with_name(f"{stem.name}_before_after.png"), sheet)
    written.append(stem.with_name(f"{stem.name}_before_after.png"))
    yield Progress(1, 1, "photos", written=tuple(written))


def _given_normals(path: Path, picture: U8, face: FaceBox) -> FaceNormals:
    """A normal map from a file, as if it had been predicted."""
    values, known = read_normals(path)
    height, width = picture.shape[:2]
    if values.shape[:2] != (height, width):
        raise FNormalError(
            f"{path} is {values.shape[1]}x{values.shape[0]}, the photo {width}x{height};"
            " give a normal map in the photo's own pixels"
        )
    mask = known & face_mask(face.landmarks, height, width)
    crop = crop_around(face.landmarks, height, width, scale=ENHANCE_CROP_SCALE)
    return FaceNormals(values * mask[..., None], mask, mask.astype(np.float32), crop, face)


def coarse_mesh(
    renderer: Renderer, picture: U8, face: FaceBox, path: Path | None
) -> tuple[Mesh, Alignment | None]:
    """The coarse mesh in the photo's pixel frame, subdivided to the pixel, with its own normals."""
    if path is None:
        mesh, alignment, rule = facemesh(picture, face), None, loop_subdivision
    else:
        given = read_mesh(path)
        alignment = align(_mesh_landmarks(renderer, given, path), face.landmarks, picture.shape[0])
        mesh, rule = replace(given, vertices=alignment(given.vertices)), midpoint_subdivision
    faces = outward(mesh.faces, mesh.vertices)
    parts: dict[str, Any] = {"uv": mesh.uv, "colors": mesh.colors}
    vertices = mesh.vertices
    vertex_normal = vertex_normals(vertices, faces)
    for _ in range(_MAX_ROUNDS):
        if _mean_edge(vertices, faces) < _EDGE_PX or 4 * len(faces) > _MAX_FACES:
            break
        finer = rule(faces, len(vertices))
        parts = {k: None if v is None else finer(v) for k, v in parts.items()}
        vertices, vertex_normal, faces = finer(vertices), unit(finer(vertex_normal)), finer.faces
    if path is None:  # Loop's rule moves vertices, so their normals are those of the smooth surface
        vertex_normal = vertex_normals(vertices, faces)
    if parts["colors"] is None and (mesh.texture is None or parts["uv"] is None):
        parts["uv"], parts["texture"] = _photo_texture(vertices, picture)
    else:
        parts["texture"] = mesh.texture
    return make_mesh(vertices, faces, normals=vertex_normal, **parts), alignment


def _mean_edge(vertices: F32, faces: I32) -> float:
    corners = vertices[faces]
    return float(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).mean())


def _photo_texture(vertices: F32, picture: U8) -> tuple[F32, U8]:
    """Project the photo onto an aligned mesh: texture coordinates (v up), and the part of it that is used."""
    height, width = picture.shape[:2]
    xy = np.stack([vertices[:, 0], height - 1 - vertices[:, 1]], axis=1)
    low = np.clip(np.floor(xy.min(axis=0)), 0, (width - 2, height - 2)).astype(int)
    high = np.clip(np.ceil(xy.max(axis=0)) + 1, low + 2, (width, height)).astype(int)
    part = picture[low[1] : high[1], low[0] : high[0]]
    uv = (xy - low + 0.5) / (high - low)
    return np.asarray(uv * (1, -1) + (0, 1), np.float32), np.ascontiguousarray(part)


def _mesh_landmarks(renderer: Renderer, mesh: Mesh, path: Path) -> F32:
    """The mesh's 68 points: by its known topology, else detected on a frontal render. [68, 3]"""
    known = landmark_vertices(len(mesh.vertices))
    if known is not None:
        return mesh.vertices[known]
    try:
        return lift_landmarks(renderer, mesh, path.name)
    except FNormalError as error:
        raise FNormalError(
            f"no face on a frontal view of {path}: it must face +z with y up, or have PRNet's vertices"
        ) from error


def append_normals(
    renderer: Renderer, mesh: Mesh, alignment: Alignment | None, result: FaceNormals
) -> Enhanced:
    """Blend the prediction into the vertex normals wherever the photo shows the vertex well."""
    import cv2

    crop, height = result.crop, result.mask.shape[0]
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
    pred = unit(sample(result.normals, xy))
    weights = vertex_weights(mesh.vertices, mesh.normals, pred, result.mask, front, side)
    weights = smooth(weights, mesh.faces) * (np.linalg.norm(pred, axis=1) > 0.5)
    after = replace(mesh, normals=blend(mesh.normals, pred, weights))
    return Enhanced(mesh, after, weights, alignment)


def before_after(renderer: Renderer, picture: U8, result: FaceNormals, enhanced: Enhanced) -> U8:
    """Photo and normals, then the clay mesh before and after, from the front and from the side."""
    crop = replace(result.crop, size_px=_PANEL_PX)
    shown = encode_rgb(result.normals, result.mask)
    panels = [[crop.cut(picture), crop.cut(shown)]]
    turn = rotation_about(np.array([0.0, 1.0, 0.0]), np.radians(_SIDE_VIEW_DEG))
    for rotation in (np.eye(3, dtype=np.float32), turn):
        camera = frame_face(enhanced.before.vertices, rotation, _PANEL_PX, 1.1)
        row = []
        for mesh in (enhanced.before, enhanced.after):
            clay = np.full(mesh.vertices.shape, _GREY, np.float32)
            renderer.load(replace(mesh, colors=clay, texture=None, uv=None))
            drawn = renderer.render(camera, raking_light())
            row.append(drawn.over(np.full_like(drawn.image, 255)))
        panels.append(row)
    return np.concatenate([np.concatenate(column, axis=0) for column in panels], axis=1)


def _write(stem: Path, picture: U8, face: FaceBox, result: FaceNormals, enhanced: Enhanced) -> list[Path]:
    """Write the mesh in metres around the face, and the way back to photo pixels."""
    height = picture.shape[0]
    eyes = [face.landmarks[e].mean(axis=0) for e in EYES_68]
    metres = EYE_DISTANCE_MM / 1000 / float(np.linalg.norm(eyes[0] - eyes[1]))
    center = enhanced.after.vertices.mean(axis=0)
    mesh = replace(
        enhanced.after, vertices=np.asarray((enhanced.after.vertices - center) * metres, np.float32)
    )
    # metres -> photo pixels: x, row (y down), z toward the viewer
    to_photo = np.diag([1 / metres, -1 / metres, 1 / metres, 1.0])
    to_photo[:3, 3] = center * (1, -1, 1) + (0, height - 1, 0)
    touched = enhanced.weights > 0.5
    changed = angular_error_deg(enhanced.before.normals, enhanced.after.normals)
    about: dict[str, Any] = {
        "frame": "x right, y up, z toward the viewer; metres, eyes 63 mm apart",
        "to_photo_px": to_photo.tolist(),
        "alignment": "FaceMesh" if enhanced.alignment is None else enhanced.alignment.kind,
        "residual_px": None if enhanced.alignment is None else enhanced.alignment.residual_px,
        "vertices": len(mesh.vertices),
        "enhanced_share": float(touched.mean()),
        "mean_change_deg": float(changed[touched].mean()) if touched.any() else 0.0,
    }
    glb, ply, note = (stem.with_name(f"{stem.name}_enhanced{s}") for s in (".glb", ".ply", ".json"))
    write_bytes(glb, encode_glb(mesh, about))
    write_bytes(ply, encode_ply(mesh))
    write_json(note, about)
    return [glb, ply, note]
