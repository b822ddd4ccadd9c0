"""The pyrender back end: colour, float normals, mask and depth in one pass on EGL, no display.

pyrender's traps, and what is done here: its platform is chosen at import (so it is set first); its
orthographic depth is wrong (camera z is a float target of its own); its normals would be 8-bit and
blended at edges (a second, float, never multisampled target); its lights are limited and PBR (the
shader takes ours as uniforms).
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from fnormal.arrays import U8
from fnormal.config import SUPERSAMPLE
from fnormal.errors import FNormalError
from fnormal.geometry.mesh import Mesh, vertex_tangents
from fnormal.render.camera import Camera
from fnormal.render.drawing import Render, eye_of, linear_colors
from fnormal.render.lighting import Lighting
from fnormal.render.shadow import ShadowView, bounding_sphere, shadow_view
from fnormal.render.textures import Textures

REMEDY = "apt-get install -y libegl1 libgl1-mesa-dri libgl1 libxrender1"
_DARK = Lighting(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32), np.zeros(3, np.float32))


def _pyrender() -> Any:
    """Import pyrender with EGL chosen, or say which Debian packages are missing."""
    os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
    try:
        import pyrender
        import pyrender.renderer
        import pyrender.shader_program
    except (ImportError, OSError, AttributeError) as error:
        raise FNormalError(f"no headless OpenGL ({error}); install it: {REMEDY}") from error
    return pyrender


class GLRenderer:
    """An EGL context that draws one mesh at a time; see ``render.drawing.Renderer``.

    Raises:
        FNormalError: No EGL or no OpenGL driver; the message names the packages.
    """

    def __init__(self, supersample: int = SUPERSAMPLE) -> None:
        pyrender = _pyrender()
        from pyrender.platforms.egl import EGLPlatform

        from fnormal.render.multitarget import MultiTargetRenderer

        self._supersample = supersample
        self._platform = EGLPlatform(1, 1)
        try:
            self._platform.init_context()
            self._platform.make_current()
        except Exception as error:  # PyOpenGL raises bare assertions and its own error classes
            raise FNormalError(f"EGL found no OpenGL driver ({error}); install it: {REMEDY}") from error
        self._drawer = MultiTargetRenderer(Path(__file__).parent / "shaders")
        self._pyrender = pyrender
        self._node: Any = None

    def __enter__(self) -> GLRenderer:
        """Return self."""
        return self

    def __exit__(self, *_: object) -> None:
        """Free the context."""
        self.close()

    def close(self) -> None:
        """Free the mesh, the frame buffers and the context."""
        from OpenGL.EGL import eglDestroyContext

        self._platform.make_current()
        self._drawer.delete()
        # pyrender would also end the display, and with it every other context of the process
        eglDestroyContext(self._platform._egl_display, self._platform._egl_context)
        self._platform._egl_context = self._platform._egl_display = None

    def driver(self) -> str:
        """What draws, such as ``llvmpipe (LLVM 15.0.6, 256 bits)``."""
        from OpenGL import GL

        self._platform.make_current()
        return str(GL.glGetString(GL.GL_RENDERER).decode())

    def load(self, mesh: Mesh) -> None:
        """Upload ``mesh`` once; it replaces the one before."""
        pyrender = self._pyrender
        self._platform.make_current()
        self._drawer.delete()
        self._textures = Textures(mesh)
        self._sphere = bounding_sphere(mesh)
        bent = self._textures.has_normals and mesh.normal_space == "tangent"
        colors = None
        if not self._textures.has_albedo:
            colors = np.ones((len(mesh.vertices), 4), np.float32)
            colors[:, :3] = linear_colors(mesh)
        primitive = pyrender.Primitive(
            positions=mesh.vertices, normals=mesh.normals, indices=mesh.faces,
            tangents=vertex_tangents(mesh) if bent else None,
            texcoord_0=mesh.uv if self._textures.has_any else None,
            material=pyrender.MetallicRoughnessMaterial(doubleSided=True),
            mode=pyrender.constants.GLTF.TRIANGLES,
        )  # fmt: skip
        primitive._color_0 = colors  # the setter clips and copies what is right already
        primitive._buf_flags = primitive._compute_buf_flags()
        self._scene = pyrender.Scene(bg_color=(0, 0, 0, 0))
        self._node = self._scene.add(pyrender.Mesh([primitive]))
        self._lens: Any = None

    def render(self, camera: Camera, lighting: Lighting) -> Render:
        """Draw the loaded mesh; lights are in the camera frame."""
        if self._node is None:
            raise RuntimeError("load a mesh before rendering")
        k = self._supersample
        shadow: tuple[ShadowView, Any] | None = None
        if lighting.shadow > 0:
            at = shadow_view(lighting.directions[0], camera.rotation, *self._sphere)
            z = self._draw(at.camera, _DARK, 1, None, inside=True)[1]
            shadow = at, np.where(z[..., :3].any(axis=-1), z[..., 3], -np.inf).astype(np.float32)
        color, normal_z = self._draw(camera, lighting, k, shadow)
        image, alpha = _downsample(color, k)
        mask = normal_z[..., :3].any(axis=-1)
        return Render(image, alpha, normal_z[..., :3].copy(), mask, normal_z[..., 3].copy())

    def _draw(
        self, camera: Camera, lighting: Lighting, k: int,
        shadow: tuple[ShadowView, Any] | None, *, inside: bool = False,
    ) -> tuple[Any, Any]:  # fmt: skip
        pose, eye = np.eye(4), np.eye(4)
        pose[:3, :3] = camera.rotation
        self._scene.set_pose(self._node, pose)
        middle, reach = camera.rotation @ self._sphere[0], self._sphere[1]
        far = 2.1 * reach
        if math.isinf(camera.distance):
            eye[:3, 3] = (*camera.center, middle[2] + 1.1 * reach + far)
            lens = self._pyrender.OrthographicCamera(
                camera.half_width, camera.half_height, znear=0.5 * far, zfar=2.5 * far
            )
        else:
            eye[:3, 3] = (*camera.center, camera.pivot_z + camera.distance)
            near = max(eye[2, 3] - middle[2] - reach, 1e-2 * camera.distance)
            lens = self._pyrender.PerspectiveCamera(
                2 * math.atan(camera.half_height / camera.distance),
                aspectRatio=camera.width_px / camera.height_px,
                znear=near, zfar=eye[2, 3] - middle[2] + reach,
            )  # fmt: skip
        if self._lens is not None:
            self._scene.remove_node(self._lens)
        self._lens = self._scene.add(lens, pose=eye)
        self._platform.make_current()
        level = self._textures.level(camera.px_per_unit)
        size = (camera.width_px, camera.height_px, k)
        return self._drawer.draw(self._scene, lighting, level, eye_of(camera), shadow, size, inside=inside)


def _downsample(color: U8, k: int) -> tuple[U8, U8]:
    """Average k x k samples. uint8 [kH, kW, 4], bottom row first -> image [H, W, 3], coverage [H, W]."""
    import cv2

    height, width = color.shape[0] // k, color.shape[1] // k
    small = cv2.resize(color, (width, height), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small[::-1, :, :3]), np.ascontiguousarray(small[::-1, :, 3])
