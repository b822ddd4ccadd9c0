"""enhance PHOTO --mesh M: the photo's normals on a coarse mesh (section 4, Figs. 1 and 5)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fnormal.config import ENHANCE_CROP_SCALE
from fnormal.enhancement.files import enhanced_paths, write_enhanced
from fnormal.enhancement.pipeline import enhance_face
from fnormal.files.naming import Guard, refuse_existing
from fnormal.files.writing import sweep_folder
from fnormal.geometry.picturefile import read_image
from fnormal.options.faces import Enhance, PredictOptions
from fnormal.prediction.files import Written, doubt, result_paths, write_result
from fnormal.prediction.given import given_normals
from fnormal.prediction.predictor import open_predictor
from fnormal.progress import Progress


def enhance(options: Enhance) -> Iterator[Progress]:
    """Write the normals, ``<stem>_enhanced.glb``, ``.ply``, ``.json`` and ``<stem>_before_after.png``.

    Raises:
        FNormalError: No face, a mesh that does not fit, or files that are not what they should be.
    """
    photo, defaults = options.photo, PredictOptions()
    stem = (options.out or Path("enhanced")) / photo.stem
    outputs = (*enhanced_paths(stem), *result_paths(stem, defaults.format))
    Guard([photo, options.mesh, options.normals, options.landmarks, options.weights]).check(outputs)
    if options.out is None:
        refuse_existing(outputs)
    sweep_folder(stem.parent)
    predictor = open_predictor(options.weights, options.compute)
    picture = read_image(photo, most_px=round(options.max_megapixels * 1e6))
    faces = predictor.find_faces(picture, str(photo), options.landmarks)
    face = faces[0]
    yield Progress(warning=doubt(str(photo), face))
    if options.normals is None:
        (normals,) = predictor.predict(picture, [face], scale=ENHANCE_CROP_SCALE, forehead=True)
    else:
        normals = given_normals(options.normals, picture, face)
    enhanced, sheet = enhance_face(picture, face, normals, options.mesh)
    height_px = picture.shape[0]
    del picture  # a large one and its normal map together would take twice the memory
    about = Written(str(photo), n_faces=len(faces))
    results = write_result(stem, normals, about, defaults.frame, defaults.format)
    yield Progress(results=tuple(results))
    yield Progress(written=write_enhanced(stem, enhanced, face, height_px, sheet))
