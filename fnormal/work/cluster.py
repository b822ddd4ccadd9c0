"""Jobs in this process, in worker processes of this machine, or on a cluster: dask's one home."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from multiprocessing import resource_tracker
from typing import Any, TypeVar

from fnormal.errors import FNormalError
from fnormal.files.writing import discard_unfinished

Job = TypeVar("Job")
Result = TypeVar("Result")
_TRIES = 5  # times that a job may lose its worker
_TIMEOUT_S = 15  # to reach a scheduler
# One core a worker. dask gives memory back at every turn, which costs a worker a fifth of its time here.
_DASK = {
    "distributed.nanny.pre-spawn-environ": {
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), 1),
        **dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), 1 << 30),
    },
    "distributed.worker.preload": [__name__],  # for dask_setup
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
}


def run_jobs(
    function: Callable[[Job], Result], jobs: Sequence[Job], *, workers: int, scheduler: str | None
) -> Iterator[Result]:
    """Results of ``function`` on ``jobs``, in the order they are ready.

    Args:
        function: Pure, importable where the workers run.
        jobs: Picklable.
        workers: 0 or 1: this process; more: so many processes of this machine.
        scheduler: ``HOST:PORT`` of a running dask scheduler instead.

    Raises:
        FNormalError: dask is not installed, does not answer, or a job killed its workers.
    """
    if not jobs:
        return
    if scheduler is None and workers <= 1:
        for job in jobs:
            yield function(job)
        return
    distributed = _distributed()
    if scheduler is not None:
        if not re.fullmatch(r"(\w+://)?[^/\s:]+:\d{1,5}", scheduler):
            raise FNormalError(f"--scheduler {scheduler}: give HOST:PORT of a dask scheduler")
        address = scheduler if "://" in scheduler else f"tcp://{scheduler}"
        try:
            client = distributed.Client(address, timeout=_TIMEOUT_S)
        except OSError as error:
            raise FNormalError(f"no dask scheduler answers at {scheduler} ({error}); start one") from error
        with client:
            yield from _gather(distributed, client, function, jobs)
        return
    with _own_workers(distributed, min(workers, len(jobs))) as client:
        yield from _gather(distributed, client, function, jobs)


@contextmanager
def _own_workers(distributed: Any, count: int) -> Iterator[Any]:
    """A client of worker processes of this machine, which end with the block; at once where it fails.

    Ctrl-C goes to all processes of a terminal. The workers are begun with it blocked, so that this process
    alone answers it.
    """
    import dask

    with ExitStack() as opened:
        with _interrupts_held():
            opened.enter_context(dask.config.set(_DASK))
            cluster = distributed.LocalCluster(
                n_workers=count, threads_per_worker=1, processes=True, memory_limit=None,
                dashboard_address=None, silence_logs=40,
            )  # fmt: skip
            opened.enter_context(cluster)
            client = opened.enter_context(distributed.Client(cluster))
            opened.push(partial(_end_at_once, cluster))
        yield client


def _end_at_once(cluster: Any, kind: type[BaseException] | None, *_: object) -> None:
    """End the workers of a cluster where an error ends its block: closing waits for their jobs."""
    for nanny in cluster.workers.values() if kind is not None else ():
        if nanny.pid:  # it may just be starting another
            with suppress(ProcessLookupError):
                os.kill(nanny.pid, signal.SIGTERM)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait for the end of the block; processes and threads that are begun in it never see one."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # the first process would do it, and let its thread see signals again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def dask_setup(worker: object) -> None:
    """Called by dask in a new worker: SIGTERM ends it in the middle of a job, without half a file."""
    del worker

    def end(*_: object) -> None:
        discard_unfinished()
        os._exit(1)

    signal.signal(signal.SIGTERM, end)


def _gather(
    distributed: Any, client: Any, function: Callable[[Job], Result], jobs: Sequence[Job]
) -> Iterator[Result]:
    futures = [client.submit(_alone, function, job, pure=False, retries=_TRIES) for job in jobs]
    try:
        for future in distributed.as_completed(futures):
            yield future.result()
    except distributed.scheduler.KilledWorker as error:
        raise FNormalError(f"a job lost its worker too often ({error}); has it enough memory?") from error
    finally:
        client.cancel(futures)


def _alone(function: Callable[[Job], Result], job: Job) -> Result:
    """Run a job on one core: the workers share the machine."""
    import cv2

    cv2.setNumThreads(1)
    return function(job)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise FNormalError(
            "several workers need dask: pip install 'fnormal[cluster]', or leave --workers out"
        ) from error
    return distributed
