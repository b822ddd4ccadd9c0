"""The pyrender back end: colour, float normals, mask and depth in one pass on EGL, no display.

pyrender's traps, and what is done here: its platform is chosen at import (so it is set first); its
orthographic depth is wrong (camera z is a float target of its own); its normals would be 8-bit and
blended at edges (a second, float, never multisampled target); its lights are limited and PBR (the
shader takes ours as uniforms).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fnormal.config import SUPERSAMPLE
from fnormal.errors import FNormalError
from fnormal.images import srgb_to_linear
from fnormal.mesh import Mesh
from fnormal.render.camera import Camera
from fnormal.render.lighting import Lighting

_REMEDY = "apt-get install -y libegl1 libgl1-mesa-dri libgl1 libxrender1"


@dataclass(frozen=True)
class Render:
    """What one pass gives. Camera frame, background 0.

    Attributes:
        image: sRGB, anti-aliased. uint8 [H, W, 3]
        alpha: Share of each pixel that the mesh covers, 0..255. uint8 [H, W]
        normals: Unit, sampled at the pixel centre, never blended. [H, W, 3]
        mask: True where the pixel centre is on the mesh. [H, W]
        z: Camera-frame z in mesh units, larger is nearer; 0 outside the mask. [H, W]
    """

    image: npt.NDArray[np.uint8]
    alpha: npt.NDArray[np.uint8]
    normals: npt.NDArray[np.float32]
    mask: npt.NDArray[np.bool_]
    z: npt.NDArray[np.float32]

    def over(self, backdrop: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The picture over a backdrop [H, W, 3]; its colours are already times their coverage."""
        share = 1 - self.alpha[..., None].astype(np.float32) / 255
        return np.rint(np.minimum(self.image + share * backdrop, 255)).astype(np.uint8)


def _pyrender() -> Any:
    """Import pyrender with EGL chosen, or say which Debian packages are missing."""
    os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
    try:
        import pyrender
        import pyrender.renderer
        import pyrender.shader_program
    except (ImportError, OSError, AttributeError) as error:
        raise FNormalError(f"no headless OpenGL ({error}); install it: {_REMEDY}") from error
    return pyrender


class Renderer:
    """An EGL context that draws one mesh at a time: upload once with :meth:`load`, then pose and light.

    Use as a context manager, or call :meth:`close`.

    Raises:
        FNormalError: No EGL or no OpenGL driver; the message names the packages.
    """

    def __init__(self, supersample: int = SUPERSAMPLE) -> None:
        pyrender = _pyrender()
        from pyrender.platforms.egl import EGLPlatform

        from fnormal.render.multitarget import make_drawer

        self._supersample = supersample
        self._platform = EGLPlatform(1, 1)
        try:
            self._platform.init_context()
            self._platform.make_current()
        except Exception as error:  # PyOpenGL raises bare assertions and its own error classes
            raise FNormalError(f"EGL found no OpenGL driver ({error}); install it: {_REMEDY}") from error
        self._drawer = make_drawer(Path(__file__).parent / "shaders")
        self._pyrender = pyrender
        self._mesh: Any = None
        self._reach = 1.0

    def __enter__(self) -> Renderer:
        """Return self."""
        return self

    def __exit__(self, *_: object) -> None:
        """Free the context."""
        self.close()

    def close(self) -> None:
        """Free the mesh, the frame buffers and the context."""
        self._drawer.delete()
        self._platform.delete_context()

    def load(self, mesh: Mesh) -> None:
        """Upload ``mesh`` once; it replaces the one before."""
        pyrender = self._pyrender
        self._drawer.delete()
        uv = colors = texture = None
        if mesh.texture is not None and mesh.uv is not None:
            uv = mesh.uv  # v up: pyrender turns the picture upside down when it uploads it
            texture = pyrender.Texture(source=mesh.texture, source_channels="RGB")
        else:
            srgb = np.full((len(mesh.vertices), 3), 0.6, np.float32)
            colors = np.ones((len(srgb), 4), np.float32)
            colors[:, :3] = srgb_to_linear(srgb if mesh.colors is None else mesh.colors)
        material = pyrender.MetallicRoughnessMaterial(baseColorTexture=texture, doubleSided=True)
        primitive = pyrender.Primitive(
            positions=mesh.vertices, normals=mesh.normals, indices=mesh.faces,
            texcoord_0=uv, color_0=None, material=material, mode=pyrender.constants.GLTF.TRIANGLES,
        )  # fmt: skip
        primitive._color_0 = colors  # the setter clips and copies what is right already
        self._mesh = pyrender.Mesh([primitive])
        self._reach = float(np.linalg.norm(mesh.vertices, axis=1).max()) + 1e-6

    def render(self, camera: Camera, lighting: Lighting) -> Render:
        """Draw the loaded mesh.

        Args:
            camera: Orthographic view, see :class:`fnormal.render.camera.Camera`.
            lighting: Lights in the camera frame.
        """
        if self._mesh is None:
            raise RuntimeError("load a mesh before rendering")
        k = self._supersample
        color, normal_z = self._draw(camera, lighting, k)
        image, alpha = _downsample(color, k)
        centre = normal_z[k // 2 :: k, k // 2 :: k]
        mask = np.abs(centre[..., :3]).sum(axis=-1) > 0.5
        return Render(image, alpha, centre[..., :3].copy(), mask, centre[..., 3] * mask)

    def _draw(self, camera: Camera, lighting: Lighting, k: int) -> tuple[Any, Any]:
        pyrender = self._pyrender
        pose = np.eye(4)
        pose[:3, :3] = camera.rotation
        view = np.eye(4)
        view[:3, 3] = (*camera.center, 2 * self._reach)
        half_height = camera.half_width * camera.height_px / camera.width_px
        scene = pyrender.Scene(bg_color=(0, 0, 0, 0))
        scene.add(self._mesh, pose=pose)
        lens = pyrender.OrthographicCamera(
            camera.half_width, half_height, znear=0.5 * self._reach, zfar=3.5 * self._reach
        )
        scene.add(lens, pose=view)
        self._platform.make_current()
        size = (camera.width_px * k, camera.height_px * k)
        color, normal_z = self._drawer.draw(scene, lighting, *size)
        return color, normal_z


def _downsample(color: npt.NDArray[np.uint8], k: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Average k x k samples. uint8 [kH, kW, 4] -> image [H, W, 3] over black, and coverage [H, W]."""
    import cv2

    height, width = color.shape[0] // k, color.shape[1] // k
    small = cv2.resize(color, (width, height), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small[..., :3]), np.ascontiguousarray(small[..., 3])
