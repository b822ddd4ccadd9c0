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

from fnormal.datasets.hdf5 import DatasetWriter
from fnormal.datasets.sample import Modality, Sample
from fnormal.datasets.shards import NothingToJoinError, ShardPlan, is_complete, join_shards, plan_shards
from fnormal.errors import FNormalError
from fnormal.files.locks import locked
from fnormal.options.shared import BuildOptions
from fnormal.progress import Progress
from fnormal.work.cluster import run_jobs


@dataclass(frozen=True)
class DatasetPlan:
    """What a data set will hold.

    Attributes:
        names: Names of its items.
        files: What each item is read from, one for each name; else what all of them are.
        unit: What an item is, plural.
        samples_per_item: The most samples that an item gives.
        modality: Modality of the set.
        size_px: Side of a sample.
        licence: Licence of the source.
        config: What makes it, as JSON.
        unlit: Whether its pairs keep albedo and depth.
    """

    names: Sequence[str]
    files: Sequence[Path]
    unit: str
    samples_per_item: int
    modality: Modality
    size_px: int
    licence: str
    config: dict[str, Any]
    unlit: bool = False

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

    def plan(self) -> DatasetPlan:
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
class FinishedShard:
    """A finished shard: how many items it has, and what failed in it."""

    items: int
    failures: tuple[str, ...]


def make_shard(job: Job) -> FinishedShard:
    """Make the samples of a shard; an item that cannot be made fails alone."""
    plan = job.recipe.plan()
    job.path.unlink(missing_ok=True)  # an earlier try: something failed, or a file has changed since
    writer = DatasetWriter(
        job.path, plan.modality, plan.size_px,
        config=plan.config, licence=plan.licence, source=plan.source_of(job.first, job.after),
        unlit=plan.unlit,
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
    return FinishedShard(job.after - job.first, tuple(failures))


def build(recipe: Recipe, out: Path, options: BuildOptions) -> Iterator[Progress]:
    """Make the data set of ``recipe``; what an unfinished run of the same left is gone on with.

    One process gives one plain file; several, or ``options.shard``, leave the shards in ``OUT.shards`` and
    join them by a virtual data set.

    Raises:
        FNormalError: The source or the output is not there, or the output is of another run.
    """
    plan = recipe.plan()
    if out.exists():
        if not options.resume:
            raise FNormalError(f"{out} exists already; remove it or choose another --out")
        yield Progress(done=1, total=1, unit="files", note="already complete", written=(out,))
        return
    shards = plan_shards(out, len(plan.names), plan.samples_per_item, plan.size_px, unlit=plan.unlit)
    shards.claim(plan.config)
    which, of = options.shard_of()
    with locked(shards.folder / f"writer-{which}-of-{of}.lock", out):
        yield from _build_shards(recipe, plan, shards, options)


def _build_shards(
    recipe: Recipe, plan: DatasetPlan, shards: ShardPlan, options: BuildOptions
) -> Iterator[Progress]:
    """Make what is missing of this process's share, then join all shards."""
    which, of = options.shard_of()
    mine = [i for i in range(len(shards.ranges)) if i % of == which]
    jobs = []
    for i in mine:
        if not is_complete(shards.path(i), plan.source_of(*shards.ranges[i])):
            jobs.append(Job(recipe, *shards.ranges[i], shards.path(i).absolute()))
    total = sum(shards.ranges[i][1] - shards.ranges[i][0] for i in mine)
    done = total - sum(job.after - job.first for job in jobs)
    for shard in run_jobs(make_shard, jobs, workers=options.workers, scheduler=options.scheduler):
        done += shard.items
        for failed in shard.failures:
            yield Progress(done=done, total=total, unit=plan.unit, failed=failed)
        yield Progress(done=done, total=total, unit=plan.unit, note=f"{done} of {total}")
    yield from _join(shards, plan.unit, total, virtual=options.keeps_shards())


def _join(shards: ShardPlan, unit: str, total: int, *, virtual: bool) -> Iterator[Progress]:
    missing = sum(not path.is_file() for path in shards.paths())
    if missing:  # other members of a job array are at work
        yield Progress(
            done=total,
            total=total,
            unit=unit,
            note=f"{missing} shards are others'; the last to finish joins them",
        )
        return
    shards.sweep()
    try:
        join_shards(shards.paths(), shards.out, virtual=virtual, own=True)
    except NothingToJoinError:
        shards.remove()
        raise
    except FNormalError:  # of a full disk, say: the shards stay, and the same command goes on with them
        if not shards.out.exists():
            raise
        yield Progress(done=total, total=total, unit=unit, written=(shards.out,))  # another was quicker
        return
    if not virtual:
        shards.remove()
    yield Progress(done=total, total=total, unit=unit, written=(shards.out,))
