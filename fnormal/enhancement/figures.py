"""What people look at: the photo, its normals, and the mesh before and after, as in Figs. 1 and 5."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np

from fnormal.arrays import F32, U8
from fnormal.enhancement.transfer import Enhanced
from fnormal.geometry.mesh import Mesh
from fnormal.geometry.normals import encode_rgb
from fnormal.render.camera import Camera, frame_face, rotation_about
from fnormal.render.drawing import Renderer
from fnormal.render.lighting import Lighting, lamp, raking_light

_PANEL_PX, _GIF_PX = 360, 320
_SIDE_VIEW_DEG = 35.0
_AROUND = 1.5  # side of a view / larger side of the landmarks' box: the face and its forehead
_GREY = 0.62  # sRGB of the clay in the before/after picture
_OTHER_LIGHT = (0.55, -0.1, 0.65)
_FRAMES, _FRAME_MS = 24, 80


def before_after(renderer: Renderer, picture: U8, enhanced: Enhanced, points: F32) -> U8:
    """Photo and normals; then the clay mesh, before above and after below, in two lights and from the side.

    Args:
        renderer: Draws.
        picture: The photo.
        enhanced: The mesh, and the normals that were put onto it.
        points: Its landmarks in the pixel frame, which frame the views. [68, 3]
    """
    result = enhanced.result
    crop = replace(result.crop, size_px=_PANEL_PX)
    x, y = result.corner_px
    in_part = replace(crop, x_px=crop.x_px - x, y_px=crop.y_px - y)
    shown = encode_rgb(result.part_normals, result.part_mask)
    columns = [[crop.cut(picture), in_part.cut(shown)]]
    turn = rotation_about(np.array([0.0, 1.0, 0.0]), np.radians(_SIDE_VIEW_DEG))
    front = np.eye(3, dtype=np.float32)
    for rotation, light in ((front, raking_light()), (front, lamp(_OTHER_LIGHT)), (turn, raking_light())):
        camera = frame_face(points, rotation, _PANEL_PX, _AROUND)
        columns.append([_clay(renderer, mesh, camera, light) for mesh in (enhanced.before, enhanced.after)])
    return np.concatenate([np.concatenate(column, axis=0) for column in columns], axis=1)


def moving_light(renderer: Renderer, enhanced: Enhanced, points: F32) -> bytes:
    """A GIF of the clay mesh before and after, side by side, while a light goes round."""
    from PIL import Image

    camera = frame_face(points, np.eye(3, dtype=np.float32), _GIF_PX, _AROUND)
    frames = []
    for angle in np.linspace(0, 2 * np.pi, _FRAMES, endpoint=False):
        light = lamp((0.75 * float(np.cos(angle)), 0.75 * float(np.sin(angle)), 0.6))
        pair = [_clay(renderer, mesh, camera, light) for mesh in (enhanced.before, enhanced.after)]
        frames.append(Image.fromarray(np.concatenate(pair, axis=1)))
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=_FRAME_MS, loop=0)
    return out.getvalue()


def _clay(renderer: Renderer, mesh: Mesh, camera: Camera, light: Lighting) -> U8:
    clay = np.full(mesh.vertices.shape, _GREY, np.float32)
    renderer.load(replace(mesh, colors=clay, texture=None, uv=None))
    drawn = renderer.render(camera, light)
    return drawn.over(np.full_like(drawn.image, 255))
