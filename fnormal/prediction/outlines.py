"""--mask: which outline of the face a prediction is cut to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fnormal.arrays import Array
from fnormal.errors import FNormalError
from fnormal.faces.hairline import to_the_hairline
from fnormal.faces.masks import Outline, given_mask, seen_mask
from fnormal.files.naming import of_picture
from fnormal.geometry.picturefile import IMAGE_SUFFIXES, read_image

_MASK_ENDINGS = tuple(f"{kind}{suffix}" for kind in ("", "_mask") for suffix in sorted(IMAGE_SUFFIXES))


def _hull_of(picture: Array) -> Outline:
    del picture
    return seen_mask


# for a picture [H, W, 3] the outline of its faces
BUILT_IN: dict[str, Callable[[Array], Outline]] = {"hull": _hull_of, "face": to_the_hairline}


def outline_of(mask: str, picture_path: str, picture: Array) -> Outline:
    """The outline of ``--mask`` for a picture.

    Args:
        mask: ``hull``, ``face``, the picture of a mask, or a folder with one of each picture's name (or of
            that name and ``_mask``): white is face.
        picture_path: Its path.
        picture: RGB. [H, W, 3]

    Raises:
        FNormalError: The mask is not there, empty, or of another size.
    """
    if mask in BUILT_IN:
        return BUILT_IN[mask](picture)
    path = of_picture(Path(mask), picture_path, _MASK_ENDINGS, "mask")
    face = read_image(path).max(axis=-1) > 127
    shape = picture.shape[:2]
    if face.shape != shape:
        raise FNormalError(
            f"{path} is {face.shape[1]}x{face.shape[0]}, {picture_path} {shape[1]}x{shape[0]}; give a mask in"
            " the picture's own pixels"
        )
    if not face.any():
        raise FNormalError(f"{path} is black: it masks no face; paint the face white")
    return given_mask(face)
