"""Pictures of a prediction for people: normals over the photo; photo, normals and shading side by side."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F32, U8, Array
from fnormal.geometry.images import as_bytes
from fnormal.geometry.normals import encode_rgb
from fnormal.options.faces import PredictOptions
from fnormal.prediction.face_normals import FaceNormals

_LIGHT = np.array([-0.5, 0.45, 0.74], np.float32)  # from the upper left of the viewer
_PANEL_PX = 512


def _soft(result: FaceNormals) -> F32:
    """The mask with a soft edge of a hundredth of its side. [h, w, 1]"""
    import cv2

    sigma = max(0.7, max(result.part_mask.shape) / 200)
    blurred = cv2.GaussianBlur(result.part_mask.astype(np.float32), (0, 0), sigma)
    return np.asarray(blurred[..., None] * result.part_mask[..., None], np.float32)


def _part_of(picture: Array, result: FaceNormals) -> F32:
    x, y = result.corner_px
    rows, columns = result.part_mask.shape
    part = picture[y : y + rows, x : x + columns].astype(np.float32)
    return np.asarray(part if picture.dtype == np.uint8 else part * 255, np.float32)


def overlay(picture: Array, result: FaceNormals) -> U8:
    """The photo [H, W, 3] with the normals of a face laid over it."""
    out = as_bytes(picture).copy()
    x, y = result.corner_px
    rows, columns = result.part_mask.shape
    share, photo = _soft(result), _part_of(out, result)
    mixed = photo + share * (encode_rgb(result.part_normals, result.part_mask) - photo)
    out[y : y + rows, x : x + columns] = np.rint(mixed).astype(np.uint8)
    return out


def side_by_side(picture: Array, result: FaceNormals) -> U8:
    """Photo, normals, and the face in plain clay under one light. [512, 1536, 3]"""
    import cv2

    photo, share = _part_of(picture, result), _soft(result)
    shade = np.clip(result.part_normals @ (_LIGHT / np.linalg.norm(_LIGHT)), 0, 1)[..., None]
    clay = 255 * (0.12 + 0.88 * shade) ** (1 / 2.2) * np.array([0.86, 0.84, 0.82], np.float32)
    backdrop = np.full_like(photo, 40)
    panels = [photo]
    for drawn in (encode_rgb(result.part_normals, result.part_mask), clay):
        panels.append(np.asarray(backdrop + share * (drawn - backdrop), np.float32))
    scale = _PANEL_PX / max(photo.shape[:2])
    out = np.full((_PANEL_PX, 3 * _PANEL_PX, 3), 40, np.uint8)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    for i, panel in enumerate(panels):
        small = cv2.resize(panel, None, fx=scale, fy=scale, interpolation=method)[:_PANEL_PX, :_PANEL_PX]
        left = i * _PANEL_PX
        out[: small.shape[0], left : left + small.shape[1]] = np.rint(np.clip(small, 0, 255))
    return out


def needs_picture(options: PredictOptions) -> bool:
    """Whether a figure is asked for that shows the picture."""
    return options.overlay or options.side_by_side


def figures_of(picture: U8, result: FaceNormals, options: PredictOptions) -> dict[str, U8]:
    """The figures that are asked for, by the ending of their names."""
    found: dict[str, U8] = {}
    if options.overlay:
        found["overlay"] = overlay(picture, result)
    if options.side_by_side:
        found["side_by_side"] = side_by_side(picture, result)
    return found
