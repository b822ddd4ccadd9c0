"""Which back end draws: the driver of a GPU where there is one, else the software one."""

from __future__ import annotations

from functools import lru_cache

from fnormal.config import SUPERSAMPLE
from fnormal.errors import FNormalError
from fnormal.options.data import Backend
from fnormal.render.drawing import Renderer

_ON_CPU = ("llvmpipe", "softpipe", "swrast", "software")  # Mesa's own drivers: slower than ours


def open_renderer(backend: Backend, supersample: int = SUPERSAMPLE) -> Renderer:
    """A renderer; use it as a context manager.

    Args:
        backend: ``gl``, ``soft``, or ``auto``: ``gl`` where a GPU answers, else ``soft``.
        supersample: Colour samples a pixel side.

    Raises:
        FNormalError: ``gl`` is asked for and there is no OpenGL.
    """
    if resolve_backend(backend) == "gl":
        from fnormal.render.gl import GLRenderer

        return GLRenderer(supersample)
    from fnormal.render.soft import SoftRenderer

    return SoftRenderer(supersample)


def resolve_backend(backend: Backend) -> Backend:
    """``gl`` or ``soft`` for ``auto``; the others are what they are."""
    return _auto() if backend == "auto" else backend


@lru_cache(maxsize=1)
def _auto() -> Backend:
    from fnormal.render.gl import GLRenderer

    try:
        with GLRenderer(1) as renderer:
            driver = renderer.driver().lower()
    except FNormalError:
        return "soft"
    return "soft" if any(word in driver for word in _ON_CPU) else "gl"
