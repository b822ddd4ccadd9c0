"""SynthHuman (DAViD, CDLA-Permissive-2.0): the rendered faces among its samples, with EXR normals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fnormal.errors import FNormalError
from fnormal.geometry.normal_maps import read_normals
from fnormal.geometry.picturefile import read_image
from fnormal.photos.photo import Photo

FACES = 98_040  # samples from 0 on that show faces; the others show bodies
_NAME = re.compile(r"rgb_(\d{7})\.png")


class SynthHuman:
    """Files ``rgb_0000000.png``, ``alpha_0000000.png`` and ``normal_0000000.exr`` anywhere below a folder.

    The names are those of its README. Not verified on the real thing: the axes of its normals, which the
    import looks at before it begins (``--axes``).

    Args:
        source: The folder.
        limit: The most faces to read.
        axes: Axes of the normals; by default x right, y up, z to the viewer.
        licence: Licence of the pictures.

    Raises:
        FNormalError: No such folder, or no faces in it.
    """

    photos_per_item, has_normals, left_out = 1, True, ""

    def __init__(self, source: Path, *, licence: str, limit: int | None, axes: str | None) -> None:
        if not source.is_dir():
            raise FNormalError(f"no such folder: {source}; check the path")
        numbered = dict[int, Path]()
        for path in sorted(source.rglob("rgb_*.png")):
            found = _NAME.fullmatch(path.name)
            if found and int(found[1]) < FACES:
                numbered.setdefault(int(found[1]), path)
        if not numbered:
            raise FNormalError(
                f"{source} holds no rgb_0000000.png up to {FACES - 1:07d}; unpack SynthHuman there"
            )
        self._paths = [numbered[number] for number in sorted(numbered)][:limit]
        self._axes, self.licence = axes or "x,y,z", licence
        self.names: Sequence[str] = [path.stem.removeprefix("rgb_") for path in self._paths]
        self.files: Sequence[Path] = self._paths

    def load(self, index: int) -> list[Photo]:
        """Read face ``index``."""
        path, name = self._paths[index], self.names[index]
        normals, mask = read_normals(path.with_name(f"normal_{name}.exr"), self._axes)
        image, alpha = read_image(path), read_image(path.with_name(f"alpha_{name}.png"))
        if not image.shape == alpha.shape == normals.shape:
            raise FNormalError(f"{path}: picture, alpha and normals differ in size; fetch them again")
        mask &= alpha[..., 0] > 127
        return [Photo(name, name, image, np.asarray(normals * mask[..., None], np.float32), None)]
