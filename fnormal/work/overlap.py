"""Work in stages that overlap: while one unit is written, the next goes through the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from threading import Thread
from typing import Any, TypeVar

Unit = TypeVar("Unit")
_AHEAD = 1  # units that wait for a stage beside those that are in one


def overlapped(
    units: Iterable[Unit], stages: Sequence[Callable[[Unit], Any]], at_once: Sequence[int] | None = None
) -> Iterator[Unit]:
    """Take every unit through all stages, in order; each stage has a thread of its own, or some.

    A stage of one thread sees the units one at a time and in their order, so that it may remember what it
    needs. Only as many units are held as there are threads, and two more. What a stage raises, or taking a
    unit, is raised here, after the units before.

    Args:
        units: Taken one by one, in the caller's thread.
        stages: Each changes the unit that it is given.
        at_once: How many units each stage may work on at a time; by default one.
    """
    widths = [1 for _ in stages] if at_once is None else at_once
    with ExitStack() as stack:
        threads = [stack.enter_context(ThreadPoolExecutor(width)) for width in widths]
        waiting: deque[Future[Unit]] = deque()
        source, failed = iter(units), None
        try:
            while True:
                try:
                    unit = next(source)
                except StopIteration:
                    break
                except Exception as error:  # raised below
                    failed = error
                    break
                future: Future[Unit] | None = None
                for thread, stage in zip(threads, stages, strict=True):
                    future = thread.submit(_through, stage, unit, future)
                assert future is not None, "there is a stage"
                waiting.append(future)
                if len(waiting) > sum(widths) + _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
            if failed is not None:
                raise failed
        finally:
            for thread in threads:
                thread.shutdown(wait=False, cancel_futures=True)


def _through(stage: Callable[[Unit], Any], unit: Unit, before: Future[Unit] | None) -> Unit:
    """Run a stage once the one before it has finished with the unit."""
    if before is not None:
        before.result()
    stage(unit)
    return unit


def beforehand(task: Callable[[], None]) -> None:
    """Begin in a thread what somebody will want soon, who finds it done, or does it again."""
    Thread(target=task, daemon=True).start()
