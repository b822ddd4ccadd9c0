"""Photo -> the paper's crop and mask of it as a sample (section 4.1)."""

from __future__ import annotations

import numpy as np

from fnormal.config import CROP_SCALE, N_LANDMARKS
from fnormal.datasets.sample import ImageSample, NormalsSample, Pair, Sample
from fnormal.errors import FNormalError
from fnormal.faces.crop import crop_around
from fnormal.faces.ladder import find_upright_faces
from fnormal.faces.masks import hull_mask
from fnormal.geometry.normals import unit
from fnormal.photos.photo import Photo, PhotoReader

_PROBES = 5  # photos whose normals are looked at before all are imported


def crop_item(reader: PhotoReader, size_px: int, scale: float, index: int) -> list[Sample]:
    """Samples of an item of a reader."""
    return [crop_photo(photo, size_px, scale) for photo in reader.load(index)]


def crop_photo(photo: Photo, size_px: int, scale: float = CROP_SCALE) -> Sample:
    """The paper's crop and mask of a photo (4.1): a :class:`Pair` where the photo has normals.

    Raises:
        FNormalError: No face, or no normals on it.
    """
    points = photo.landmarks
    if points is None:
        faces = find_upright_faces(photo.image)
        if not faces:
            raise FNormalError(
                f"{photo.source}: no face found; give its 68 points in a .pts file, or leave it out"
            )
        points = faces[0].landmarks
    height, width = photo.image.shape[:2]
    crop = crop_around(points, height, width, scale=scale, size_px=size_px)
    landmarks = crop.from_picture(points)
    known_landmarks = landmarks if len(landmarks) == N_LANDMARKS else None
    mask, image = hull_mask(landmarks, size_px, size_px), crop.cut(photo.image)
    if photo.normals is None:
        return ImageSample(mask, photo.subject, photo.source, image, landmarks=known_landmarks)
    known = np.linalg.norm(photo.normals, axis=-1) > 0.5
    # the mean over what is known: an unknown neighbour must not bend a normal
    normals = unit(crop.cut(photo.normals * known[..., None]))
    mask &= crop.cut(known) & (np.linalg.norm(normals, axis=-1) > 0.5)
    if not mask.any():
        raise FNormalError(
            f"{photo.source}: no normals inside the face's outline; are photo and map aligned?"
        )
    normals = normals * mask[..., None]
    return Pair(mask, photo.subject, photo.source, image, normals, landmarks=known_landmarks)


def check_axes(reader: PhotoReader, size_px: int) -> None:
    """Look whether foreheads look up and chins down, and faces toward the viewer.

    Raises:
        FNormalError: They do not; the message says which axis to flip.
    """
    upright, facing = [], []
    for index in np.unique(np.linspace(0, len(reader.names) - 1, _PROBES).astype(int)):
        try:
            sample = crop_item(reader, size_px, CROP_SCALE, int(index))[0]
        except FNormalError:
            continue  # it will be reported when its turn comes
        assert isinstance(sample, NormalsSample), "the reader has normals"
        rows = np.nonzero(sample.mask)[0]
        normals, upper = sample.normals[sample.mask], rows < np.median(rows)
        upright.append(float(normals[upper, 1].mean() - normals[~upper, 1].mean()))
        facing.append(float(normals[:, 2].mean()))
    if facing and np.median(facing) < 0:
        raise FNormalError("the normals look away from the viewer; flip z by --axes, such as x,y,-z")
    if upright and np.median(upright) < 0:
        raise FNormalError("foreheads look down and chins up; flip y by --axes, such as x,-y,z or x,y,z")
