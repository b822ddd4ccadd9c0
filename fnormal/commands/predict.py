"""predict: photos -> normal maps, masks and their JSON, in the photo's own pixels."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from fnormal.errors import FNormalError
from fnormal.geometry.images import list_images, read_image
from fnormal.geometry.normal_maps import NORMAL_FORMATS
from fnormal.options import PredictOptions
from fnormal.prediction.files import write_result
from fnormal.prediction.predictor import Predictor
from fnormal.progress import Progress


def predict(
    inputs: Sequence[str], out: Path, predictor: Predictor, options: PredictOptions
) -> Iterator[Progress]:
    """Predict every picture of ``inputs`` (files, folders, ``-``); one that fails does not stop the rest.

    Raises:
        FNormalError: An option that is wrong for all of them.
    """
    if options.format not in NORMAL_FORMATS:
        raise FNormalError(f"unknown format '{options.format}': use {', '.join(NORMAL_FORMATS)}")
    jobs = _jobs(inputs, out)
    if options.landmarks is not None and len(jobs) > 1:
        raise FNormalError("--landmarks belongs to one picture; give one INPUT")
    for done, (source, stem) in enumerate(jobs, 1):
        failed, written = "", list[Path]()
        try:
            written += _predict_one(source, stem, predictor, options)
        except FNormalError as error:
            failed = str(error)
        yield Progress(done, len(jobs), "pictures", source, failed, tuple(written))


def predict_stream(inputs: Sequence[str], predictor: Predictor, options: PredictOptions) -> bytes:
    """The normal map of one picture as the bytes of its file, for a pipeline."""
    if len(inputs) != 1 or Path(inputs[0]).is_dir():
        raise FNormalError("--out - takes one picture; give --out DIR for more")
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "stream"
        return next(_predict_one(inputs[0], stem, predictor, options)).read_bytes()


def _jobs(inputs: Sequence[str], out: Path) -> list[tuple[str, Path]]:
    """(picture, output path without suffix); folders keep their structure under ``out``."""
    jobs: list[tuple[str, Path]] = []
    for name in inputs:
        if name == "-":
            jobs.append((name, out / "stdin"))
            continue
        root = Path(name)
        for path in list_images(root):
            inner = path.relative_to(root).with_suffix("") if root.is_dir() else Path(path.stem)
            jobs.append((str(path), out / inner))
    stem, count = Counter(stem for _, stem in jobs).most_common(1)[0]
    if count > 1:
        raise FNormalError(f"two pictures would both become {stem}_*; give them in separate runs")
    return jobs


def _predict_one(source: str, stem: Path, predictor: Predictor, options: PredictOptions) -> Iterator[Path]:
    picture = read_image(source)
    if options.crop:
        faces = predictor.find_faces(picture, source, options.landmarks)
        faces = faces if options.faces == "all" else faces[:1]
        results = predictor.predict(picture, faces, scale=options.scale, forehead=options.forehead)
    else:
        results = [predictor.predict_whole(picture)]
    for number, result in enumerate(results, 1):
        name = stem if number == 1 else stem.with_name(f"{stem.name}-{number}")
        yield from write_result(name, source, result, options.frame, options.format)
