"""predict: photos -> normal maps, masks and their JSON, in the photo's own pixels."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from fnormal.errors import FNormalError
from fnormal.faces.given import parse_box
from fnormal.files.naming import refuse_existing
from fnormal.files.writing import sweep_folder
from fnormal.geometry.picturefile import find_images
from fnormal.geometry.videofile import is_video
from fnormal.options.faces import Predict, PredictOptions
from fnormal.prediction.files import is_own_output, result_paths
from fnormal.prediction.pictures import Job, PictureStages, most_faces
from fnormal.prediction.predictor import open_predictor
from fnormal.prediction.sharing import guarded, predict_elsewhere
from fnormal.prediction.videofiles import predict_video
from fnormal.progress import Progress


def predict(options: Predict) -> Iterator[Progress]:
    """Predict every picture of the inputs (files, folders, ``-``); one that fails does not stop the rest.

    Raises:
        FNormalError: An option that is wrong for all of them.
    """
    out = Path(options.out or "normals")
    which, of = options.sharing.shard_of()
    jobs, skipped = list_jobs(options.inputs, out, video=options.options.video)
    _check_places(options.options, len(jobs))
    if options.out == "-":
        _check_single(options.inputs)
    yield Progress(warning=skipped)
    guard = guarded(options, jobs)
    jobs = jobs[which::of]
    for job in jobs:
        outputs = result_paths(job.stem, options.options.format)
        guard.check(outputs)
        if options.out is None and not options.options.skip_existing:
            refuse_existing(outputs)
    if options.out == "-":
        yield _stream(jobs[0], options)
        return
    sweep_folder(out)
    if options.sharing.is_shared():
        yield from predict_elsewhere(options, jobs)
        return
    predictor = open_predictor(options.weights, options.compute, mirror=options.options.mirror)
    pictures = [job for job in jobs if not job.is_video]
    works = PictureStages(predictor, options.options, guard).run(pictures)
    for done, work in enumerate(works, 1):
        for progress in work.told():
            counted = progress.unit == "pictures"
            yield replace(progress, done=done, total=len(pictures)) if counted else progress
    for job in jobs:
        if job.is_video:
            yield from predict_video(Path(job.source), job.stem, predictor, options.options, guard)


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


def _check_single(inputs: Sequence[str]) -> None:
    if len(inputs) != 1 or Path(inputs[0]).is_dir() or is_video(Path(inputs[0])):
        raise FNormalError("--out - takes one picture; give --out DIR for more")


def _stream(job: Job, options: Predict) -> Progress:
    """The normal map of one picture as the bytes of its file, for a pipeline."""
    predictor = open_predictor(options.weights, options.compute, mirror=options.options.mirror)
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "stream"
        work = PictureStages(predictor, options.options, guarded(options, [])).run_one(
            replace(job, stem=stem)
        )
        if work.failed:
            raise FNormalError(work.failed)
        return Progress(stream=result_paths(stem, options.options.format)[0].read_bytes())
