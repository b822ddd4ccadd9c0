"""Pictures -> files, in three stages that overlap: read and detect, the network, write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fnormal.arrays import F32, U8
from fnormal.errors import FNormalError
from fnormal.faces.detect import FaceBox
from fnormal.faces.given import parse_box
from fnormal.faces.quality import doubtful, quality_flags
from fnormal.files.naming import Guard
from fnormal.geometry.picturefile import read_image
from fnormal.options.faces import PredictOptions
from fnormal.prediction.figures import needs_picture
from fnormal.prediction.files import Written, doubt, map_paths, result_paths, write_result
from fnormal.prediction.frames import Frame
from fnormal.prediction.outlines import outline_of
from fnormal.prediction.predictor import BATCH, Predictor
from fnormal.progress import Progress, Result, failure
from fnormal.work.overlap import overlapped


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


@dataclass
class Work:
    """A picture on its way through the stages.

    Attributes:
        job: Which.
        note: What is told of it beside its results.
        failed: Why it goes no further; empty while it does.
        warnings: About its faces.
        shape: Rows and columns of the picture.
        picture: The picture, where a later stage needs it.
        n_faces: How many faces were found.
        frames: Where the network looks.
        views: What it sees there.
        means: What it answers.
        flags: What may have spoiled each face.
        seconds: What each stage took.
        results: What was written.
    """

    job: Job
    note: str = ""
    failed: str = ""
    warnings: list[str] = field(default_factory=list)
    shape: tuple[int, int] = (0, 0)
    picture: U8 | None = None
    n_faces: int = 0
    frames: list[Frame] = field(default_factory=list)
    views: list[F32] = field(default_factory=list)
    means: list[F32] = field(default_factory=list)
    flags: list[list[str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)

    def told(self) -> list[Progress]:
        """Its warnings; then its results, or its failure."""
        results = [*self.results, *([failure(self.job.source, self.failed)] if self.failed else [])]
        last = Progress(
            done=1, total=1, unit="pictures", note=self.note or self.job.source, failed=self.failed,
            results=tuple(results),
        )  # fmt: skip
        return [*(Progress(warning=warning) for warning in self.warnings), last]


class PictureStages:
    """The three stages, each a function of some pictures; they may run in different threads.

    Args:
        predictor: The network.
        options: What is asked for.
        guard: Keeps inputs from being written over.
    """

    def __init__(self, predictor: Predictor, options: PredictOptions, guard: Guard) -> None:
        self._predictor, self._options, self._guard = predictor, options, guard
        self._box = None if options.box is None else parse_box(options.box)
        self._most_faces = most_faces(options.faces)

    def run(self, jobs: Sequence[Job], batch: int | None = None) -> Iterator[Work]:
        """Take pictures through overlapping stages, in order; a user's error ends its picture alone.

        Args:
            jobs: The pictures.
            batch: How many go together; by default a GPU's batch, and one on a CPU, where more gain nothing.
        """
        size = batch or (BATCH if self._predictor.on_gpu else 1)
        batches = ([Work(job) for job in jobs[i : i + size]] for i in range(0, len(jobs), size))
        stages = [self._look, self._ask, self._write]
        for works in overlapped(batches, stages, [1, self._predictor.at_once, 1]):
            yield from works

    def run_one(self, job: Job) -> Work:
        """Take one picture through the stages in this thread."""
        works = [Work(job)]
        self._look(works)
        self._ask(works)
        self._write(works)
        return works[0]

    def _look(self, works: Sequence[Work]) -> None:
        for work in works:
            if self._options.skip_existing and self._outputs(work.job.stem)[2].exists():
                work.note = f"{work.job.source} exists"
            else:
                _alone(self._look_at, work)

    def _look_at(self, work: Work) -> None:
        """Read a picture, find its faces, cut out what the network sees of them."""
        clock, options = _Clock(work.seconds), self._options
        picture = read_image(work.job.source, most_px=round(options.max_megapixels * 1e6))
        work.shape = (picture.shape[0], picture.shape[1])
        clock.lap("read")
        if options.crop:
            faces = self._faces(work.job, picture)
            work.n_faces, faces = len(faces), faces[: self._most_faces]
            work.warnings = [said for face in faces if (said := doubt(work.job.source, face))]
            outline = outline_of(options.mask, work.job.source, picture)
            work.frames = self._predictor.frames(picture, faces, options.scale, outline)
            clock.lap("detect")
        else:
            work.frames = [self._predictor.whole_frame(picture)]
        views = [view for frame in work.frames for view in self._predictor.seen(picture, frame)]
        work.flags = [quality_flags(picture, f.mask, f.mask_corner_px, f.face) for f in work.frames]
        if needs_picture(options):
            work.picture = picture
        work.views = views  # last: the next stage takes those that have any

    def _faces(self, job: Job, picture: U8) -> list[FaceBox]:
        """The faces that are asked for, surest first.

        Raises:
            FNormalError: None is there, or none is sure enough.
        """
        options, every = self._options, self._most_faces != 1
        faces = self._predictor.find_faces(picture, job.source, options.landmarks, every=every, box=self._box)
        sure = [face for face in faces if face.score >= options.min_score]
        if not sure:
            raise FNormalError(
                f"{job.source}: the surest of {len(faces)} faces has the score {faces[0].score:.2f};"
                " lower --min-score"
            )
        return sure

    def _ask(self, works: Sequence[Work]) -> None:
        """Let the network look, at all of the pictures at once."""
        asked = [work for work in works if work.views]
        seconds: dict[str, float] = {}
        clock = _Clock(seconds)
        means = iter(self._predictor.run([view for work in asked for view in work.views]))
        clock.lap("network")
        count = sum(len(work.views) for work in asked)
        for work in asked:
            work.seconds["network"] = seconds["network"] * len(work.views) / count
            work.means = [next(means) for _ in work.views]
            work.views = []

    def _write(self, works: Sequence[Work]) -> None:
        for work in works:
            if work.means:
                _alone(self._write_faces, work)
            work.picture, work.frames, work.means = None, [], []

    def _write_faces(self, work: Work) -> None:
        options, stem = self._options, work.job.stem
        seconds = {stage: round(value, 4) for stage, value in work.seconds.items()}
        means = iter(work.means)
        for number, (frame, flags) in enumerate(zip(work.frames, work.flags, strict=True), 1):
            result = self._predictor.finish(frame, means, work.shape)
            if self._predictor.runner.sure and options.crop:
                flags = [*flags, *doubtful(result.part_confidence[result.part_mask])]
            place = stem if number == 1 else stem.with_name(f"{stem.name}-{number}")
            self._guard.check([*map_paths(place, options).values(), *self._outputs(place)])
            about = Written(work.job.source, number, work.n_faces, flags, seconds)
            work.results += write_result(place, result, about, options, picture=work.picture)

    def _outputs(self, stem: Path) -> tuple[Path, Path, Path]:
        return result_paths(stem, self._options.format)


class _Clock:
    """Writes down what stages take."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds, self._last = seconds, time.monotonic()

    def lap(self, stage: str) -> None:
        """A stage has ended."""
        now = time.monotonic()
        self._seconds[stage], self._last = now - self._last, now


def _alone(step: Callable[[Work], None], work: Work) -> None:
    """Run a step whose failure is this picture's."""
    try:
        step(work)
    except FNormalError as error:
        work.failed = str(error)


def counted(steps: Iterable[Progress], total: int) -> Iterator[Progress]:
    """What works have told, each that ends one with its place among all."""
    done = 0
    for step in steps:
        done += step.unit == "pictures"
        yield replace(step, done=done, total=total) if step.unit == "pictures" else step


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
