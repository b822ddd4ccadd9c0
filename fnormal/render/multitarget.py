"""A pyrender ``Renderer`` with two colour targets: RGBA8 for the picture, RGBA32F for normal and z."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from OpenGL import GL
from pyrender.constants import RenderFlags
from pyrender.renderer import Renderer as PyrenderRenderer
from pyrender.shader_program import ShaderProgramCache

from fnormal.render.lighting import Lighting
from fnormal.render.shadow import ShadowView
from fnormal.render.textures import Level

# our texture units, beyond those that pyrender binds
_ALBEDO, _NORMALS, _SPECULAR, _SHADOW = range(8, 12)


class MultiTargetRenderer(PyrenderRenderer):  # type: ignore[misc]  # pyrender has no types
    """pyrender's forward pass into our own frame buffers, with our own shader, textures and lights."""

    def __init__(self, shader_dir: Path) -> None:
        super().__init__(1, 1)
        self._program_cache = ShaderProgramCache(shader_dir=str(shader_dir))
        self._targets: dict[tuple[int, int, int], tuple[list[int], list[int]]] = {}
        self._level = Level(None, None, None)
        self._names: list[int] = []
        self._shadow_name = 0

    def draw(
        self, scene: Any, lighting: Lighting, level: Level, eye: Any,
        shadow: tuple[ShadowView, Any] | None, size: tuple[int, int, int], *, inside: bool = False,
    ) -> tuple[Any, Any]:  # fmt: skip
        """Draw a view of ``size``: width, height, samples a pixel side k.

        Returns:
            Colour of all samples, uint8 [k height, k width, 4], BOTTOM row first; normal and camera z of
            the centre samples, float32 [height, width, 4], top row first. ``inside`` keeps those of faces
            that turn their back.
        """
        width, height, self._k = size
        self.viewport_width, self.viewport_height = width * self._k, height * self._k
        self._lighting, self._eye, self._shadow, self._inside = lighting, eye, shadow, inside
        if level is not self._level:
            self._upload(level)
        if shadow is not None:
            self._shadow_name = _texture(_SHADOW, shadow[1], self._shadow_name, GL.GL_NEAREST)
        color, normal_z = self.render(scene, RenderFlags.OFFSCREEN | RenderFlags.SKIP_CULL_FACES)
        return color, normal_z

    def delete(self) -> None:
        """Free the mesh, the textures and the frame buffers."""
        super().delete()
        self._forget_textures()
        if self._shadow_name:
            GL.glDeleteTextures([self._shadow_name])
        self._shadow_name = 0

    def _upload(self, level: Level) -> None:
        self._forget_textures()
        for unit, picture in (
            (_ALBEDO, level.albedo), (_NORMALS, level.normals), (_SPECULAR, level.specular)
        ):  # fmt: skip
            if picture is not None:
                self._names.append(_texture(unit, picture, 0, GL.GL_LINEAR))
        self._level = level

    def _forget_textures(self) -> None:
        if self._names:
            GL.glDeleteTextures(self._names)
        self._names, self._level = [], Level(None, None, None)

    # What follows are the hooks of pyrender.Renderer, under its names.

    def _get_primitive_program(self, primitive: Any, flags: int, program_flags: int) -> Any:
        del flags, program_flags
        lighting = self._lighting
        defines = {"NORMAL_LOC": 1}
        for name, values in (
            ("TANGENT_LOC", primitive.tangents),
            ("TEXCOORD_0_LOC", primitive.texcoord_0),
            ("COLOR_0_LOC", primitive.color_0),
        ):
            if values is not None:
                defines[name] = len(defines) + 1
        defines["N_LIGHTS"] = len(lighting.directions)
        for name, wanted in (
            ("ALBEDO_TEXTURE", self._level.albedo is not None),
            ("NORMAL_TEXTURE", self._level.normals is not None),
            ("SPECULAR_TEXTURE", self._level.specular is not None),
            ("ENVIRONMENT", lighting.environment.any()),
            ("HIGHLIGHT", lighting.specular > 0),
            ("SHADOW", self._shadow is not None),
        ):
            if wanted:
                defines[name] = 1
        program = self._program_cache.get_program(
            vertex_shader="targets.vert", fragment_shader="targets.frag", defines=defines
        )
        if not program._in_context():
            program._add_to_context()
        return program

    def _bind_lighting(self, scene: Any, program: Any, node: Any, flags: int) -> None:
        del scene, node, flags
        lighting = self._lighting
        for i, (toward, rgb) in enumerate(zip(lighting.directions, lighting.intensities, strict=True)):
            program.set_uniform(f"light_direction[{i}]", toward)
            program.set_uniform(f"light_rgb[{i}]", rgb)
        for i, row in enumerate(lighting.environment):
            program.set_uniform(f"environment[{i}]", row)
        for name, value in (
            ("ambient_rgb", lighting.ambient), ("gain", lighting.gain), ("eye", self._eye),
            ("specular", float(lighting.specular)), ("roughness", float(lighting.roughness)),
            ("albedo_texture", _ALBEDO), ("normal_texture", _NORMALS),
            ("specular_texture", _SPECULAR), ("shadow_map", _SHADOW),
            ("keep_inside", self._inside),
            ("shadow", 0.0 if self._shadow is None else float(lighting.shadow)),
        ):  # fmt: skip
            program.set_uniform(name, value)
        if self._shadow is not None:
            for i, axis in enumerate(self._shadow[0].turn):  # pyrender sets a mat3 by the wrong call
                program.set_uniform(f"shadow_axes[{i}]", axis)
            program.set_uniform("shadow_frame", self._shadow[0].frame())

    def _configure_forward_pass_viewport(self, flags: int) -> None:
        del flags
        size = (self.viewport_width, self.viewport_height, self._k)
        if size not in self._targets:
            self._targets[size] = _make_targets(*size)
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self._targets[size][0][0])
        GL.glDrawBuffers(2, [GL.GL_COLOR_ATTACHMENT0, GL.GL_COLOR_ATTACHMENT1])
        GL.glViewport(0, 0, size[0], size[1])
        GL.glEnable(GL.GL_DEPTH_TEST)
        GL.glDepthMask(GL.GL_TRUE)
        GL.glDepthFunc(GL.GL_LESS)
        GL.glDepthRange(0.0, 1.0)

    def _read_main_framebuffer(self, scene: Any, flags: int) -> tuple[Any, Any]:
        del scene, flags
        width, height, k = self.viewport_width, self.viewport_height, self._k
        (all_samples, centres), _ = self._targets[width, height, k]
        GL.glPixelStorei(GL.GL_PACK_ALIGNMENT, 1)
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, all_samples)
        GL.glReadBuffer(GL.GL_COLOR_ATTACHMENT0)
        raw = GL.glReadPixels(0, 0, width, height, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE)
        color = np.frombuffer(raw, np.uint8).reshape(height, width, 4)
        # the nearest sample of a k times smaller picture is the middle one of each pixel
        small = (width // k, height // k)
        GL.glReadBuffer(GL.GL_COLOR_ATTACHMENT1)
        GL.glBindFramebuffer(GL.GL_DRAW_FRAMEBUFFER, centres)
        GL.glBlitFramebuffer(
            0, 0, width, height, 0, 0, *small, GL.GL_COLOR_BUFFER_BIT, GL.GL_NEAREST
        )  # fmt: skip
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, centres)
        GL.glReadBuffer(GL.GL_COLOR_ATTACHMENT0)
        raw = GL.glReadPixels(0, 0, *small, GL.GL_RGBA, GL.GL_FLOAT)
        return color, np.frombuffer(raw, np.float32).reshape(small[1], small[0], 4)[::-1]

    def _delete_main_framebuffer(self) -> None:
        for frames, buffers in self._targets.values():
            GL.glDeleteFramebuffers(len(frames), frames)
            GL.glDeleteRenderbuffers(len(buffers), buffers)
        self._targets = {}


