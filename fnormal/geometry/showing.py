"""What networks are shown of a view: other surroundings where a face was cut out, and other light."""

from __future__ import annotations

from fnormal.arrays import F32, Bools
from fnormal.geometry.levels import levelled
from fnormal.geometry.surroundings import surrounded


def shown(view: F32, face: Bools | None = None) -> F32:
    """A view as networks of levelled pictures are trained on it. [S, S, 3] both, in [0, 1]

    Args:
        view: A part of a picture.
        face: Where the face is; None where nobody has looked for it. [S, S]
    """
    return levelled(surrounded(view, face), face)
