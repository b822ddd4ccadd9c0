"""train: the loop of section 3.3, in the order it runs; resumable to the step."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from fnormal.batches import loader
from fnormal.checkpoint import WeightsInfo, save_weights
from fnormal.commands.evaluate import network_errors, open_pairs
from fnormal.dataset import Dataset
from fnormal.errors import FNormalError
from fnormal.options import TrainOptions
from fnormal.progress import Progress
from fnormal.trainer import Trainer


def open_sets(pairs: Sequence[Path], images: Sequence[Path], normals: Sequence[Path]) -> list[Dataset]:
    """Open training sets and check that each is what its flag says."""
    sets = []
    for modality, paths in (("pairs", pairs), ("images", images), ("normals", normals)):
        for path in paths:
            data = Dataset(path)
            if data.modality != modality:
                raise FNormalError(f"{path} holds {data.modality}: give it as --{data.modality}")
            sets.append(data)
    if not sets:
        raise FNormalError("nothing to train on: give --pairs, and maybe --images and --normals")
    return sets


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


def train(
    sets: Sequence[Dataset],
    out: Path,
    options: TrainOptions,
    *,
    val: Path | None = None,
    init: Path | None = None,
    encoder_weights: str | None = None,
    resume: bool = False,
) -> Iterator[Progress]:
    """Train into ``out``: ``last.ckpt`` to resume from, ``best.safetensors`` to use, ``log.jsonl``.

    Raises:
        FNormalError: See :class:`Trainer`; or ``out`` holds a run and ``resume`` is not set.
        KeyboardInterrupt: After saving, when SIGTERM or Ctrl-C asked to stop.
    """
    checkpoint, best = out / "last.ckpt", out / "best.safetensors"
    val_set = None if val is None else open_pairs(val)
    trainer = Trainer(options, sets, init, encoder_weights)
    if resume:
        trainer.load(checkpoint)
    elif checkpoint.exists():
        raise FNormalError(f"{out} holds a run already; add --resume or choose another --out")
    licence = "; ".join(sorted({s.licence for s in sets}))
    out.mkdir(parents=True, exist_ok=True)
    with _stop_signal() as stop, (out / "log.jsonl").open("a", buffering=1) as log:
        while trainer.epoch < options.epochs:
            batches = trainer.batches()
            total, started = trainer.step + len(batches), time.monotonic()
            trainer.model.train()
            for count, batch in enumerate(loader(batches, options.workers), 1):
                at = (trainer.epoch + trainer.step / total) / options.epochs
                losses = trainer.iterate(batch.to(trainer.device), at)
                trainer.step += 1
                rate = count * options.batch_size / (time.monotonic() - started)
                log.write(json.dumps({"epoch": trainer.epoch + 1, "step": trainer.step, **losses}) + "\n")
                note = " ".join(f"{k} {v:.4f}" for k, v in losses.items())
                yield Progress(
                    trainer.epoch * total + trainer.step, total * options.epochs, "batches",
                    f"{note} {rate:.1f} images/s",
                )  # fmt: skip
                if stop.is_set():
                    trainer.save(checkpoint)
                    raise KeyboardInterrupt
            yield from _end_epoch(trainer, val_set, best, licence, log)
            trainer.epoch, trainer.step = trainer.epoch + 1, 0
            trainer.save(checkpoint)
    total = len(trainer.batches())
    yield Progress(total * options.epochs, total * options.epochs, "batches", written=(best, checkpoint))


def _end_epoch(
    trainer: Trainer, val_set: Dataset | None, best: Path, licence: str, log: Any
) -> Iterator[Progress]:
    """Validate, log, and keep the best weights (without a validation set: the newest)."""
    options = trainer.options
    record: dict[str, Any] = {"epoch": trainer.epoch + 1}
    if val_set is not None:
        summary = network_errors(
            trainer.result.eval(), val_set, options.size_px, batch_size=options.batch_size
        )
        record["val"] = summary.as_dict()
        log.write(json.dumps(record) + "\n")
        error = summary.mean_deg
        yield Progress(
            trainer.epoch + 1, options.epochs, "epochs",
            f"validation {error:.2f} +- {summary.std_deg:.2f} degrees",
        )  # fmt: skip
        if error >= trainer.best_deg:
            return
        trainer.best_deg = error
    record.update(options=asdict(options), samples=[[s.source.path.name, len(s)] for s in trainer.sets])
    info = WeightsInfo(options.arch, options.ablation, options.size_px, licence=licence, figures=record)
    save_weights(best, trainer.result, info)