def _texture(unit: int, picture: Any, name: int, filtering: int) -> int:
    """Put a picture, top row first, on a texture unit; row (1 - v) H is v's, as in a file."""
    internal, layout, kind = {
        (np.dtype(np.uint8), 3): (GL.GL_RGB8, GL.GL_RGB, GL.GL_UNSIGNED_BYTE),
        (np.dtype(np.uint8), 2): (GL.GL_R8, GL.GL_RED, GL.GL_UNSIGNED_BYTE),
        (np.dtype(np.uint16), 3): (GL.GL_RGB16, GL.GL_RGB, GL.GL_UNSIGNED_SHORT),
        (np.dtype(np.float32), 2): (GL.GL_R32F, GL.GL_RED, GL.GL_FLOAT),
    }[picture.dtype, picture.ndim]
    name = name or int(GL.glGenTextures(1))
    GL.glActiveTexture(GL.GL_TEXTURE0 + unit)
    GL.glBindTexture(GL.GL_TEXTURE_2D, name)
    GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 1)
    # filtered textures are turned over for v up; the shadow map is fetched by row
    rows = picture[::-1] if filtering == GL.GL_LINEAR else picture
    height, width = picture.shape[:2]
    GL.glTexImage2D(GL.GL_TEXTURE_2D, 0, internal, width, height, 0, layout, kind, np.ascontiguousarray(rows))
    for key, value in (
        (GL.GL_TEXTURE_MIN_FILTER, filtering), (GL.GL_TEXTURE_MAG_FILTER, filtering),
        (GL.GL_TEXTURE_WRAP_S, GL.GL_REPEAT), (GL.GL_TEXTURE_WRAP_T, GL.GL_REPEAT),
    ):  # fmt: skip
        GL.glTexParameteri(GL.GL_TEXTURE_2D, key, value)
    return name


def _make_targets(width: int, height: int, k: int) -> tuple[list[int], list[int]]:
    """Frame buffers of all samples (RGBA8, RGBA32F, depth) and of the centres (RGBA32F); render buffers."""
    frames = [int(f) for f in GL.glGenFramebuffers(2)]
    buffers = [int(b) for b in GL.glGenRenderbuffers(4)]
    whole, small = (width, height), (width // k, height // k)
    for frame, buffer, storage, attachment, size in (
        (frames[0], buffers[0], GL.GL_RGBA8, GL.GL_COLOR_ATTACHMENT0, whole),
        (frames[0], buffers[1], GL.GL_RGBA32F, GL.GL_COLOR_ATTACHMENT1, whole),
        (frames[0], buffers[2], GL.GL_DEPTH_COMPONENT24, GL.GL_DEPTH_ATTACHMENT, whole),
        (frames[1], buffers[3], GL.GL_RGBA32F, GL.GL_COLOR_ATTACHMENT0, small),
    ):
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, frame)
        GL.glBindRenderbuffer(GL.GL_RENDERBUFFER, buffer)
        GL.glRenderbufferStorage(GL.GL_RENDERBUFFER, storage, *size)
        GL.glFramebufferRenderbuffer(GL.GL_FRAMEBUFFER, attachment, GL.GL_RENDERBUFFER, buffer)
    for frame in frames:
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, frame)
        status = GL.glCheckFramebufferStatus(GL.GL_FRAMEBUFFER)
        if status != GL.GL_FRAMEBUFFER_COMPLETE:
            raise RuntimeError(f"frame buffer of {width}x{height} is incomplete: status {status}")
    return frames, buffers
