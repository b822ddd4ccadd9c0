"""train: data sets -> the cross-modal network (section 3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from fnormal.datasets.hdf5 import open_pairs
from fnormal.datasets.sets import open_sets, sets_in
from fnormal.files.naming import Guard, unused
from fnormal.network.device import multiplies_bf16, set_up
from fnormal.options.training import SetOptions, Train
from fnormal.progress import Progress
from fnormal.training import parallel
from fnormal.training.loop import BEST
from fnormal.training.loop import train as run_training
from fnormal.training.tensorboard import TensorBoard


def train(options: Train) -> Iterator[Progress]:
    """Train into ``options.out``.

    Raises:
        FNormalError: See :func:`fnormal.training.loop.train`.
        KeyboardInterrupt: After saving, when SIGTERM or Ctrl-C asked to stop.
    """
    device = parallel.start(set_up(options.compute.device, options.compute.threads))
    first = parallel.rank() == 0
    named, val = options.sets, options.val
    if named == SetOptions():
        named, found_val = sets_in(Path("data"))
        val = val or found_val
        if first:
            yield Progress(says=f"training on {_listed(named)}; validating on {val or 'nothing'}")
    if first and device == "cpu" and options.training.precision == "bf16" and not multiplies_bf16():
        yield Progress(
            warning="--precision bf16: this CPU has no products of bfloat16; a batch takes up to ten times as"
            " long as with fp32"
        )
    out = options.out or _default_out(options)
    if not options.resume:
        Guard([options.init]).check([out / BEST])
    steps = run_training(
        open_sets(named), out, options.training,
        val=None if val is None else open_pairs(val), init=options.init,
        encoder_weights=options.encoder_weights, resume=options.resume, device=device,
        tensorboard=TensorBoard(out / "tensorboard") if options.tensorboard and first else None,
    )  # fmt: skip
    for step in steps:
        if first:  # the other processes stay silent
            yield step
    parallel.stop()


def _default_out(options: Train) -> Path:
    """``runs/<date>-<arch>``: a new folder, or the newest one where a run is to be resumed."""
    runs, arch = Path("runs"), options.training.arch
    if options.resume:
        there = [path.parent for path in runs.glob(f"*-{arch}*/last.ckpt")]
        if there:
            return max(there, key=lambda path: (path / "last.ckpt").stat().st_mtime)
    return unused(runs / f"{date.today():%Y-%m-%d}-{arch}")


def _listed(sets: SetOptions) -> str:
    named = ((name, getattr(sets, name)) for name in ("pairs", "images", "normals"))
    return "; ".join(f"{name}: {', '.join(map(str, paths))}" for name, paths in named if paths)
