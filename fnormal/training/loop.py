"""The training loop (section 3.3) in the order it runs; resumable to the step."""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.sample import Pair, Sample
from fnormal.errors import FNormalError
from fnormal.evaluation.scores import network_errors
from fnormal.files.locks import locked
from fnormal.files.opening import NOTES, read_bytes
from fnormal.files.writing import sweep, write_bytes
from fnormal.network.checkpoint import WeightsInfo, save_weights
from fnormal.options.training import TrainOptions
from fnormal.progress import Progress
from fnormal.training import parallel
from fnormal.training.batches import loader
from fnormal.training.parts import set_modes
from fnormal.training.tensorboard import TensorBoard
from fnormal.training.trainer import Trainer

CHECKPOINT, BEST, LOG = "last.ckpt", "best.safetensors", "log.jsonl"  # the files of a run


def train(
    sets: Sequence[Dataset[Sample]],
    out: Path,
    options: TrainOptions,
    *,
    val: Dataset[Pair] | None = None,
    init: Path | None = None,
    encoder_weights: str | None = None,
    resume: bool = False,
    tensorboard: TensorBoard | None = None,
    device: str = "cpu",
) -> Iterator[Progress]:
    """Train into ``out``: ``last.ckpt`` to resume from, ``best.safetensors`` to use, ``log.jsonl``.

    Under torchrun every process runs this; the first alone validates and writes.

    Raises:
        FNormalError: See :class:`Trainer`; or ``out`` holds a run and ``resume`` is not set.
        KeyboardInterrupt: After saving, when SIGTERM or Ctrl-C asked to stop.
    """
    if not resume and (out / CHECKPOINT).exists():
        raise FNormalError(f"{out} holds a run already; add --resume or choose another --out")
    first = parallel.rank() == 0
    trainer = Trainer(options, sets, init, encoder_weights, device)
    if val is not None and "image_to_normals" not in trainer.learning:
        raise FNormalError(f"--only {options.only} leaves image-to-normals as it is; leave --val out")
    with _only_writer(out if first else None):
        yield from _run(trainer, out, val, resume, tensorboard)


@contextmanager
def _only_writer(out: Path | None) -> Iterator[None]:
    """Keep a second run out of the folder."""
    if out is None:
        yield
    else:
        with locked(out / "writer.lock", out):
            yield


def _run(
    trainer: Trainer, out: Path, val: Dataset[Pair] | None, resume: bool, tensorboard: TensorBoard | None
) -> Iterator[Progress]:
    """The epochs and batches of a run."""
    options, checkpoint, best = trainer.options, out / CHECKPOINT, out / BEST
    if resume:
        trainer.load(checkpoint)
    first = parallel.rank() == 0
    with _stop_signal() as stop, _Log(out if first else None, trainer) as log:
        while trainer.epoch < options.epochs:
            batches = trainer.batches()
            total, started = trainer.step + len(batches), time.monotonic()
            set_modes(trainer.model)
            for count, batch in enumerate(loader(batches, options.workers), 1):
                at = (trainer.epoch + trainer.step / total) / options.epochs
                values = trainer.iterate(batch, at)
                trainer.step += 1
                rate = count * options.batch_size / (time.monotonic() - started)
                log.write({"epoch": trainer.epoch + 1, "step": trainer.step, **values})
                done = trainer.epoch * total + trainer.step
                if tensorboard is not None:
                    tensorboard.add(done, {**values, "images_per_s": rate})
                yield _step(done, total * options.epochs, rate, values)
                stopped = parallel.any_of(stop.is_set())
                if first and (stopped or trainer.step % options.save_every == 0):
                    trainer.save(checkpoint)
                if stopped:
                    raise KeyboardInterrupt
            trainer.epoch, trainer.step = trainer.epoch + 1, 0
            if first:
                yield from _end_epoch(trainer, val, best, log, tensorboard)
                trainer.save(checkpoint)
    yield Progress(written=(best, checkpoint))


def _step(done: int, total: int, rate: float, values: dict[str, float]) -> Progress:
    """One batch; the rate comes first, so that a narrow terminal shows it."""
    note = " ".join(f"{name} {value:.4g}" for name, value in values.items())
    return Progress(done=done, total=total, unit="batches", note=f"{rate:.1f} images/s {note}")


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set, so that a step finishes and the state is saved."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def stop(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        event.set()

    before = {s: signal.signal(s, stop) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield event
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


class _Log:
    """``log.jsonl``, one record a step and an epoch; a resumed run drops what came after its checkpoint."""

    def __init__(self, out: Path | None, trainer: Trainer) -> None:
        self._file = None
        if out is None:
            return
        for name in (CHECKPOINT, BEST, LOG):
            sweep(out / name)
        path, now = out / LOG, (trainer.epoch + 1, trainer.step)
        if path.is_file():
            lines = read_bytes(path, NOTES).decode(errors="replace").splitlines()
            kept = [line for line in lines if _place(line) <= now]
            if len(kept) < len(lines):
                write_bytes(path, "".join(f"{line}\n" for line in kept).encode())
        self._file = path.open("a", buffering=1)

    def __enter__(self) -> _Log:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, record: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(record) + "\n")


def _place(line: str) -> tuple[float, float]:
    """Where in a run a record was written: (epoch from 1, step); a line cut short is beyond any."""
    try:
        record = json.loads(line)
        return float(record["epoch"]), float(record.get("step", math.inf))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return math.inf, math.inf


def _end_epoch(
    trainer: Trainer, val: Dataset[Pair] | None, best: Path, log: _Log, tensorboard: TensorBoard | None
) -> Iterator[Progress]:
    """Validate, log, and keep the best weights (without a validation set: the newest)."""
    options, epoch = trainer.options, trainer.epoch
    record: dict[str, Any] = {"epoch": epoch}
    sure = options.confidence_weight > 0
    info = WeightsInfo(options.arch, options.ablation, options.size_px, sure=sure)
    if val is not None:
        model = trainer.result
        summary = network_errors(model, info, val, batch_size=options.batch_size)
        record["val"] = summary.as_dict()
        log.write(record)
        error_deg = summary.mean_deg
        if tensorboard is not None:
            tensorboard.add(epoch, {"val_mean_deg": error_deg})
            tensorboard.show(epoch, model, info, val)
        yield Progress(
            done=epoch, total=options.epochs, unit="epochs",
            note=f"validation {error_deg:.2f} +- {summary.std_deg:.2f} degrees",
        )  # fmt: skip
        if error_deg >= trainer.best_deg:
            return
        trainer.best_deg = error_deg
    record.update(options=options.as_json(), samples=[[s.source.path.name, len(s)] for s in trainer.sets])
    licence = "; ".join(sorted({s.source.licence for s in trainer.sets}))
    save_weights(best, trainer.result, replace(info, licence=licence, figures=record))
