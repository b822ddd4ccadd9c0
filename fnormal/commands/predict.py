"""predict: photos -> normal maps, masks and their JSON, in the photo's own pixels."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from fnormal.errors import FNormalError
from fnormal.faces.given import parse_box
from fnormal.files.naming import Guard, refuse_existing
from fnormal.files.pipes import is_pipe
from fnormal.files.writing import sweep_folder
from fnormal.geometry.picturefile import find_images
from fnormal.geometry.videofile import is_video, parse_size
from fnormal.options.faces import Predict, PredictOptions
from fnormal.prediction.files import is_own_output, result_paths
from fnormal.prediction.pictures import Job, PictureStages, counted, most_faces
from fnormal.prediction.predictor import Predictor
from fnormal.prediction.sharing import guarded, opened, predict_elsewhere
from fnormal.prediction.videofiles import predict_video
from fnormal.prediction.videosinks import is_lossless
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
    yield Progress(warning=skipped)
    guard = guarded(options, jobs)
    if options.out == "-" or is_lossless(options.out):
        yield from _into_one(_the_only(jobs, options), options, guard)
        return
    jobs = jobs[which::of]
    for job in jobs:
        outputs = result_paths(job.stem, options.options.format)
        guard.check(outputs)
        if options.out is None and not options.options.skip_existing:
            refuse_existing(outputs)
    sweep_folder(out)
    if options.sharing.is_shared():
        yield from predict_elsewhere(options, jobs)
        return
    pictures = [job for job in jobs if not job.is_video]
    if pictures:
        predictor = opened(options, many=len(pictures) > 1, video=False)
        yield Progress(warning=_no_use(options.options, predictor))
        works = PictureStages(predictor, options.options, guard).run(pictures)
        yield from counted((step for work in works for step in work.told()), len(pictures))
    if len(pictures) < len(jobs):
        predictor = opened(options, many=True, video=True)
        for job in jobs:
            if job.is_video:
                yield from predict_video(job.source, str(job.stem), predictor, options.options, guard)


def _no_use(options: PredictOptions, predictor: Predictor) -> str:
    """A warning where ``--fast`` is asked for in vain, for pictures."""
    if not options.fast or predictor.has_bytes:
        return ""
    return (
        "--fast changes nothing here: it needs fnormal's own weights, a CPU with AVX-512 VNNI, and ONNX"
        " Runtime (pip install 'fnormal[onnx]')"
    )


def _check_places(options: PredictOptions, n_pictures: int) -> None:
    """What says where the faces are must be readable, and belong to the pictures."""
    most_faces(options.faces)
    if options.box is not None:
        parse_box(options.box)
    given = [name for name in ("landmarks", "box") if getattr(options, name) is not None]
    if len(given) > 1 or (given and not options.crop):
        raise FNormalError("give one of --landmarks, --box and --no-crop")
    if options.raw is not None:
        parse_size(options.raw)
        if not options.video:
            raise FNormalError("--raw belongs to a video on stdin; give --video too")
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
            jobs.append(Job(name, out / "stdin", is_video=video))
            continue
        root = Path(name)
        if is_video(root) or (video and (root.is_dir() or is_pipe(root))):
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


def _the_only(jobs: Sequence[Job], options: Predict) -> Job:
    """The one input of an output that is no folder."""
    if is_lossless(options.out) and not jobs[0].is_video:
        raise FNormalError(f"--out {options.out} takes a video; give --video, or --out DIR for pictures")
    if len(jobs) != 1 or len(options.inputs) != 1 or (Path(jobs[0].source) != Path(options.inputs[0])):
        raise FNormalError(f"--out {options.out} takes one picture or video; give --out DIR for more")
    if options.sharing.is_shared() or options.sharing.shard is not None:
        raise FNormalError(f"--out {options.out} takes one input, which is not shared out; give --out DIR")
    return jobs[0]


def _into_one(job: Job, options: Predict, guard: Guard) -> Iterator[Progress]:
    """The maps of one input as a stream, or as one video.

    Raises:
        FNormalError: More is asked for than it holds, or the picture fails.
    """
    inner = options.options
    given = [*inner.extras, *(["crop_only"] if inner.crop_only and job.is_video else [])]
    if given:
        flags = ", ".join("--" + name.replace("_", "-") for name in given)
        raise FNormalError(f"{flags}: a stream holds the normals alone; give a folder as --out")
    predictor = opened(options, many=job.is_video, video=job.is_video)
    if job.is_video:
        yield from predict_video(job.source, str(options.out), predictor, options.options, guard)
        return
    yield Progress(warning=_no_use(options.options, predictor))
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "stream"
        work = PictureStages(predictor, options.options, Guard([])).run_one(replace(job, stem=stem))
        if work.failed:
            raise FNormalError(work.failed)
        yield Progress(stream=result_paths(stem, options.options.format)[0].read_bytes())
