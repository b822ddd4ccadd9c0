"""Making a data set out of many items, on one core or many machines, resumable at any moment.

Items are cut into shards; a shard is a pure function of the recipe, written under a temporary name and
renamed. So a killed run loses what its workers had in hand, and whoever goes on gets the same arrays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fnormal.datasets.cluster import run_jobs
from fnormal.datasets.hdf5 import DatasetWriter, Modality, Sample
from fnormal.datasets.shards import ShardPlan, is_complete, join_shards, plan_shards
from fnormal.errors import FNormalError
from fnormal.options import ProduceOptions
from fnormal.progress import Progress


@dataclass(frozen=True)
class Head:
    """What a data set will hold.

    Attributes:
        names: Of its items.
        files: What each item is read from, one for each name; else what all of them are.
        unit: What an item is, plural.
        samples_per_item: Of each item, at most.
        modality: Of the set.
        size_px: Side of a sample.
        licence: Of the source.
        config: What makes it, as JSON.
    """

    names: Sequence[str]
    files: Sequence[Path]
    unit: str
    samples_per_item: int
    modality: Modality
    size_px: int
    licence: str
    config: dict[str, Any]

    def source_of(self, first: int, after: int) -> str:
        """A short word that changes with the names, sizes or times of the files of some items."""
        each = len(self.files) == len(self.names)
        return fingerprint(self.names[first:after], self.files[first:after] if each else self.files)


def fingerprint(names: Sequence[str], files: Sequence[Path]) -> str:
    """A short word that changes with the names of the items, or the size or time of a file."""
    digest = hashlib.sha256(repr(list(names)).encode())
    for path in files:
        if path.is_file():
            digest.update(repr((path.name, path.stat().st_size, path.stat().st_mtime_ns)).encode())
    return digest.hexdigest()[:16]


class Recipe(Protocol):
    """How to make a data set; picklable, so that workers can follow it."""

    def head(self) -> Head:
        """Look at the source."""

    def opened(self) -> AbstractContextManager[Callable[[int], list[Sample]]]:
        """Hold what is needed to make the samples of an item, and yield the function that does."""


@dataclass(frozen=True)
class Job:
    """One shard: items ``first`` to ``after`` of a recipe into ``path``."""

    recipe: Recipe
    first: int
    after: int
    path: Path


@dataclass(frozen=True)
class Made:
    """A finished shard: how many items it has, and what failed in it."""

    items: int
    failures: tuple[str, ...]


def make_shard(job: Job) -> Made:
    """Make the samples of a shard; an item that cannot be made fails alone."""
    head = job.recipe.head()
    job.path.unlink(missing_ok=True)  # an earlier try: something failed, or a file has changed since
    writer = DatasetWriter(
        job.path, head.modality, head.size_px,
        config=head.config, licence=head.licence, source=head.source_of(job.first, job.after),
    )  # fmt: skip
    failures = []
    try:
        with job.recipe.opened() as make:
            for index in range(job.first, job.after):
                try:
                    samples = make(index)
                except (FNormalError, OSError) as error:
                    failures.append(str(error))
                    continue
                writer.append(samples)
        writer.finish(failures)
    except BaseException:
        writer.discard()
        raise
    return Made(job.after - job.first, tuple(failures))


def produce(recipe: Recipe, out: Path, how: ProduceOptions) -> Iterator[Progress]:
    """Make the data set of ``recipe``; what an unfinished run of the same left is gone on with.

    One process gives one plain file; several, or ``how.shard``, leave the shards in ``OUT.shards`` and
    join them by a virtual data set.

    Raises:
        FNormalError: The source or the output is not there, or the output is of another run.
    """
    head = recipe.head()
    if out.exists():
        if not how.resume:
            raise FNormalError(f"{out} exists already; remove it or choose another --out")
        yield Progress(1, 1, "files", "already complete", written=(out,))
        return
    plan = plan_shards(out, len(head.names), head.samples_per_item, head.size_px)
    plan.claim(head.config)
    which, of = how.shard_of()
    mine = [i for i in range(len(plan.ranges)) if i % of == which]
    jobs = []
    for i in mine:
        if not is_complete(plan.path(i), head.source_of(*plan.ranges[i])):
            jobs.append(Job(recipe, *plan.ranges[i], plan.path(i).absolute()))
    total = sum(plan.ranges[i][1] - plan.ranges[i][0] for i in mine)
    done = total - sum(job.after - job.first for job in jobs)
    for made in run_jobs(make_shard, jobs, workers=how.workers, scheduler=how.scheduler):
        done += made.items
        for failed in made.failures:
            yield Progress(done, total, head.unit, failed=failed)
        yield Progress(done, total, head.unit, f"{done} of {total}")
    yield from _join(plan, head.unit, total, virtual=how.keeps_shards())


def _join(plan: ShardPlan, unit: str, total: int, *, virtual: bool) -> Iterator[Progress]:
    missing = sum(not path.is_file() for path in plan.paths())
    if missing:  # other members of a job array are at work
        yield Progress(total, total, unit, f"{missing} shards are others'; the last to finish joins them")
        return
    plan.sweep()
    try:
        join_shards(plan.paths(), plan.out, virtual=virtual)
    except FNormalError:
        if plan.out.exists():  # another member was quicker
            yield Progress(total, total, unit, written=(plan.out,))
            return
        plan.remove()
        raise
    if not virtual:
        plan.remove()
    yield Progress(total, total, unit, written=(plan.out,))
