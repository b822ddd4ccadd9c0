"""unwrap: portraits -> a bank of skins for training heads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fnormal.arrays import U8
from fnormal.errors import FNormalError
from fnormal.faces.ladder import find_upright_faces
from fnormal.files.naming import Guard, check_suffix
from fnormal.geometry.picturefile import find_images, read_image
from fnormal.options.data import Unwrap
from fnormal.progress import Progress
from fnormal.scans.ict_facekit import HeadModel
from fnormal.scans.skinbank import write_bank
from fnormal.scans.unwrap import unwrap_skin


def unwrap(options: Unwrap) -> Iterator[Progress]:
    """Read the skin off the first face of every portrait; one without a usable face fails alone.

    Raises:
        FNormalError: No portraits, no head model, or no skin at all.
    """
    check_suffix(options.out, (".npz",))
    source = None if options.model == "auto" else Path(options.model)
    Guard([options.portraits, source]).check([options.out])
    if options.out.exists():
        raise FNormalError(f"{options.out} exists already; remove it or choose another --out")
    listing, model = find_images(options.portraits), HeadModel(source)
    yield Progress(warning=listing.skipped)
    skins: list[U8] = []
    paths = listing.paths[: options.limit]
    for done, path in enumerate(paths, 1):
        try:
            skins.append(_skin_of(model, path))
        except FNormalError as error:
            yield Progress(done=done, total=len(paths), unit="portraits", failed=f"{path}: {error}")
            continue
        yield Progress(done=done, total=len(paths), unit="portraits", note=f"{len(skins)} skins")
    if not skins:
        raise FNormalError(f"no skin could be read off {options.portraits}; it takes frontal portraits")
    head = model.finer_skin(model.neutral)
    write_bank(options.out, np.stack(skins), options.licence, head, model.neutral[model.landmark_ids])
    yield Progress(written=(options.out,))


def _skin_of(model: HeadModel, path: Path) -> U8:
    picture = read_image(path)
    faces = find_upright_faces(picture)
    if not faces:
        raise FNormalError("no face found")
    return unwrap_skin(model, picture, faces[0].landmarks)
