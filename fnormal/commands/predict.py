"""predict: photos -> normal maps, masks and their JSON, in the photo's own pixels."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fnormal.errors import FNormalError
from fnormal.files.naming import Guard, refuse_existing
from fnormal.files.writing import sweep_folder
from fnormal.geometry.picturefile import find_images, read_image
from fnormal.network.device import free_cores, set_up
from fnormal.options.faces import Predict, PredictOptions
from fnormal.prediction.files import doubt, is_own_output, result_paths, write_result
from fnormal.prediction.predictor import Predictor
from fnormal.progress import Progress


def predict(options: Predict) -> Iterator[Progress]:
    """Predict every picture of the inputs (files, folders, ``-``); one that fails does not stop the rest.

    Raises:
        FNormalError: An option that is wrong for all of them.
    """
    if options.out == "-":
        _check_single(options.inputs)
    jobs, skipped = list_jobs(options.inputs, Path(options.out or "normals"))
    if options.options.landmarks is not None and len(jobs) > 1:
        raise FNormalError("--landmarks belongs to one picture; give one INPUT")
    yield Progress(warning=skipped)
    guard = Guard([*(Path(job.source) for job in jobs), options.options.landmarks, options.weights])
    for job in jobs:
        outputs = result_paths(job.stem, options.options.format)
        guard.check(outputs)
        if options.out is None and not options.options.skip_existing:
            refuse_existing(outputs)
    if options.out != "-":
        sweep_folder(Path(options.out or "normals"))
    compute = options.compute
    predictor = Predictor(options.weights, device=set_up(compute.device, compute.threads or free_cores()))
    if options.out == "-":
        yield _stream(jobs[0], predictor, options.options)
        return
    for done, job in enumerate(jobs, 1):
        yield from _predict_one(job, predictor, options.options, guard, (done, len(jobs)))


@dataclass(frozen=True)
class Job:
    """One picture.

    Attributes:
        source: Its path, or ``-``.
        stem: Path of its results, without what comes after the name.
    """

    source: str
    stem: Path


def list_jobs(inputs: Sequence[str], out: Path) -> tuple[list[Job], str]:
    """The pictures, and a line about what was left out; folders keep their structure under ``out``.

    Raises:
        FNormalError: Two pictures would have one output.
    """
    jobs, notes = list[Job](), list[str]()
    for name in inputs:
        if name == "-":
            jobs.append(Job(name, out / "stdin"))
            continue
        root = Path(name)
        if not root.is_dir():
            jobs.append(Job(name, out / root.stem))
            continue
        listing = find_images(root, is_own_output)
        jobs += [Job(str(path), out / path.relative_to(root).with_suffix("")) for path in listing.paths]
        notes += [listing.skipped] if listing.skipped else []
    stem, count = Counter(job.stem for job in jobs).most_common(1)[0]
    if count > 1:
        raise FNormalError(f"two pictures would both become {stem}_*; give them in separate runs")
    return jobs, "; ".join(notes)


def _predict_one(
    job: Job, predictor: Predictor, options: PredictOptions, guard: Guard, place: tuple[int, int]
) -> Iterator[Progress]:
    done, total = place
    failed = ""
    try:
        if options.skip_existing and result_paths(job.stem, options.format)[-1].exists():
            yield Progress(done=done, total=total, unit="pictures", note=f"{job.source} exists")
            return
        yield from _results(job, predictor, options, guard)
    except FNormalError as error:
        failed = str(error)
    yield Progress(done=done, total=total, unit="pictures", note=job.source, failed=failed)


def _results(job: Job, predictor: Predictor, options: PredictOptions, guard: Guard) -> Iterator[Progress]:
    """Predict and write the faces of one picture."""
    picture, n_faces = read_image(job.source, most_px=round(options.max_megapixels * 1e6)), 0
    if options.crop:
        faces = predictor.find_faces(picture, job.source, options.landmarks)
        n_faces = len(faces)
        faces = faces if options.faces == "all" else faces[:1]
        for face in faces:
            yield Progress(warning=doubt(job.source, face))
        results = predictor.predict(picture, faces, scale=options.scale, forehead=options.forehead)
    else:
        results = [predictor.predict_whole(picture)]
    del picture  # a large one and its normal map together would take twice the memory
    for number, result in enumerate(results, 1):
        stem = job.stem if number == 1 else job.stem.with_name(f"{job.stem.name}-{number}")
        guard.check(result_paths(stem, options.format))
        written = write_result(
            stem, job.source, result, options.frame, options.format, number=number, n_faces=n_faces
        )
        yield Progress(results=tuple(written))


def _check_single(inputs: Sequence[str]) -> None:
    if len(inputs) != 1 or Path(inputs[0]).is_dir():
        raise FNormalError("--out - takes one picture; give --out DIR for more")


def _stream(job: Job, predictor: Predictor, options: PredictOptions) -> Progress:
    """The normal map of one picture as the bytes of its file, for a pipeline."""
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "stream"
        for _ in _results(Job(job.source, stem), predictor, options, Guard([])):
            pass
        return Progress(stream=result_paths(stem, options.format)[0].read_bytes())
