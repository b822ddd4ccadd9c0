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


class MultiTargetRenderer(PyrenderRenderer):  # type: ignore[misc]  # pyrender has no types
    """pyrender's forward pass into our own frame buffer, with our own shader and lights."""

    def __init__(self, shader_dir: Path) -> None:
        super().__init__(1, 1)
        self._program_cache = ShaderProgramCache(shader_dir=str(shader_dir))
        self._lighting: Lighting | None = None
        self._target: tuple[int, list[int]] | None = None
        self._size = (1, 1)

    def draw(self, scene: Any, lighting: Lighting, width: int, height: int) -> tuple[Any, Any]:
        """Colour uint8 [height, width, 4] and normal + camera z float32 [height, width, 4], top row first."""
        if (width, height) != self._size:
            self._delete_main_framebuffer()
            self._size = (width, height)
        self.viewport_width, self.viewport_height = width, height
        self._lighting = lighting
        color, normal_z = self.render(scene, RenderFlags.OFFSCREEN | RenderFlags.SKIP_CULL_FACES)
        return color, normal_z

    # What follows are the hooks of pyrender.Renderer, under its names.

    def _get_primitive_program(self, primitive: Any, flags: int, program_flags: int) -> Any:
        del flags, program_flags
        third = "COLOR_0_LOC" if primitive.texcoord_0 is None else "TEXCOORD_0_LOC"
        defines = {"NORMAL_LOC": 1, third: 2}
        program = self._program_cache.get_program(
            vertex_shader="targets.vert", fragment_shader="targets.frag", defines=defines
        )
        if not program._in_context():
            program._add_to_context()
        return program

    def _bind_lighting(self, scene: Any, program: Any, node: Any, flags: int) -> None:
        del scene, node, flags
        lighting = self._lighting
        assert lighting is not None, "draw() sets it"
        program.set_uniform("n_lights", len(lighting.directions))
        for i, (toward, rgb) in enumerate(zip(lighting.directions, lighting.intensities, strict=True)):
            program.set_uniform(f"light_direction[{i}]", toward)
            program.set_uniform(f"light_rgb[{i}]", rgb)
        program.set_uniform("ambient_rgb", lighting.ambient)
        program.set_uniform("specular", float(lighting.specular))
        program.set_uniform("shininess", float(lighting.shininess))

    def _bind_texture(self, texture: Any, uniform_name: str, program: Any) -> None:
        del uniform_name
        super()._bind_texture(texture, "albedo_texture", program)

    def _configure_forward_pass_viewport(self, flags: int) -> None:
        del flags
        if self._target is None:
            self._target = _make_target(self.viewport_width, self.viewport_height)
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self._target[0])
        GL.glDrawBuffers(2, [GL.GL_COLOR_ATTACHMENT0, GL.GL_COLOR_ATTACHMENT1])
        GL.glViewport(0, 0, self.viewport_width, self.viewport_height)
        GL.glEnable(GL.GL_DEPTH_TEST)
        GL.glDepthMask(GL.GL_TRUE)
        GL.glDepthFunc(GL.GL_LESS)
        GL.glDepthRange(0.0, 1.0)

    def _read_main_framebuffer(self, scene: Any, flags: int) -> tuple[Any, Any]:
        del scene, flags
        assert self._target is not None, "the pass just drew into it"
        width, height = self.viewport_width, self.viewport_height
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, self._target[0])
        GL.glPixelStorei(GL.GL_PACK_ALIGNMENT, 1)
        planes = []
        for attachment, kind, dtype in (
            (GL.GL_COLOR_ATTACHMENT0, GL.GL_UNSIGNED_BYTE, np.uint8),
            (GL.GL_COLOR_ATTACHMENT1, GL.GL_FLOAT, np.float32),
        ):
            GL.glReadBuffer(attachment)
            raw = GL.glReadPixels(0, 0, width, height, GL.GL_RGBA, kind)
            planes.append(np.frombuffer(raw, dtype).reshape(height, width, 4)[::-1])
        return planes[0], planes[1]

    def _delete_main_framebuffer(self) -> None:
        if self._target is not None:
            frame, buffers = self._target
            GL.glDeleteFramebuffers(1, [frame])
            GL.glDeleteRenderbuffers(3, buffers)
        self._target = None


def _make_target(width: int, height: int) -> tuple[int, list[int]]:
    """A frame buffer with RGBA8, RGBA32F and a depth buffer: (frame buffer, render buffers)."""
    buffers = [int(b) for b in GL.glGenRenderbuffers(3)]
    frame = int(GL.glGenFramebuffers(1))
    GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, frame)
    for buffer, storage, attachment in zip(
        buffers,
        (GL.GL_RGBA8, GL.GL_RGBA32F, GL.GL_DEPTH_COMPONENT24),
        (GL.GL_COLOR_ATTACHMENT0, GL.GL_COLOR_ATTACHMENT1, GL.GL_DEPTH_ATTACHMENT),
        strict=True,
    ):
        GL.glBindRenderbuffer(GL.GL_RENDERBUFFER, buffer)
        GL.glRenderbufferStorage(GL.GL_RENDERBUFFER, storage, width, height)
        GL.glFramebufferRenderbuffer(GL.GL_FRAMEBUFFER, attachment, GL.GL_RENDERBUFFER, buffer)
    status = GL.glCheckFramebufferStatus(GL.GL_FRAMEBUFFER)
    if status != GL.GL_FRAMEBUFFER_COMPLETE:
        raise RuntimeError(f"frame buffer of {width}x{height} is incomplete: status {status}")
    return frame, buffers


def make_drawer(shader_dir: Path) -> MultiTargetRenderer:
    """A renderer for the current OpenGL context."""
    return MultiTargetRenderer(shader_dir)
