"""What people look at: the photo, its normals, and the mesh before and after, as in Figs. 1 and 5."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fnormal.arrays import U8
from fnormal.enhancement.transfer import Enhanced
from fnormal.geometry.normals import encode_rgb
from fnormal.prediction.face_normals import FaceNormals
from fnormal.render.camera import frame_face, rotation_about
from fnormal.render.drawing import Renderer
from fnormal.render.lighting import raking_light

_PANEL_PX = 360
_SIDE_VIEW_DEG = 35.0
_GREY = 0.62  # sRGB of the clay in the before/after picture


def before_after(renderer: Renderer, picture: U8, result: FaceNormals, enhanced: Enhanced) -> U8:
    """Photo and normals, then the clay mesh before and after, from the front and from the side."""
    crop = replace(result.crop, size_px=_PANEL_PX)
    x, y = result.corner_px
    in_part = replace(crop, x_px=crop.x_px - x, y_px=crop.y_px - y)
    shown = encode_rgb(result.part_normals, result.part_mask)
    panels = [[crop.cut(picture), in_part.cut(shown)]]
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
