"""predict: photos -> normal maps, masks and their JSON, in the photo's own pixels."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fnormal.arrays import U8
from fnormal.errors import FNormalError
from fnormal.faces.detect import FaceBox
from fnormal.faces.given import parse_box
from fnormal.faces.quality import quality_flags
from fnormal.files.naming import Guard, refuse_existing
from fnormal.files.writing import sweep_folder
from fnormal.geometry.picturefile import find_images, read_image
from fnormal.geometry.videofile import is_video
from fnormal.options.faces import Predict, PredictOptions
from fnormal.prediction.face_normals import FaceNormals
from fnormal.prediction.figures import overlay, side_by_side
from fnormal.prediction.files import Written, doubt, extra_path, is_own_output, result_paths, write_result
from fnormal.prediction.predictor import Predictor, open_predictor
from fnormal.prediction.videofiles import predict_video
from fnormal.progress import Progress, Result, failure


def predict(options: Predict) -> Iterator[Progress]:
    """Predict every picture of the inputs (files, folders, ``-``); one that fails does not stop the rest.

    Raises:
        FNormalError: An option that is wrong for all of them.
    """
    if options.out == "-":
        _check_single(options.inputs)
    jobs, skipped = list_jobs(options.inputs, Path(options.out or "normals"), video=options.options.video)
    _check_places(options.options, len(jobs))
    yield Progress(warning=skipped)
    guard = Guard([*(Path(job.source) for job in jobs), options.options.landmarks, options.weights])
    for job in jobs:
        outputs = result_paths(job.stem, options.options.format)
        guard.check(outputs)
        if options.out is None and not options.options.skip_existing:
            refuse_existing(outputs)
    if options.out != "-":
        sweep_folder(Path(options.out or "normals"))
    predictor = open_predictor(options.weights, options.compute)
    if options.out == "-":
        yield _stream(jobs[0], predictor, options.options)
        return
    for done, job in enumerate(jobs, 1):
        if job.is_video:
            yield from predict_video(Path(job.source), job.stem, predictor, options.options, guard)
            continue
        yield from _predict_one(job, predictor, options.options, guard, (done, len(jobs)))


def _check_places(options: PredictOptions, n_pictures: int) -> None:
    """What says where the faces are must be readable, and belong to the pictures."""
    most_faces(options.faces)
    if options.box is not None:
        parse_box(options.box)
    given = [name for name in ("landmarks", "box") if getattr(options, name) is not None]
    if len(given) > 1 or (given and not options.crop):
        raise FNormalError("give one of --landmarks, --box and --no-crop")
    one = options.box is not None or (options.landmarks is not None and not options.landmarks.is_dir())
    if one and n_pictures > 1:
        raise FNormalError(f"--{given[0]} belongs to one picture; give one INPUT, or a folder of landmarks")


@dataclass(frozen=True)
class Job:
    """One picture.

    Attributes:
        source: Its path, or ``-``.
        stem: Path of its results, without what comes after the name.
        is_video: A video, or a folder of its frames.
    """

    source: str
    stem: Path
    is_video: bool = False


def list_jobs(inputs: Sequence[str], out: Path, *, video: bool = False) -> tuple[list[Job], str]:
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
        if is_video(root) or (video and root.is_dir()):
            jobs.append(Job(name, out / root.stem, is_video=True))
            continue
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
    results: tuple[Result, ...] = ()
    try:
        if options.skip_existing and result_paths(job.stem, options.format)[-1].exists():
            yield Progress(done=done, total=total, unit="pictures", note=f"{job.source} exists")
            return
        yield from _results(job, predictor, options, guard)
    except FNormalError as error:
        failed = str(error)
        results = (failure(job.source, failed),)
    yield Progress(done=done, total=total, unit="pictures", note=job.source, failed=failed, results=results)


def _results(job: Job, predictor: Predictor, options: PredictOptions, guard: Guard) -> Iterator[Progress]:
    """Predict and write the faces of one picture."""
    started = time.monotonic()
    picture, n_faces = read_image(job.source, most_px=round(options.max_megapixels * 1e6)), 0
    seconds, started = {"read": time.monotonic() - started}, time.monotonic()
    if options.crop:
        faces = _faces(job, predictor, options, picture)
        n_faces, faces = len(faces), faces[: most_faces(options.faces)]
        for face in faces:
            yield Progress(warning=doubt(job.source, face))
        seconds["detect"], started = time.monotonic() - started, time.monotonic()
        predicted = predictor.predict(picture, faces, scale=options.scale, forehead=options.forehead)
    else:
        predicted = [predictor.predict_whole(picture)]
    seconds["network"] = time.monotonic() - started
    flags = [quality_flags(picture, p.part_mask, p.corner_px, p.face) for p in predicted]
    figures = [_figures(picture, result, options) for result in predicted]
    del picture  # a large one and its normal map together would take twice the memory
    rounded = {stage: round(value, 4) for stage, value in seconds.items()}
    for number, (result, flag, also) in enumerate(zip(predicted, flags, figures, strict=True), 1):
        stem = job.stem if number == 1 else job.stem.with_name(f"{job.stem.name}-{number}")
        more = ("confidence", *also) if options.confidence else tuple(also)
        guard.check([*result_paths(stem, options.format), *(extra_path(stem, ending) for ending in more)])
        about = Written(job.source, number, n_faces, flag, rounded)
        written = write_result(
            stem, result, about, options.frame, options.format, crop_only=options.crop_only,
            confidence=options.confidence, also=also,
        )  # fmt: skip
        yield Progress(results=tuple(written))


def _faces(job: Job, predictor: Predictor, options: PredictOptions, picture: U8) -> list[FaceBox]:
    """The faces that are asked for, surest first.

    Raises:
        FNormalError: None is there, or none is sure enough.
    """
    box = None if options.box is None else parse_box(options.box)
    every = most_faces(options.faces) != 1
    faces = predictor.find_faces(picture, job.source, options.landmarks, every=every, box=box)
    sure = [face for face in faces if face.score >= options.min_score]
    if not sure:
        raise FNormalError(
            f"{job.source}: the surest of {len(faces)} faces has the score {faces[0].score:.2f};"
            " lower --min-score"
        )
    return sure


def most_faces(text: str) -> int | None:
    """How many faces of a picture are wanted; None for all.

    Raises:
        FNormalError: Neither first, nor all, nor a number from 1 on.
    """
    if text in ("first", "all"):
        return 1 if text == "first" else None
    if text.isdecimal() and len(text) < 6 and int(text):
        return int(text)
    raise FNormalError(f"--faces {text}: give first, all, or a number from 1 on")


def _figures(picture: U8, result: FaceNormals, options: PredictOptions) -> dict[str, U8]:
    """Further pictures that are asked for, by the ending of their names."""
    found = {}
    if options.overlay:
        found["overlay"] = overlay(picture, result)
    if options.side_by_side:
        found["side_by_side"] = side_by_side(picture, result)
    return found


def _check_single(inputs: Sequence[str]) -> None:
    if len(inputs) != 1 or Path(inputs[0]).is_dir() or is_video(Path(inputs[0])):
        raise FNormalError("--out - takes one picture; give --out DIR for more")


def _stream(job: Job, predictor: Predictor, options: PredictOptions) -> Progress:
    """The normal map of one picture as the bytes of its file, for a pipeline."""
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "stream"
        for _ in _results(Job(job.source, stem), predictor, options, Guard([])):
            pass
        return Progress(stream=result_paths(stem, options.format)[0].read_bytes())
