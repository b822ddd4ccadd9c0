"""predict in worker processes of this machine or of a cluster: chunks of pictures, a network each worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from fnormal.faces.ladder import prepare_detection
from fnormal.files.naming import Guard
from fnormal.geometry.videofile import prepare_videos
from fnormal.options.faces import Predict
from fnormal.prediction.opened import open_predictor
from fnormal.prediction.outlines import BUILT_IN
from fnormal.prediction.pictures import Job, PictureStages, counted
from fnormal.prediction.predictor import Predictor
from fnormal.prediction.videofiles import predict_video
from fnormal.progress import Progress
from fnormal.work.cluster import run_jobs
from fnormal.work.overlap import beforehand

_CHUNK = 16  # pictures that a worker is given at a time


@dataclass(frozen=True)
class _Chunk:
    """What a worker is given.

    Attributes:
        jobs: Pictures, or one video.
        options: What is asked for.
        run: Changes with every run: a worker that stays opens the network and looks at the inputs anew.
    """

    jobs: tuple[Job, ...]
    options: Predict
    run: str


_open: dict[tuple[str, bool], tuple[Predictor, Guard]] = {}  # of the run that this worker works for


def predict_elsewhere(options: Predict, jobs: Sequence[Job]) -> Iterator[Progress]:
    """Let ``options.sharing`` 's workers predict; results come in the order they are ready.

    Raises:
        FNormalError: See :func:`fnormal.work.cluster.run_jobs`.
    """
    sharing, run = options.sharing, uuid4().hex
    if sharing.scheduler is not None:  # its workers may have been started in another folder
        options = _absolute(options)
        jobs = [
            replace(job, source=str(Path(job.source).absolute()), stem=job.stem.absolute()) for job in jobs
        ]
    pictures = [job for job in jobs if not job.is_video]
    parts = [tuple(pictures[i : i + _CHUNK]) for i in range(0, len(pictures), _CHUNK)]
    parts += [(job,) for job in jobs if job.is_video]
    chunks = [_Chunk(part, options, run) for part in parts]
    finished = run_jobs(_predict_chunk, chunks, workers=sharing.workers, scheduler=sharing.scheduler)
    yield from counted((step for told in finished for step in told), len(pictures))


def opened(options: Predict, *, many: bool, video: bool) -> Predictor:
    """The network for a run's pictures, or its videos, which are fast unless the options say otherwise."""
    inner = options.options
    fast = video if inner.fast is None else inner.fast
    if video:  # while the network is read; a picture may come with its points
        beforehand(prepare_videos)
        beforehand(prepare_detection)
    return open_predictor(options.weights, options.compute, mirror=inner.mirror, many=many, fast=fast)


def guarded(options: Predict, jobs: Sequence[Job]) -> Guard:
    """What keeps a run's inputs from being written over."""
    mask = None if options.options.mask in BUILT_IN else Path(options.options.mask)
    return Guard([*(Path(job.source) for job in jobs), options.options.landmarks, options.weights, mask])


def _absolute(options: Predict) -> Predict:
    """Options whose paths mean the same everywhere."""
    inner = options.options
    return replace(
        options,
        inputs=[str(Path(name).absolute()) for name in options.inputs],
        weights=None if options.weights is None else options.weights.absolute(),
        options=replace(
            inner,
            landmarks=None if inner.landmarks is None else inner.landmarks.absolute(),
            mask=inner.mask if inner.mask in BUILT_IN else str(Path(inner.mask).absolute()),
        ),
    )


def _predict_chunk(chunk: _Chunk) -> list[Progress]:
    """What a worker does, on one core."""
    options, job = chunk.options, chunk.jobs[0]
    key = chunk.run, job.is_video
    if key not in _open:
        _open.clear()
        inputs = [Job(name, Path(name)) for name in options.inputs]
        alone = replace(options, compute=replace(options.compute, threads=options.compute.threads or 1))
        predictor = opened(alone, many=False, video=job.is_video)
        _open[key] = predictor, guarded(options, inputs)
    predictor, guard = _open[key]
    if job.is_video:
        return list(predict_video(job.source, str(job.stem), predictor, options.options, guard))
    stages = PictureStages(predictor, options.options, guard)
    return [progress for job in chunk.jobs for progress in stages.run_one(job).told()]
